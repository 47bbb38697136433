# Two commands are enough: `make lab` to learn, `make test` to check this checkout.

PYTHON ?= python3
# Options for the command behind a target, for example: make lab ARGS="--lang tg"
ARGS ?=
TESTS = .venv/bin/python -m pytest -n 2 --dist worksteal

.PHONY: help lab setup server test test-slow test-all development lint demo verify attacks fuzz bench bench-course bench-lab bench-mirror lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 14

lab: setup ## set up, fetch data and models, and open the course in JupyterLab
	@.venv/bin/ustod assets fetch || echo "The units that need what is missing will say so."
	@.venv/bin/ustod lab $(ARGS)

setup: ## make .venv with the locked packages and the command ustod
	@"$(PYTHON)" environments/setup.py student

server: ## set up a lab server: what `ustod hub` needs, the proxy included
	@"$(PYTHON)" environments/setup.py server
	@.venv/bin/ustod assets fetch

development: ## setup, with what tests and linters need
	@"$(PYTHON)" environments/setup.py development

test: development lint ## set up, fetch data and models, and run the tests (minutes)
	@.venv/bin/ustod assets fetch
	$(TESTS) -m "not slow" --hypothesis-profile repeatable $(ARGS)

test-slow: development ## the long tests: every unit through its gate, killed and resumed grading, browsers
	@.venv/bin/ustod assets fetch
	$(TESTS) -m slow $(ARGS)

test-all: test test-slow ## every test

lint: development ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

verify: development ## every unit through the gate
	.venv/bin/ustod verify $(ARGS)

demo: setup ## a sample class of twelve, built, submitted, graded and fed back, in ./demo
	@.venv/bin/ustod assets fetch
	@.venv/bin/ustod demo --out demo $(ARGS)

attacks: development ## what the attack corpus gains from this grader, and from stock nbgrader (long)
	@PYTHONPATH=tests .venv/bin/python -m attacks $(ARGS)

fuzz: development ## hostile messages to the judge, for ARGS seconds (Linux on x86-64)
	@PYTHONPATH=tests .venv/bin/python -W ignore -m attacks.fuzz_codec $(ARGS)

bench: development ## how fast grading is, beside stock nbgrader and otter; a table and a plot in build/bench (long)
	@PYTHONPATH=tests .venv/bin/python -P -m benchmarks $(ARGS)

bench-course: development ## what the models of the course reach, and in what time; a table and a plot in build/bench-course
	@PYTHONPATH=.:tests .venv/bin/python -P -m benchmarks.lessons $(ARGS)

bench-lab: development ## a lab server beside stock JupyterHub: time, memory, bytes; a table in build/bench-lab (as root, long)
	@PYTHONPATH=.:tests .venv/bin/python -P -m benchmarks.lab $(ARGS)

bench-mirror: development ## 200 downloads at once from the mirror and from nginx; a table in build/bench-mirror
	@PYTHONPATH=tests .venv/bin/python -P -m benchmarks.mirror $(ARGS)

lock: ## rewrite the locked requirement files (needs uv)
	environments/requirements/lock.sh

clean: ## remove what was built here; never a learner's work
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

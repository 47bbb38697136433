"""Units score in two processes what they score in one, exercise by exercise and state by state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from judge.students import graded, run
from shared import SUMS

from autograder.authoring.catalog import Catalog
from autograder.authoring.notebook import build_notebook, put_answers
from autograder.authoring.rehearsal import rehearse, untouched, warm_up
from autograder.authoring.unit import Unit, find_units, read_unit
from autograder.authoring.variants import read_variants
from autograder.student.grade import MIME, SEED_VARIABLE

SEED = 7
UNITS = {path.name: read_unit(path) for path in find_units()}
WORKS: dict[str, tuple[Unit, Mapping[str, str]]] = {
    f"{name}/{work}": (unit, answers)
    for name, unit in UNITS.items()
    for work, answers in [
        ("reference", {}),
        ("untouched", untouched(unit)),
        *((variant.name, variant.answers) for variant in read_variants(unit)),
    ]
}


def outcomes(unit: Unit, answers: Mapping[str, str], folder: Path) -> tuple[dict[str, float], dict[str, str]]:
    """In two processes: the points of each exercise as nbgrader reads them, and the state of each check."""
    built = build_notebook(unit, Catalog("en", {}), "class")
    (folder / "ustod.json").write_text(built.sidecar.to_json(), encoding="utf-8")
    notebook = put_answers(built.notebook, answers)
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = run(notebook.cells, reference=built.notebook.cells, seconds=120)
    finally:
        os.chdir(before)
    assert not done.problems
    data = [output["data"] for outputs in done.outputs for output in outputs if "data" in output]
    told = [outcome for each in data if MIME in each for outcome in each[MIME]["outcomes"]]
    return dict(graded(notebook.cells, done)), {outcome["name"]: outcome["state"] for outcome in told}


def rehearsed(unit: Unit, answers: Mapping[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """The same in one process."""
    found = rehearse(unit, answers, [SEED]).outcomes[SEED]
    points: dict[str, float] = {}
    for check in unit.checks:
        name = check.exercise.replace(".", "-") + "-check"
        points[name] = points.get(name, 0) + found[check.name].score
    return points, {name: str(outcome.state) for name, outcome in found.items()}


@pytest.fixture(autouse=True)
def _one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEED_VARIABLE, str(SEED))


SUMS_WORKS = {
    "right": {},
    "wrong": {"sums.total": "def total(numbers):\n    return sum(abs(n) for n in numbers)"},
    "crashing": {"sums.total": "def total(numbers):\n    return numbers['first']"},
    "stub": {"sums.total": "def total(numbers):\n    raise NotImplementedError"},
    "absent": {"sums.total": "# later", "sums.over": "pass"},
    "no function": {"sums.total": "total = 7"},
    "own exception": {"sums.total": "class Dry(Exception): pass\ndef total(numbers):\n    raise Dry"},
    "spoils its input": {"sums.over": "def over(numbers, limit):\n    numbers[:] = []\n    return numbers"},
    "generator": {"sums.over": "def over(numbers, limit):\n    yield from (n for n in numbers if n > limit)"},
}


@pytest.mark.parametrize("work", SUMS_WORKS)
def test_states_are_those_of_one_process(work: str, tmp_path: Path, course_with_sums: Path) -> None:
    unit, answers = read_unit(SUMS), SUMS_WORKS[work]
    told = outcomes(unit, answers, tmp_path)
    assert told == rehearsed(unit, answers)


def test_an_object_equal_to_everything_is_no_answer(tmp_path: Path, course_with_sums: Path) -> None:
    lie = "class Y(int):\n    __eq__ = lambda s, o: True\ndef total(numbers):\n    return Y()"
    points, _ = outcomes(read_unit(SUMS), {"sums.total": lie}, tmp_path)
    assert points == {"sums-total-check": 0, "sums-over-check": 3}


@pytest.mark.slow
def test_an_answer_that_never_ends_is_timed_out(tmp_path: Path, course_with_sums: Path) -> None:
    answers = {"sums.total": "def total(numbers):\n    while True: pass"}
    assert outcomes(read_unit(SUMS), answers, tmp_path) == rehearsed(read_unit(SUMS), answers)


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS)
def test_every_variant_scores_the_same(work: str, tmp_path: Path) -> None:
    unit, answers = WORKS[work]
    warm_up(unit)
    assert outcomes(unit, answers, tmp_path) == rehearsed(unit, answers)

"""A learner's cells and an instructor's checks, written as they would be."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from autograder.student.protocol import Check, load_checks
from autograder.student.running import Outcome, run_check

Learner = Callable[[str], dict[str, Any]]
Ask = Callable[..., Outcome]


@pytest.fixture
def learner() -> Learner:
    """Execute a cell as a kernel would; its names."""

    def execute(cell: str) -> dict[str, Any]:
        source, name = dedent(cell), "<a learner's cell>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(source, name, "exec"), namespace)
        return namespace

    return execute


def hidden(body: str, *, seconds: float = 5) -> Check:
    """A hidden check with `body`."""
    head = f'''
from autograder.student import check, expect, raises

def helper_of_the_check(value):
    return value + 1

@check("x", points=2, seconds={seconds})
def the_check(student, rng):
    """It holds."""
'''
    lines = dedent(body).strip().split("\n")
    source = head + "\n".join("    " + line for line in lines) + "\n"
    linecache.cache["<checks of x>"] = (len(source), None, source.splitlines(keepends=True), "<checks of x>")
    return load_checks(source, "<checks of x>")[0]


@pytest.fixture
def ask(learner: Learner) -> Ask:
    """The outcome of a hidden check on a learner's cell."""

    def outcome(cell: str, body: str, *, seconds: float = 5, seed: int = 1) -> Outcome:
        return run_check(hidden(body, seconds=seconds), learner(cell), seed)

    return outcome

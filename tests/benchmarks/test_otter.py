"""Otter is given the same answers and the same assertions, in its own form."""

from __future__ import annotations

import doctest
from typing import Any

import nbformat
import pytest
from benchmarks.course import LIGHT, LIGHT_ASSIGNMENT, Exercise, answered, source_notebook
from benchmarks.otter import doctest_file, for_otter


@pytest.mark.parametrize("exercise", LIGHT, ids=lambda exercise: exercise.name)
def test_a_test_file_holds_where_the_assertions_hold_and_nowhere_else(exercise: Exercise) -> None:
    assert failures(doctest_file(exercise), exercise.answer) == 0
    assert failures(doctest_file(exercise), f"{exercise.head}\n    pass") > 0


def test_it_is_worth_a_point() -> None:
    assert read(doctest_file(LIGHT[0]))["points"] == 1


def test_a_notebook_asks_otter_for_the_check_where_nbgrader_has_its_test_cell() -> None:
    notebook = answered(source_notebook(LIGHT_ASSIGNMENT), LIGHT_ASSIGNMENT, "ҷамшед", wrong=False)
    made = for_otter(notebook)
    nbformat.validate(made)
    sources = [cell.source for cell in made.cells]
    assert sources[0] == "import math\nimport otter\ngrader = otter.Notebook()"
    assert sources[1:3] == ["# ҷамшед\ndef total(numbers):\n    return sum(numbers)", "grader.check('total')"]
    assert not any("nbgrader" in cell.metadata for cell in made.cells)


def read(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    test: dict[str, Any] = names["test"]
    return test


def failures(text: str, answer: str) -> int:
    names: dict[str, object] = {}
    exec(answer, names)
    (suite,) = read(text)["suites"]
    (case,) = suite["cases"]
    test = doctest.DocTestParser().get_doctest(case["code"], names, "", None, None)
    return doctest.DocTestRunner().run(test, out=lambda said: None).failed

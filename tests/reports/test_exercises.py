"""From an autograded notebook to what its learner reads."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.judge.conductor import ENDED, LATE, MISSING
from autograder.kernel.limits import Limits, Reason
from autograder.reports.exercises import Exercise, Property, Reading, read_exercises
from autograder.reports.marks import Mark
from autograder.reports.words import words
from autograder.student.grade import MIME
from autograder.student.running import Outcome, State
from autograder.student.sidecar import Exercise as About
from autograder.student.sidecar import Sidecar
from autograder.student.texts import Texts

SECRET = "assert f(17) == 'the hidden value'"
TEST = f"assert f(1) == 1\n### BEGIN HIDDEN TESTS\n{SECRET}\n### END HIDDEN TESTS"
SIDECAR = Sidecar("u", exercises={"bpe.train": About("Learn the merges", ("Count first.",))})
DOT = base64.b64encode(b"\x89PNG").decode()


def code(source: str, name: str = "", *outputs: dict[str, Any], **about: object) -> dict[str, Any]:
    metadata = {"nbgrader": {"grade_id": name, "grade": False, "solution": False, **about}} if name else {}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": list(outputs)}


def text(source: str, name: str = "", **about: object) -> dict[str, Any]:
    return {**code(source, name, **about), "cell_type": "markdown"}


def answer(source: str, name: str = "f", *outputs: dict[str, Any]) -> dict[str, Any]:
    return code(source, name, *outputs, solution=True)


def test_cell(name: str = "f-check", *outputs: dict[str, Any], source: str = TEST) -> dict[str, Any]:
    return code(source, name, *outputs, grade=True, locked=True)


test_cell.__test__ = False  # type: ignore[attr-defined]


def error(name: str, value: str, *trace: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": list(trace)}


def outcomes(*some: Outcome) -> dict[str, Any]:
    data = {MIME: {"exercise": "bpe.train", "outcomes": [one.as_dict() for one in some]}}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def read(*cells: object, comments: dict[str, str] | None = None, **marks: Mark) -> Reading:
    given = {name.replace("_", "-"): mark for name, mark in marks.items()}
    return read_exercises({"cells": list(cells)}, given, comments or {}, SIDECAR, words("en"), Texts("en"))


def only(reading: Reading) -> tuple[Exercise, Property]:
    [exercise] = reading.exercises
    [one] = exercise.properties
    return exercise, one


def test_an_exercise_is_the_learners_code_and_what_its_check_gave() -> None:
    wrong = Outcome("b", "B holds.", 2, State.WRONG, "Look at {input}.", {"got": "1", "input": "[0]"}, seed=7)
    right = Outcome("a", "A holds.", 1, State.RIGHT, seed=7)
    reading = read(
        text("# The unit\n\nprose"),
        answer("def train(): ...", "bpe-train"),
        test_cell("bpe-train-check", outcomes(right, wrong)),
        bpe_train_check=Mark(1, 3),
    )
    [exercise] = reading.exercises
    assert (reading.title, exercise.title, exercise.hint) == ("The unit", "Learn the merges", "Count first.")
    assert (exercise.score, exercise.points, exercise.state, exercise.seed) == (1, 3, State.WRONG, 7)
    assert exercise.code == ["def train(): ..."]
    assert [(one.sentence, one.score, one.points) for one in exercise.properties] == [
        ("A holds.", 1, 1),
        ("B holds.", 0, 2),
    ]
    rows = [(row.label, row.text) for row in exercise.properties[1].details]
    assert rows == [("Input", "[0]"), ("Your code gave", "1"), ("Where to look", "Look at [0].")]


@pytest.mark.parametrize(
    ("output", "score", "state"),
    [
        ([], 2, State.RIGHT),
        ([], 1, State.WRONG),
        ([error("AssertionError", "not sorted")], 0, State.WRONG),
        ([error("ZeroDivisionError", "division by zero")], 0, State.CRASHED),
        ([error("NotImplementedError", "")], 0, State.NOT_ATTEMPTED),
        ([error(MISSING, "The name f is not defined: the exercise was not attempted.")], 0, State.NOT_ATTEMPTED),
        ([error(LATE, "The test was stopped after 90 seconds.")], 0, State.TIMED_OUT),
        ([error(ENDED, Reason.MEMORY.sentence(Limits()))], 0, State.CRASHED),
    ],
)
def test_a_plain_test_cell_says_in_which_state_it_left_the_exercise(
    output: list[dict[str, Any]], score: float, state: State
) -> None:
    exercise, one = only(read(answer("x"), test_cell("f-check", *output), f_check=Mark(score, 2)))
    assert (one.state, exercise.state, exercise.points) == (state, state, 2)


def test_a_limit_that_was_hit_is_told_with_what_to_do() -> None:
    _, one = only(read(answer("x"), test_cell("f", error(ENDED, Reason.CPU.sentence(Limits()))), f=Mark(0, 2)))
    assert one.details[0].text.startswith("Your code used more than 600 seconds of processor time; look for")


def test_no_line_of_a_hidden_test_is_shown_wherever_it_comes_from() -> None:
    trace = f"In the student's code:\nTraceback\n  {SECRET}\nValueError: no"
    crash = Outcome("c", "C.", 1, State.CRASHED, traceback=f"before\n  {SECRET}\nafter")
    reading = read(
        answer("def f(n): ...", "f"),
        test_cell("f", error("ValueError", f"near {SECRET}", trace)),
        answer("def g(n): ...", "g"),
        test_cell("g", outcomes(crash)),
        code("boom", "", error("RuntimeError", SECRET)),
        f=Mark(0, 1),
        g=Mark(0, 1),
    )
    assert "hidden value" not in repr(reading)
    assert "before" in repr(reading) and "after" in repr(reading) and "near" in repr(reading)


def test_what_the_learner_wrote_is_shown_as_it_is_even_if_a_hidden_test_says_the_same() -> None:
    own = "def f(n):\n    return n + 1"
    test = "### BEGIN HIDDEN TESTS\n    return n + 1\n### END HIDDEN TESTS"
    [exercise] = read(answer(own), test_cell("f-check", source=test), f_check=Mark(0, 1)).exercises
    assert exercise.code == [own]


def test_cells_that_are_graded_by_hand_wait_and_then_have_a_comment() -> None:
    essay = text("My essay.", "essay", grade=True, solution=True)
    [waiting] = read(essay, essay=Mark(0, 5, waits=True)).exercises
    assert (waiting.state, waiting.written, waiting.waits) == (None, ["My essay."], True)
    [graded] = read(essay, comments={"essay": "Well <argued>"}, essay=Mark(4, 5)).exercises
    assert (graded.state, graded.comments) == (State.WRONG, ["Well <argued>"])
    [empty] = read(essay, comments={"essay": "No response."}, essay=Mark(0, 5)).exercises
    assert empty.state is State.NOT_ATTEMPTED
    task = text("Describe.", "task", task=True, grade=False, solution=False)
    assert read(task, task=Mark(1, 1)).exercises[0].state is State.RIGHT


def test_a_grader_fault_costs_nothing_and_does_not_make_the_exercise_wrong() -> None:
    fault = Outcome("a", "A.", 1, State.FAULT, traceback=f"the check's own: {SECRET}")
    [exercise] = read(answer("x", "bpe-train"), test_cell("t", outcomes(fault)), t=Mark(1, 1)).exercises
    assert exercise.state is State.RIGHT
    assert "the check's own" not in repr(exercise)


def test_several_tests_belong_to_the_answer_before_them() -> None:
    cells = [answer("a", "a1"), answer("b", "b1"), test_cell("t1"), test_cell("t2"), answer("c", "c1"), test_cell("t3")]
    first, second = read(text("## Part"), *cells, t1=Mark(1, 1), t2=Mark(0, 1), t3=Mark(1, 1)).exercises
    assert (first.code, first.score, first.points, first.title) == (["a", "b"], 1, 2, "Part")
    assert second.code == ["c"]


def test_a_test_without_an_answer_before_it_is_an_exercise_too() -> None:
    [exercise] = read(test_cell("t"), t=Mark(0, 1)).exercises
    assert (exercise.title, exercise.code) == ("t", [])


def test_figures_are_shown_if_they_are_figures() -> None:
    data = [{"image/png": DOT}, {"image/png": "<script>"}, {"image/png": [DOT, "\n"]}, {"text/html": "<script>"}]
    drawn = [{"output_type": "display_data", "metadata": {}, "data": one} for one in data]
    [exercise] = read(answer("plot()", "f", *drawn), test_cell("t"), t=Mark(1, 1)).exercises
    assert exercise.figures == [f"data:image/png;base64,{DOT}"] * 2


def test_cells_of_the_learners_own_that_stopped_are_named() -> None:
    reading = read(code("1 / 0", "", error("ZeroDivisionError", "division by zero")), code("fine"))
    assert [(trouble.code, trouble.error) for trouble in reading.troubles] == [
        ("1 / 0", "ZeroDivisionError: division by zero")
    ]


def test_outcomes_that_somebody_else_wrote_are_passed_over() -> None:
    forged = {"exercise": "x", "outcomes": [{"name": 1, "state": "right"}, "no", None]}
    output = {"output_type": "display_data", "metadata": {}, "data": {MIME: forged}}
    exercise, one = only(read(answer("x"), test_cell("t", output), t=Mark(0, 1)))
    assert (exercise.score, one.state) == (0, State.WRONG)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "cell_type",
                        "source",
                        "metadata",
                        "nbgrader",
                        "grade",
                        "solution",
                        "task",
                        "grade_id",
                        "outputs",
                    ),
                    *("data", "output_type", "ename", "evalue", "traceback", MIME, "outcomes", "image/png"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(st.lists(anything, max_size=4))
def test_whatever_a_notebook_holds_it_can_be_read(cells: list[Any]) -> None:
    reading = read(*cells)
    assert all(isinstance(exercise.title, str) for exercise in reading.exercises)

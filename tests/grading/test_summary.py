"""Tables of what grading gave."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from grading.students import CLASS, NAME, total_of
from rich.console import Console
from rich.table import Table

from autograder.grading.course import Course, open_course
from autograder.grading.engine import Grading
from autograder.grading.scores import Scored
from autograder.grading.selfstudy import SelfCheck
from autograder.grading.summary import class_table, class_totals, exercise_table, self_check_data
from autograder.student.running import Outcome, State


def shown(table: Table) -> str:
    console = Console(width=160, record=True, file=StringIO())
    console.print(table)
    return console.export_text()


def test_the_totals_of_a_class_are_those_of_the_gradebook(graded_class: tuple[Course, Grading]) -> None:
    assert class_totals(graded_class[0], NAME) == {student: total_of(student) for student in CLASS}


@pytest.mark.parametrize("student", ["[bold] name", "[red]", "a[1]", "Фирӯза"])
def test_a_student_has_any_name(sums_course: Path, student: str) -> None:
    course = open_course(sums_course)
    with course.gradebook() as book:
        book.update_or_create_student(student)
        book.update_or_create_submission(NAME, student)
    assert student in shown(class_table(course, NAME))


RESULT = SelfCheck(
    NAME,
    "en",
    [
        Scored(
            "a-check",
            1,
            3,
            (Outcome("a", "It [holds].", 3, State.WRONG, hint="See [/b] {got}.", evidence={"got": "[/i]"}),),
        ),
        Scored("b-check", 0, 2, error="KeyError: '[/red]'"),
        Scored("c-check", 0, 2, error="CellTimeoutError: "),
        Scored("d-check", 1, 1),
    ],
)


def test_a_learner_reads_every_word_as_it_was_written() -> None:
    text = shown(exercise_table(RESULT))
    for words in ("It [holds].", "See [/b] [/i].", "KeyError: '[/red]'", "u90_sums: 2 / 8", "d-check", "1 / 1"):
        assert words in text
    assert "crashed" in text and "ran out of time" in text


def test_a_program_reads_the_same() -> None:
    data = json.loads(json.dumps(self_check_data(RESULT)))
    assert (data["score"], data["points"]) == (2, 8)
    assert [cell["score"] for cell in data["cells"]] == [1, 0, 0, 1]
    assert data["cells"][0]["outcomes"][0]["state"] == "wrong"

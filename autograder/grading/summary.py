"""Tables and data of what grading gave, for the screen and for programs."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from autograder.grading.course import Course
from autograder.grading.scores import Scored
from autograder.grading.selfstudy import SelfCheck
from autograder.student.running import State
from autograder.student.sidecar import course_folder
from autograder.student.table import LOOK, WORD, details, points
from autograder.student.texts import Texts, read_catalog


def class_totals(course: Course, assignment: str) -> dict[str, float]:
    """The score of every student with a graded submission."""
    with course.gradebook() as gradebook:
        return {entry.student.id: entry.score for entry in gradebook.assignment_submissions(assignment)}


def class_table(course: Course, assignment: str) -> Table:
    """Scores by student and graded cell."""
    with course.gradebook() as gradebook:
        known = gradebook.find_assignment(assignment)
        cells = [cell for notebook in known.notebooks for cell in notebook.grade_cells]
        legend = ", ".join(f"{n} {cell.name.removesuffix('-check')}" for n, cell in enumerate(cells, 1))
        table = Table(title=assignment, title_justify="left", caption=legend, caption_justify="left")
        table.add_column("student", no_wrap=True)
        for number, cell in enumerate(cells, 1):
            table.add_column(f"{number}\n/{points(cell.max_score)}", justify="right")
        table.add_column(f"of {known.max_score:g}", justify="right")
        for submission in sorted(gradebook.assignment_submissions(assignment), key=lambda entry: entry.student.id):
            scores = {grade.name: grade.score for notebook in submission.notebooks for grade in notebook.grades}
            row = [f"{scores[cell.name]:g}" if cell.name in scores else "" for cell in cells]
            table.add_row(Text(submission.student.id), *row, f"{submission.score:g}")
    return table


def exercise_table(result: SelfCheck) -> Table:
    """What a learner reads about their own notebook."""
    folder = course_folder(result.unit)
    texts = Texts(result.language, read_catalog(folder / "po", result.language) if folder else {})
    total, most = sum(item.score for item in result.scored), sum(item.points for item in result.scored)
    title = f"{result.unit}: {points(total)} / {points(most)}"
    table = Table(
        texts("Result"), texts("Property"), texts("Points"), title=title, title_justify="left", show_lines=True
    )
    for item in result.scored:
        if not item.outcomes:
            state = State.TIMED_OUT if "Timeout" in item.error else State.CRASHED
            table.add_row(texts(WORD[state]) if item.error else "", Text(item.error or item.cell), _worth(item))
        for outcome in item.outcomes:
            more = [f"{d.label}: {d.text}" if d.label else d.text for d in details(outcome, texts)]
            mark = f"{LOOK[outcome.state][0]} {texts(WORD[outcome.state])}"
            body = "\n".join([texts(outcome.sentence), *more])
            table.add_row(mark, Text(body), f"{outcome.score:g} / {outcome.points:g}")
    return table


def self_check_data(result: SelfCheck) -> dict[str, Any]:
    """The same for a program."""
    return {
        "unit": result.unit,
        "language": result.language,
        "score": sum(item.score for item in result.scored),
        "points": sum(item.points for item in result.scored),
        "cells": [
            {
                "cell": item.cell,
                "score": item.score,
                "points": item.points,
                "error": item.error,
                "outcomes": [outcome.as_dict() for outcome in item.outcomes],
            }
            for item in result.scored
        ],
    }


def _worth(item: Scored) -> str:
    return f"{item.score:g} / {item.points:g}"

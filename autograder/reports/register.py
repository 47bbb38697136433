"""What the gradebook of a class holds about one assignment, as tables of numbers. Works on any nbgrader gradebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from nbgrader.api import (
    Assignment,
    Grade,
    GradeCell,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from autograder.grading.course import Course
from autograder.reports.statistics import Scores


@dataclass(frozen=True)
class Person:
    """A student in the gradebook; `name` is the id where the gradebook has none."""

    id: str
    name: str


@dataclass(frozen=True)
class Item:
    """A graded cell of an assignment.

    Attributes:
        points: what it is worth.
        by_hand: whether a person grades it.
    """

    notebook: str
    cell: str
    points: float
    by_hand: bool = False


@dataclass(frozen=True)
class Register:
    """The submissions of one assignment.

    Attributes:
        due: in UTC; None if nobody said.
        students: ids of those who handed something in that was graded, in order; the rows of the tables.
        times: when each handed in, in UTC, if somebody noted it.
        items: the graded cells in the order of the notebooks; the columns of `scores`.
        scores: points by student and item, before penalties.
        penalties: points that each student loses for being late.
        waiting: by student, whether a part has still to be graded by hand.
    """

    assignment: str
    due: datetime | None
    students: list[str]
    times: list[datetime | None]
    items: list[Item]
    scores: Scores
    penalties: Scores
    waiting: list[bool]

    @property
    def points(self) -> float:
        """What the whole assignment is worth."""
        return sum(item.points for item in self.items)

    @property
    def totals(self) -> Scores:
        """The score of each student; as in nbgrader's export penalties never make it less than nothing."""
        totals: Scores = np.maximum(self.scores.sum(axis=1) - self.penalties, 0.0)
        return totals

    def late(self, row: int) -> float:
        """Hours after the due date; 0 if in time, or if either time is not known."""
        when = self.times[row]
        if when is None or self.due is None:
            return 0.0
        return max(0.0, (when - self.due).total_seconds() / 3600)


def people(session: Session) -> list[Person]:
    """Everybody in the gradebook, by name."""
    rows = session.execute(select(Student.id, Student.first_name, Student.last_name))
    found = [Person(key, " ".join(part for part in (first, last) if part) or key) for key, first, last in rows]
    return sorted(found, key=lambda person: (person.name, person.id))


def assignments(session: Session) -> list[str]:
    """The names of all assignments, by the day on which they are due, then by name."""
    rows = session.execute(select(Assignment.name, Assignment.duedate)).all()
    return [name for name, _ in sorted(rows, key=lambda row: (row[1] or datetime.max, row[0]))]


def read_register(session: Session, course: Course, assignment: str) -> Register:
    """Read one assignment."""
    due = session.execute(select(Assignment.duedate).where(Assignment.name == assignment)).scalar_one()
    keys, items = _items(session, course, assignment)
    column = {key: number for number, key in enumerate(keys)}
    submissions = session.execute(
        select(SubmittedAssignment.id, SubmittedAssignment.student_id, SubmittedAssignment.timestamp)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .where(Assignment.name == assignment)
        .order_by(SubmittedAssignment.student_id)
    ).all()
    row = {key: number for number, (key, _, _) in enumerate(submissions)}
    scores = np.zeros((len(row), len(items)))
    penalties = np.zeros(len(row))
    waiting = [False] * len(row)
    of_assignment = select(Assignment.id).where(Assignment.name == assignment).scalar_subquery()
    notebooks = (
        select(SubmittedNotebook.assignment_id, SubmittedNotebook.late_submission_penalty)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .where(SubmittedAssignment.assignment_id == of_assignment)
    )
    for submission, penalty in session.execute(notebooks):
        penalties[row[submission]] += penalty or 0.0
    grades = (
        select(SubmittedNotebook.assignment_id, Grade.cell_id, Grade.score, Grade.needs_manual_grade)
        .select_from(Grade)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .where(SubmittedAssignment.assignment_id == of_assignment)
    )
    for submission, cell, score, waits in session.execute(grades.execution_options(yield_per=10_000)):
        if cell in column:
            scores[row[submission], column[cell]] = score or 0.0
        waiting[row[submission]] |= bool(waits)
    students, times = [student for _, student, _ in submissions], [when for _, _, when in submissions]
    return Register(assignment, due, students, times, items, scores, penalties, waiting)


def _items(session: Session, course: Course, assignment: str) -> tuple[list[str], list[Item]]:
    """The database's keys of the graded cells, and the cells, in the order of the instructor's notebooks."""
    found: list[tuple[str, Item]] = []
    for kind in (GradeCell, TaskCell):
        columns: Sequence[Any] = (kind.id, Notebook.name, kind.name, kind.max_score, kind.cell_type)
        query = (
            select(*columns)
            .join(Notebook, kind.notebook_id == Notebook.id)
            .join(Assignment, Notebook.assignment_id == Assignment.id)
            .where(Assignment.name == assignment)
        )
        for key, notebook, cell, points, cell_type in session.execute(query):
            by_hand = kind is TaskCell or cell_type == "markdown"
            found.append((key, Item(notebook, cell, points or 0.0, by_hand)))
    places: dict[tuple[str, str], int] = {}
    for notebook in {item.notebook for _, item in found}:
        source = course.source(assignment, notebook)
        for place, cell in enumerate(source.cells if source is not None else ()):
            places[notebook, cell.metadata.get("nbgrader", {}).get("grade_id", "")] = place
    last = len(places)
    found.sort(key=lambda one: (one[1].notebook, places.get((one[1].notebook, one[1].cell), last), one[1].cell))
    return [key for key, _ in found], [item for _, item in found]

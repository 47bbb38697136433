"""Where everybody stands: the score of each student in each assignment, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from nbgrader.api import (
    Assignment,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import Integer, cast, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autograder.errors import UstodError
from autograder.grading.course import Course


class State(StrEnum):
    """How far the work of one student on one assignment has come.

    Attributes:
        GRADED: it has its score, which may be zero.
        WAITING: part of it waits for somebody to grade it.
        UNGRADED: it was handed in, and is not graded yet.
        MISSING: it was not handed in, and was due.
        AHEAD: it was not handed in, and is not due yet, or has no day on which it is due.
    """

    GRADED = "graded"
    WAITING = "waiting for a manual grade"
    UNGRADED = "not graded yet"
    MISSING = "missing"
    AHEAD = "not handed in yet"


@dataclass(frozen=True)
class Person:
    """Somebody in the gradebook; what is not known is empty."""

    id: str
    last_name: str = ""
    first_name: str = ""
    email: str = ""
    lms_user_id: str = ""


@dataclass(frozen=True)
class Task:
    """An assignment: its name, its points, and when it is due, in UTC."""

    name: str
    points: float
    due: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """The work of one student on one assignment.

    `raw` is what the cells have given so far, `penalty` what is taken off for being late, `submitted` a time in UTC.
    """

    state: State
    raw: float | None = None
    penalty: float = 0.0
    submitted: datetime | None = None

    @property
    def score(self) -> float | None:
        """The points that count; None before they are final. As in nbgrader's own export, never less than nothing."""
        return max(0.0, self.raw - self.penalty) if self.state is State.GRADED and self.raw is not None else None


@dataclass(frozen=True)
class Standings:
    """A whole class: `of` holds each student's work by the names of student and assignment."""

    people: list[Person]
    tasks: list[Task]
    of: dict[tuple[str, str], Standing]


@contextmanager
def opened(course: Course, *, empty_too: bool = False) -> Iterator[Gradebook]:
    """The gradebook of `course`, with whatever is wrong with it in one sentence.

    Args:
        empty_too: whether it is made if there is none.

    Raises:
        UstodError: if it is not there, is damaged, is of an older nbgrader, or somebody holds it for longer than
            we wait.
    """
    file = course.gradebook_file
    if file is not None and not file.is_file() and not empty_too:
        raise UstodError(f"The course {course.root} has no gradebook {file}; nothing was graded in it yet.")
    try:
        with course.gradebook() as book:
            yield book
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise UstodError(f"The gradebook {file or course.directory.db_url} {_told(why)}.") from error


def standings(course: Course, assignment: str | None = None, now: datetime | None = None) -> Standings:
    """Everybody's standing in `assignment`, or in all of them.

    Raises:
        UstodError: if the gradebook cannot be read.
    """
    with opened(course) as book:
        session: Session = book.db()
        people = [
            Person(row.id, *(text or "" for text in (row.last_name, row.first_name, row.email, row.lms_user_id)))
            for row in session.execute(
                select(Student.id, Student.last_name, Student.first_name, Student.email, Student.lms_user_id)
            )
        ]
        tasks = _tasks(session, assignment)
        found = _submissions(session)
    handed_in = {(who, task.name) for task in tasks for who in course.students_with(task.name)}
    moment = (now or datetime.now(UTC)).replace(tzinfo=None)
    of = {
        (person.id, task.name): found.get((person.id, task.name))
        or _without_grade(task, (person.id, task.name) in handed_in, moment)
        for person in people
        for task in tasks
    }
    by_name = sorted(people, key=lambda one: (one.last_name or one.id, one.first_name, one.id))
    return Standings(by_name, tasks, of)


def _tasks(session: Session, assignment: str | None) -> list[Task]:
    points: dict[str, float] = {}
    for kind in (GradeCell, TaskCell):
        query = select(Notebook.assignment_id, func.sum(kind.max_score)).join(Notebook, kind.notebook_id == Notebook.id)
        for number, worth in session.execute(query.group_by(Notebook.assignment_id)):
            points[number] = points.get(number, 0.0) + worth
    rows = session.execute(select(Assignment.id, Assignment.name, Assignment.duedate).order_by(Assignment.name))
    return [Task(row.name, points.get(row.id, 0.0), row.duedate) for row in rows if assignment in (None, row.name)]


def _submissions(session: Session) -> dict[tuple[str, str], Standing]:
    """Those in the gradebook. Sums of penalties are over notebooks, of scores over cells: two queries."""
    late = select(SubmittedNotebook.assignment_id, func.sum(SubmittedNotebook.late_submission_penalty))
    penalties = {number: penalty for number, penalty in session.execute(late.group_by(SubmittedNotebook.assignment_id))}
    query = (
        select(
            SubmittedAssignment.id,
            SubmittedAssignment.student_id,
            Assignment.name,
            SubmittedAssignment.timestamp,
            func.coalesce(func.sum(Grade.score), 0.0),
            func.coalesce(func.sum(cast(Grade.needs_manual_grade, Integer)), 0),
        )
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .outerjoin(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .outerjoin(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .group_by(
            SubmittedAssignment.id, SubmittedAssignment.student_id, Assignment.name, SubmittedAssignment.timestamp
        )
    )
    return {
        (student, name): Standing(
            State.WAITING if waiting else State.GRADED, raw, penalties.get(number) or 0.0, timestamp
        )
        for number, student, name, timestamp, raw, waiting in session.execute(query)
    }


def _without_grade(task: Task, is_handed_in: bool, now: datetime) -> Standing:
    if is_handed_in:
        return Standing(State.UNGRADED)
    return Standing(State.MISSING if task.due is not None and task.due < now else State.AHEAD)


def _told(why: str) -> str:
    if "locked" in why:
        return "is held by another program; let it finish, or close it, and run this again"
    if "malformed" in why or "not a database" in why:
        return f"is damaged ({why}); put a backup in its place, or grade again into a new one"
    if "no such column" in why or "does not exist" in why:
        return f"is of an older nbgrader ({why}); run nbgrader db upgrade in the course, which keeps a copy of it"
    return f"cannot be read ({why}); run this again, and put a backup in its place if that does not help"

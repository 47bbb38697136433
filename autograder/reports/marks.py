"""What the gradebook holds about submissions, read for many students with a few queries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError

from autograder.errors import UstodError
from autograder.grading.course import Course
from autograder.grading.gradebook import shown


@dataclass(frozen=True)
class Mark:
    """What one graded cell of one submission got.

    Attributes:
        waits: whether somebody has still to grade it by hand.
    """

    score: float
    points: float
    waits: bool = False


@dataclass(frozen=True)
class Standing:
    """How a student stands in one assignment of the course.

    Attributes:
        score: after late penalties; None if nothing was handed in.
    """

    assignment: str
    score: float | None
    points: float


@dataclass(frozen=True)
class Marks:
    """One submission in the gradebook.

    Attributes:
        name: the student's, if the gradebook has it; else their id.
        handed_in: the moment, UTC; None if nobody noted it.
        cells: for each notebook what its graded cells got, by nbgrader's names.
        comments: for each notebook what an instructor wrote about a cell, by its name.
        penalties: points that each notebook loses for being late.
        course: the student's standing in every assignment of the course, in order.
    """

    student: str
    name: str
    handed_in: datetime | None = None
    cells: dict[str, dict[str, Mark]] = field(default_factory=dict)
    comments: dict[str, dict[str, str]] = field(default_factory=dict)
    penalties: dict[str, float] = field(default_factory=dict)
    course: list[Standing] = field(default_factory=list)


def graded_students(course: Course, assignment: str) -> list[str]:
    """Everybody with a submission of `assignment` in the gradebook, in order.

    Raises:
        UstodError: if the gradebook cannot be read.
    """
    with _readable(course) as gradebook:
        rows = gradebook.db.query(SubmittedAssignment.student_id).join(
            Assignment, SubmittedAssignment.assignment_id == Assignment.id
        )
        return sorted(student for (student,) in rows.filter(Assignment.name == assignment))


def marks(course: Course, assignment: str, students: Collection[str]) -> dict[str, Marks]:
    """What the gradebook holds about `assignment` for those of `students` who have a submission.

    Raises:
        UstodError: if the gradebook cannot be read.
    """
    with _readable(course) as gradebook:
        found = _submissions(gradebook, assignment, students)
        maxima = _maxima(gradebook)
        for student, notebook, cell, score, waits in _of_cells(
            gradebook, assignment, students, Grade, Grade.score, Grade.needs_manual_grade
        ):
            most = maxima.get((assignment, notebook), {}).get(cell, 0.0)
            found[student].cells.setdefault(notebook, {})[cell] = Mark(score or 0.0, most, bool(waits))
        for student, notebook, cell, comment in _of_cells(gradebook, assignment, students, Comment, Comment.comment):
            if comment:
                found[student].comments.setdefault(notebook, {})[cell] = comment
        _add_standings(gradebook, found, maxima)
        return found


@contextmanager
def _readable(course: Course) -> Iterator[Gradebook]:
    try:
        with course.gradebook() as gradebook:
            yield gradebook
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
        place = shown(course.directory.db_url)
        mend = (
            "wait until nobody writes to it"
            if "locked" in why
            else f"copy it, and run nbgrader db upgrade in {course.root}"
        )
        raise UstodError(f"The gradebook {place} cannot be read ({why}); {mend}.") from error


def _submissions(gradebook: Gradebook, assignment: str, students: Collection[str]) -> dict[str, Marks]:
    query = (
        gradebook.db.query(
            Student.id,
            Student.first_name,
            Student.last_name,
            SubmittedAssignment.timestamp,
            Notebook.name,
            SubmittedNotebook.late_submission_penalty,
        )
        .select_from(SubmittedAssignment)
        .join(Student, SubmittedAssignment.student_id == Student.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .filter(Assignment.name == assignment, Student.id.in_(students))
    )
    found: dict[str, Marks] = {}
    for student, first, last, handed_in, notebook, penalty in query:
        name = " ".join(part for part in (first, last) if part) or student
        entry = found.setdefault(student, Marks(student, name, handed_in))
        entry.cells.setdefault(notebook, {})
        entry.penalties[notebook] = penalty or 0.0
    return found


def _of_cells(
    gradebook: Gradebook, assignment: str, students: Collection[str], table: Any, *columns: Any
) -> Sequence[Any]:
    """Student, notebook, cell and `columns` of `table`, which is of grades or of comments."""
    rows: Sequence[Any] = (
        gradebook.db.query(SubmittedAssignment.student_id, Notebook.name, BaseCell.name, *columns)
        .select_from(table)
        .join(SubmittedNotebook, table.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .join(BaseCell, table.cell_id == BaseCell.id)
        .filter(Assignment.name == assignment, SubmittedAssignment.student_id.in_(students))
        .all()
    )
    return rows


def _maxima(gradebook: Gradebook) -> dict[tuple[str, str], dict[str, float]]:
    """What each cell is worth, by assignment and notebook."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for assignment in sorted(gradebook.assignments, key=lambda entry: (entry.duedate or datetime.max, entry.name)):
        for notebook in assignment.notebooks:
            cells = [*notebook.grade_cells, *notebook.task_cells]
            found[assignment.name, notebook.name] = {cell.name: cell.max_score for cell in cells}
    return found


def _add_standings(
    gradebook: Gradebook, found: dict[str, Marks], maxima: dict[tuple[str, str], dict[str, float]]
) -> None:
    def totals(amount: object) -> dict[tuple[str, str], float]:
        query = (
            gradebook.db.query(SubmittedAssignment.student_id, Assignment.name, func.sum(amount))
            .select_from(SubmittedAssignment)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        )
        if amount is Grade.score:
            query = query.join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        query = query.filter(SubmittedAssignment.student_id.in_(found)).group_by(
            SubmittedAssignment.student_id, Assignment.name
        )
        return {(student, assignment): total or 0.0 for student, assignment, total in query}

    scores, late = totals(Grade.score), totals(SubmittedNotebook.late_submission_penalty)
    points: dict[str, float] = {}
    for (assignment, _), cells in maxima.items():
        points[assignment] = points.get(assignment, 0.0) + sum(cells.values())
    for student, entry in found.items():
        for assignment, most in points.items():
            got = scores.get((student, assignment))
            net = None if got is None else got - late.get((student, assignment), 0.0)
            entry.course.append(Standing(assignment, net, most))

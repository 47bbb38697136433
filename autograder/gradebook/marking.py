"""Two people mark the same work without seeing each other's marks; how far they agree, and where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograder.audit.watch import because
from autograder.errors import UstodError
from autograder.gradebook.rubric import manual_cells
from autograder.gradebook.standing import opened
from autograder.gradebook.tables import as_csv, decoded, original, rows_of
from autograder.grading.course import Course

COLUMNS = ("student", "cell", "points")
#: Marks: points by student and cell.
Marks = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Agreement:
    """How two people marked one cell: of how many students, and Cohen's kappa, plain and with quadratic weights.

    Kappa is None where it says nothing: nobody was marked by both, or both gave everybody the same points.
    """

    cell: str
    students: int
    same: int
    kappa: float | None
    weighted: float | None
    differ: tuple[tuple[str, float, float], ...]


def sheet(course: Course, assignment: str, cells: Sequence[str] = ()) -> bytes:
    """An empty sheet for a second person: CSV with a line for each student who handed in and each cell.

    Raises:
        UstodError: if one of `cells` is not graded by a person.
    """
    points = _chosen(course, assignment, cells)
    with opened(course) as book:
        students = sorted(entry.student.id for entry in book.assignment_submissions(assignment))
    return as_csv([COLUMNS, *((student, cell, None) for student in students for cell in points)])


def read_marks(path: Path, worth: dict[str, float]) -> Marks:
    """The marks in the sheet `path`; lines without points are passed over.

    Args:
        worth: the most that each cell may be given.

    Raises:
        UstodError: if the sheet cannot be read, or marks what cannot be marked so.
    """
    try:
        rows = rows_of(decoded(path.read_bytes()))
    except OSError as error:
        raise UstodError(f"The sheet {path} cannot be read: {error.strerror or error}.") from None
    head = [title.strip().casefold() for title in rows[0]] if rows else []
    if any(name not in head for name in COLUMNS):
        raise UstodError(f"The first line of {path} must name the columns {', '.join(COLUMNS)}.")
    places = [head.index(name) for name in COLUMNS]
    marks: Marks = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) <= max(places) or not row[places[2]].strip():
            continue
        student, cell, text = (original(row[place]).strip() for place in places)
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = -1.0
        if cell not in worth or not 0 <= value <= worth[cell]:
            most = f"0 to {worth[cell]:g} points" if cell in worth else f"one of the cells {', '.join(worth)}"
            raise UstodError(f"Line {number} of {path}: {text!r} for {cell!r} cannot be; it must be {most}.")
        if (student, cell) in marks:
            raise UstodError(f"Line {number} of {path}: {student} has marks for {cell} already.")
        marks[student, cell] = value
    return marks


def marks_in_gradebook(course: Course, assignment: str) -> Marks:
    """What people have given so far, in formgrader or otherwise."""
    with opened(course) as book:
        return {
            (entry.student.id, grade.cell.name): grade.manual_score
            for entry in book.assignment_submissions(assignment)
            for notebook in entry.notebooks
            for grade in notebook.grades
            if grade.manual_score is not None
        }


def compare(first: Marks, second: Marks) -> list[Agreement]:
    """How far the two agree, cell by cell, on whom both have marked."""
    both = first.keys() & second.keys()
    found = []
    for cell in sorted({cell for _, cell in both}):
        keys = sorted(key for key in both if key[1] == cell)
        one, other = [first[key] for key in keys], [second[key] for key in keys]
        differ = tuple((key[0], first[key], second[key]) for key in keys if first[key] != second[key])
        same = len(keys) - len(differ)
        found.append(Agreement(cell, len(keys), same, kappa(one, other), kappa(one, other, quadratic=True), differ))
    return found


def kappa(one: Sequence[float], other: Sequence[float], *, quadratic: bool = False) -> float | None:
    """Cohen's kappa of two equally long rows of marks; None if it says nothing.

    J. Cohen, A coefficient of agreement for nominal scales (1960), and Weighted kappa (1968). The distance of two
    marks is how many of the marks that were given lie between them, squared.
    """
    given = sorted({*one, *other})
    if len(given) < 2:
        return None
    places = {mark: place for place, mark in enumerate(given)}
    counts = np.zeros((len(given), len(given)))
    for left, right in zip(one, other, strict=True):
        counts[places[left], places[right]] += 1
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    row, column = np.indices(counts.shape)
    weights = (row - column) ** 2 if quadratic else (row != column).astype(int)
    return float(1 - (weights * counts).sum() / (weights * expected).sum())


def record_marks(course: Course, assignment: str, path: Path) -> int:
    """Give the marks of the sheet `path` as manual grades. Counts those that were not so before.

    Raises:
        UstodError: if one of them cannot be given; then none is.
    """
    marks = read_marks(path, manual_cells(course, assignment))
    changed = 0
    with because(f"marks of {path.name}"), opened(course) as book:
        left = dict(marks)
        for entry in book.assignment_submissions(assignment):
            for notebook in entry.notebooks:
                for grade in notebook.grades:
                    mark = left.pop((entry.student.id, grade.cell.name), None)
                    if mark is not None and (mark != grade.manual_score or grade.needs_manual_grade):
                        grade.manual_score, grade.needs_manual_grade = mark, False
                        changed += 1
        if left:
            student, cell = min(left)
            raise UstodError(
                f"The sheet {path} marks {cell} of {student}, who has no graded work; nothing was changed."
            )
    return changed


def _chosen(course: Course, assignment: str, cells: Sequence[str]) -> dict[str, float]:
    there = manual_cells(course, assignment)
    if strange := [cell for cell in cells if cell not in there]:
        raise UstodError(f"No person grades the cell {strange[0]} of {assignment}; those are: {', '.join(there)}.")
    return {cell: there[cell] for cell in (cells or there)}

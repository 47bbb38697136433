"""Small gradebooks, made through nbgrader's own interface."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from nbgrader.api import Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook, new_uuid
from sqlalchemy import insert

from autograder.grading.course import Course, open_course

#: An assignment's cells: an exercise with its check, graded by the machine, and an answer in words, by a person.
CHECK, ANSWER, ESSAY = "total-check", "total", "essay"
#: Their points.
WORTH = {CHECK: 3.0, ESSAY: 5.0}


def make_course(root: Path, assignments: tuple[str, ...] = ("u90",)) -> Course:
    """A course directory with an empty gradebook that knows `assignments`, each of one notebook of the same name."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'ml'\n")
    (root / "gradebook.db").write_bytes(_gradebook(assignments))
    return open_course(root)


@lru_cache
def _gradebook(assignments: tuple[str, ...]) -> bytes:
    """nbgrader starts a program for each gradebook that it makes; a copy does as well."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "gradebook.db")
        with Gradebook(f"sqlite:///{path}", "ml") as book:
            for name in assignments:
                add_assignment(book, name)
        return path.read_bytes()


def add_assignment(book: Gradebook, name: str) -> None:
    """One notebook with the cells of this module."""
    book.add_assignment(name, duedate=datetime(2026, 2, 1, 12))
    book.add_notebook(name, name)
    book.add_grade_cell(CHECK, name, name, max_score=WORTH[CHECK], cell_type="code")
    book.add_grade_cell(ESSAY, name, name, max_score=WORTH[ESSAY], cell_type="markdown")
    for cell, kind in ((ANSWER, "code"), (ESSAY, "markdown")):
        book.add_solution_cell(cell, name, name)
        book.add_source_cell(cell, name, name, cell_type=kind)


def hand_in(
    course: Course,
    student: str,
    assignment: str = "u90",
    auto: float | None = None,
    manual: float | None = None,
    penalty: float = 0.0,
    person: Mapping[str, str] | None = None,
) -> None:
    """Work of `student` with these scores; the essay waits for somebody to grade it while `manual` is None."""
    with course.gradebook() as book:
        book.update_or_create_student(student, **(person or {}))
        submission = book.update_or_create_submission(assignment, student, timestamp=datetime(2026, 2, 1, 11))
        book.db.flush()
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = penalty
            for grade in notebook.grades:
                if grade.cell.name == CHECK:
                    grade.auto_score, grade.needs_manual_grade = auto, auto is None
                else:
                    grade.manual_score, grade.needs_manual_grade = manual, manual is None


def fill(course: Course, students: int) -> None:
    """A class too large to be handed in one by one: each of `students` has 2 points of the check and 3 of the essay."""
    with course.gradebook() as book:
        session = book.db()
        people = [{"id": f"s{number:05}", "last_name": f"Насаб {number}"} for number in range(students)]
        session.execute(insert(Student), people)
        for assignment in book.assignments:
            (notebook,) = assignment.notebooks
            cells = {cell.name: cell.id for cell in notebook.grade_cells}
            works = [(new_uuid(), new_uuid(), person["id"]) for person in people]
            session.execute(
                insert(SubmittedAssignment),
                [{"id": work, "assignment_id": assignment.id, "student_id": who} for work, _, who in works],
            )
            session.execute(
                insert(SubmittedNotebook),
                [{"id": one, "assignment_id": work, "notebook_id": notebook.id} for work, one, _ in works],
            )
            both = (("auto_score", CHECK, 2.0), ("manual_score", ESSAY, 3.0))
            for column, name, points in both:
                rows = [{"notebook_id": one, "cell_id": cells[name], column: points} for _, one, _ in works]
                session.execute(insert(Grade), [{"id": new_uuid(), "needs_manual_grade": False, **row} for row in rows])

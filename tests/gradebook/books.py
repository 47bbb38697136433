"""Small gradebooks, made through nbgrader's own interface."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from nbgrader.api import Gradebook

from autograder.grading.course import Course, open_course

#: An assignment's cells: an exercise with its check, graded by the machine, and an answer in words, by a person.
CHECK, ANSWER, ESSAY = "total-check", "total", "essay"
#: Their points.
WORTH = {CHECK: 3.0, ESSAY: 5.0}


def make_course(root: Path, assignments: tuple[str, ...] = ("u90",)) -> Course:
    """A course directory with an empty gradebook that knows `assignments`, each of one notebook of the same name."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'ml'\n")
    course = open_course(root)
    with Gradebook(course.directory.db_url, "ml") as book:
        for name in assignments:
            add_assignment(book, name)
    return course


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

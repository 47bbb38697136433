"""The course that nbgrader makes for beginners, which knows nothing of Ustod, gets the scores that nbgrader gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from shared import Once, Ustod

from autograder.grading.course import open_course
from autograder.grading.engine import grade

pytestmark = pytest.mark.slow

ASSIGNMENT = "ps1"
REIMPLEMENTED = "def sum_of_squares(n):\n    return n * (n + 1) * (2 * n + 1) // 6"


@pytest.fixture(scope="session")
def handed_in(once: Once) -> Path:
    """The course with its assignment released and three submissions; only to be copied."""

    def make(folder: Path) -> None:
        course = folder / "course"
        nbgrader(folder, "quickstart", course.name)
        nbgrader(course, "generate_assignment", ASSIGNMENT)
        submitted = course / "submitted"
        shutil.copytree(course / "release" / ASSIGNMENT, submitted / "untouched" / ASSIGNMENT)
        shutil.copytree(course / "source" / ASSIGNMENT, submitted / "solved" / ASSIGNMENT)
        shutil.copytree(course / "source" / ASSIGNMENT, submitted / "mixed" / ASSIGNMENT)
        first, second = (submitted / "mixed" / ASSIGNMENT / f"problem{number}.ipynb" for number in (1, 2))
        answer(first, "sum_of_squares", REIMPLEMENTED)
        second.unlink()

    return once("nbgrader's quickstart", make) / "course"


def nbgrader(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "nbgrader", *arguments], cwd=folder, check=True, capture_output=True)


def answer(path: Path, name: str, source: str) -> None:
    notebook = nbformat.read(path, 4)
    next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name).source = source
    nbformat.write(notebook, path)


def gradebook_of(course: Path) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """By student, notebook and cell: the score, and whether a person must still look at it."""
    with open_course(course).gradebook() as gradebook:
        return {
            (submission.student.id, notebook.name, grade.name): (grade.auto_score, grade.needs_manual_grade)
            for submission in gradebook.assignment_submissions(ASSIGNMENT)
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def totals_of(course: Path) -> dict[str, float]:
    with open_course(course).gradebook() as gradebook:
        return {entry.student.id: entry.score for entry in gradebook.assignment_submissions(ASSIGNMENT)}


def test_every_cell_of_every_submission_has_the_score_that_stock_nbgrader_gives(
    handed_in: Path, tmp_path: Path
) -> None:
    ours, theirs = (Path(shutil.copytree(handed_in, tmp_path / name)) for name in ("ours", "theirs"))
    nbgrader(theirs, "autograde", ASSIGNMENT)
    assert grade(open_course(ours), ASSIGNMENT).problems == {}
    assert gradebook_of(ours) == gradebook_of(theirs)
    assert totals_of(ours) == {"untouched": 0, "solved": 3, "mixed": 2.5}


def test_the_command_grades_it(handed_in: Path, tmp_path: Path, ustod: Ustod) -> None:
    course = Path(shutil.copytree(handed_in, tmp_path / "course"))
    done = ustod("grade", ASSIGNMENT, "--course", course)
    assert done.returncode == 0, done.stderr
    assert "3 graded, 0 unchanged, 0 problems" in done.stdout
    solved = nbformat.read(course / "autograded" / "solved" / ASSIGNMENT / "problem1.ipynb", 4)
    assert [output.data["text/plain"] for cell in solved.cells for output in cell.get("outputs", [])] == [
        "[1, 4, 9, 16, 25, 36, 49, 64, 81, 100]",
        "385",
    ]
    counts = [cell.execution_count for cell in solved.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert sorted(os.listdir(course / "autograded" / "solved" / ASSIGNMENT)) == [
        "jupyter.png",
        "problem1.ipynb",
        "problem2.ipynb",
    ]

"""Feedback pages: everything that helps a learner, and not a line of a hidden check."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shared import SUMS, Once, Ustod

from autograder.authoring.agreement import submit
from autograder.authoring.unit import read_unit
from autograder.grading.course import Course, open_course
from autograder.grading.engine import grade
from autograder.reports.feedback import write_feedback

NAME = SUMS.name

REFERENCE = read_unit(SUMS).lesson.reference
STUDENTS = {
    "right": REFERENCE,
    "wrong": REFERENCE | {"sums.over": "def over(n, limit): return []"},
    "crashing": REFERENCE | {"sums.total": "def total(numbers): return 1 / 0"},
    "bare": REFERENCE | {"sums.over": "def over(n, limit):\n    while True:\n        try: pass\n        except: pass"},
    "breaking": REFERENCE | {"sums.over": "check = None"},
    "interrupting": REFERENCE | {"sums.over": "def over(n, limit): raise KeyboardInterrupt"},
    "breaking the grader": REFERENCE
    | {"sums.over": "import autograder.student\ndef no(*args): raise ValueError('!')\nautograder.student.grade = no"},
}


@pytest.fixture(scope="module")
def graded(once: Once, built_course: Path) -> Path:
    """Students whose test cells end in every possible way; only to be copied."""

    def make(folder: Path) -> None:
        course = Path(shutil.copytree(built_course, folder / "course"))
        config = course / "nbgrader_config.py"
        config.write_text(config.read_text("utf-8").replace("timeout = 20", "timeout = 8"), "utf-8")
        submit(NAME, STUDENTS, course)
        result = grade(open_course(course), NAME, workers=2)
        assert result.problems == {}, result.problems

    return once("graded for feedback", make) / "course"


@pytest.fixture
def course(graded: Path, tmp_path: Path) -> Course:
    return open_course(Path(shutil.copytree(graded, tmp_path / "a course")))


def secret_lines() -> set[str]:
    """The lines of the hidden checks that stand nowhere in the lesson."""
    lesson = (SUMS / "lesson.py").read_text("utf-8")
    lines = {line.strip() for line in (SUMS / "checks.py").read_text("utf-8").splitlines()}
    sentences = {f'"""{check.sentence}"""' for check in read_unit(SUMS).checks}
    return {line for line in lines - sentences if len(line) > 5 and line not in lesson}


def everything_in(folder: Path) -> dict[Path, str]:
    """Every file under `folder`, without tags and entities, and as it is."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8", errors="replace")
            found[path] = text + html.unescape(re.sub(r"<[^>]*>|\x1b\[[0-9;]*m", "", text))
    return found


def assert_nothing_leaks(folder: Path) -> None:
    pages = everything_in(folder)
    assert len(pages) >= len(STUDENTS)
    secret = secret_lines()
    assert len(secret) > 15
    for path, text in pages.items():
        for line in secret:
            assert line not in text, f"{path} shows {line!r}"
        assert "BEGIN HIDDEN TESTS" not in text


def test_the_grade_of_those_whose_cell_was_ended_is_there(course: Course) -> None:
    with course.gradebook() as book:
        found = {entry.student.id: entry.score for entry in book.assignment_submissions(NAME)}
    assert found == {
        "right": 6,
        "wrong": 4 - 3 + 2,
        "crashing": 3,
        "bare": 3,
        "breaking": 3,
        "interrupting": 3,
        "breaking the grader": 3,
    } | {"wrong": found["wrong"]}
    text = (course.folder("autograded", "interrupting", NAME) / f"{NAME}.ipynb").read_text("utf-8")
    assert "keeps_what_is_over_the_limit" in text


def test_no_page_shows_a_line_of_a_hidden_check(course: Course) -> None:
    written, failed = write_feedback(course, NAME)
    assert (written, failed) == (sorted(STUDENTS), [])
    assert_nothing_leaks(course.root / "feedback")


def test_a_page_says_what_was_tried_and_where_to_look(course: Course) -> None:
    write_feedback(course, NAME, ["wrong"])
    assert [path.name for path in (course.root / "feedback").iterdir()] == ["wrong"]
    text = "".join(everything_in(course.root / "feedback").values())
    assert "Every number over the limit is kept, in its order." in text
    assert "not yet right" in text and "Your code gave" in text and "Repeat with seed" in text
    assert re.search(r"Look at \[.*\] again\.", text)


def test_a_page_asks_nothing_of_the_network(course: Course) -> None:
    write_feedback(course, NAME, ["wrong"])
    page = next((course.root / "feedback").rglob("*.html")).read_text("utf-8")
    assert not re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["']?(?:https?:)?//[^"'>]+""", page)


@pytest.mark.parametrize("student", ["nobody"])
def test_a_student_without_a_grade_is_told_and_the_others_have_their_page(course: Course, student: str) -> None:
    written, failed = write_feedback(course, NAME, ["right", student])
    assert written == ["right"]
    assert len(failed) == 1 and failed[0].startswith(f"{student}: ")


def test_the_command_writes_the_pages(course: Course, ustod: Ustod) -> None:
    done = ustod("feedback", "u90", "--course", course.root, "--student", "right")
    assert done.returncode == 0, done.stderr
    assert "1 pages in" in done.stdout


def test_stock_nbgrader_with_the_built_configuration_shows_none_either(course: Course) -> None:
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", NAME, "--log-level=ERROR"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_nothing_leaks(course.root / "feedback")


def test_a_course_that_was_built_before_there_were_such_pages_shows_none_either(course: Course) -> None:
    config = course.root / "nbgrader_config.py"
    before = """
c.GenerateFeedback.exporter_class = "nbconvert.exporters.HTMLExporter"
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "autograder.reports.hiding.HideHiddenChecks",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
"""
    config.write_text(config.read_text("utf-8") + before, "utf-8")
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", NAME, "--log-level=ERROR"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_nothing_leaks(course.root / "feedback")

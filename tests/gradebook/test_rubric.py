"""Rubrics: what they may say, how they fit the cells, and how formgrader shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradebook.books import ESSAY, hand_in, make_course
from gradebook.conftest import Run
from nbconvert import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook
from traitlets.config import Config

from autograder.errors import UstodError
from autograder.gradebook.rubric import faults, new_rubric, read_rubric, rubric_file
from autograder.grading.course import Course
from autograder.reports.pages import FILTERS, TEMPLATES
from autograder.reports.rubrics import SHOWN

RUBRIC = """
language = "tg"
comments = ["Хуб <b>шуд</b>."]
[cells.essay]
comments = ["Манбаъ куҷост?"]
[[cells.essay.criteria]]
name = "Далел"
levels = [{points = 0, text = "нест"}, {points = 3, text = "ҳаст"}]
[[cells.essay.criteria]]
name = "Забон <script>alert(1)</script>"
levels = [{points = 0.5, text = "хато дорад"}, {points = 2, text = "равон"}]
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path / "курс")


def write(course: Course, text: str) -> Path:
    path = rubric_file(course.root, "u90")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_new_one_fits_the_cells_that_a_person_grades(course: Course) -> None:
    path = new_rubric(course, "u90")
    rubric = read_rubric(path)
    assert rubric and set(rubric.cells) == {ESSAY}
    assert faults(course, "u90") == []
    with pytest.raises(UstodError, match="is there already"):
        new_rubric(course, "u90")


def test_what_does_not_fit_is_told(course: Course) -> None:
    with pytest.raises(UstodError, match="There is no rubric"):
        faults(course, "u90")
    write(course, RUBRIC.replace("points = 3", "points = 4"))
    assert faults(course, "u90") == ["The criteria of essay add up to 6 points; the cell is worth 5."]
    write(course, RUBRIC.replace("cells.essay", "cells.other"))
    assert faults(course, "u90") == ["The cell essay has no rubric.", "u90 has no cell other that a person grades."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "cannot be read"),
        ("other = 1", "wrong at other"),
        ('language = "de"', "in the language 'de'"),
        (RUBRIC.replace("points = 3", "points = -3"), r"wrong at cells\.essay\.criteria\.0\.levels\.1\.points"),
        (RUBRIC.replace("points = 3", "points = nan"), "points"),
        (RUBRIC.replace('"Далел"', '""'), "name"),
        ("[cells.essay]\ncriteria = []", "criteria"),
    ],
)
def test_what_a_rubric_cannot_say_is_told_with_its_place(course: Course, text: str, said: str) -> None:
    with pytest.raises(UstodError, match=said):
        read_rubric(write(course, text))


def page(course: Course, where: dict[str, object], metadata: dict[str, object] | None = None) -> str:
    """Formgrader's page of a notebook with an essay and a cell of the student's own."""
    config = Config({"CourseDirectory": {"root": str(course.root)}})
    exporter = HTMLExporter(
        config=config,
        template_name="formgrade",
        filters=FILTERS,
        extra_template_basedirs=TEMPLATES,
        preprocessors=["autograder.reports.rubrics.ShowRubrics"],
    )
    about = {"grade_id": ESSAY, "grade": True, "solution": True, "task": False, "points": 5, "locked": False}
    essay = new_markdown_cell("an answer", metadata={"nbgrader": about})
    own = new_markdown_cell("own words", metadata=metadata or {})
    html, _ = exporter.from_notebook_node(
        new_notebook(cells=[essay, own]), {"base_url": "", "index": 0, "total": 1, "assignment_id": "u90", **where}
    )
    return str(html).rpartition('id="notebook-container">')[2]


def test_formgrader_shows_criteria_and_comments_at_the_cell_as_text(course: Course) -> None:
    write(course, RUBRIC)
    html = page(course, {"submission_id": "1"})
    assert '<section aria-label="Меъёрҳои баҳогузорӣ" class="ustod-rubric" data-cell="essay" lang="tg">' in html
    assert html.index("an answer") < html.index("ustod-rubric") < html.index("own words")
    assert html.count("data-points=") == 4 and html.count("data-comment=") == 2
    assert "<script>alert" not in html and "Хуб &lt;b&gt;шуд&lt;/b&gt;." in html


def test_other_pages_and_courses_without_rubrics_stay_as_they_are(course: Course) -> None:
    assert "ustod-rubric" not in page(course, {"submission_id": "1"})
    write(course, RUBRIC)
    assert "ustod-rubric" not in page(course, {})


def test_a_notebook_cannot_say_that_it_is_a_rubric(course: Course) -> None:
    write(course, RUBRIC)
    html = page(course, {"submission_id": "1"}, {SHOWN: "0" * 32})
    assert "own words" in html and html.count('class="ustod-rubric"') == 1


def test_a_rubric_that_cannot_be_read_is_told_on_the_page(course: Course) -> None:
    write(course, "x = ")
    assert 'role="alert">The rubric ' in page(course, {"submission_id": "1"})


def test_the_commands_from_a_new_rubric_to_the_marks_of_two(tmp_path: Path, run: Run) -> None:
    course = make_course(tmp_path / "курс")
    hand_in(course, "s1", auto=3, manual=2)
    hand_in(course, "s2", auto=3, manual=5)
    at = ("--course", course.root)
    assert run("rubric", "new", "u90", *at).returncode == 0
    assert "The rubric fits" in run("rubric", "check", "u90", *at).stdout
    sheet = tmp_path / "second.csv"
    assert run("rubric", "sheet", "u90", "--out", sheet, *at).returncode == 0
    assert sheet.read_text("utf-8").split() == ["student,cell,points", "s1,essay,", "s2,essay,"]
    sheet.write_text("student;cell;points\ns1;essay;2,5\ns2;essay;5\n", "utf-8")
    assert run("rubric", "sheet", "u90", "--out", sheet, *at).returncode == 1
    told = run("rubric", "agree", "u90", sheet, *at).stdout
    assert "s1: 2 and 2.5" in told
    assert "1 grades changed" in run("rubric", "record", "u90", sheet, *at).stdout
    log = run("audit", *at, "--student", "s1").stdout
    assert "marks of second.csv" in log

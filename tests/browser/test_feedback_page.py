"""Pages of feedback in a real browser: read by everybody, on a telephone and on paper, in three languages."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from browser.reading import WIDTHS, complaints, picture
from reports.classes import MadeClass
from reports.conftest import small_class, small_copy  # noqa: F401 fixtures
from selenium.webdriver.chrome.webdriver import WebDriver

from autograder.grading.course import Course
from autograder.reports.feedback import write_feedback
from autograder.reports.marks import graded_students
from autograder.student.texts import LANGUAGES

pytestmark = pytest.mark.slow

EVIL = "<script>alert('Ҷ')</script>"


@pytest.fixture
def course(small_copy: MadeClass) -> Course:  # noqa: F811
    """A class whose first student has a name that would be a program, a comment, and came late."""
    course = small_copy.course
    with course.gradebook() as book:
        for assignment in book.assignments:
            first = sorted(entry.student.id for entry in book.assignment_submissions(assignment.name))[0]
            book.update_or_create_student(first, first_name=EVIL, last_name="")
            notebook = book.find_submission(assignment.name, first).notebooks[0]
            notebook.comments[0].manual_comment = f"Хуб! {EVIL}"
            notebook.late_submission_penalty = 1
    return course


def addresses(course: Course) -> list[str]:
    return sorted(path.as_uri() for path in (course.root / "feedback").rglob("*.html"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_everybody_can_read_every_page_and_nobody_else_is_asked(
    browser: WebDriver, course: Course, language: str
) -> None:
    with course.gradebook() as book:
        names = sorted(entry.name for entry in book.assignments)
    for name in names:
        write_feedback(course, name, language=language)
    pages = addresses(course)
    assert len(pages) >= 2 * len(names)
    for number, page in enumerate(pages):
        for width in WIDTHS:
            assert complaints(browser, page, width) == [], page
            if number < 3:
                picture(browser, f"feedback-{number}-{language}-{width}")


def test_a_name_that_is_a_program_is_a_name(browser: WebDriver, course: Course) -> None:
    with course.gradebook() as book:
        name = sorted(entry.name for entry in book.assignments)[0]
    [first, *_] = graded_students(course, name)
    write_feedback(course, name, [first])
    browser.get(addresses(course)[0])
    shown = browser.execute_script("return document.body.innerText")
    assert shown.count(EVIL) == 2
    assert browser.execute_script("return document.scripts.length") == 0


def test_a_page_can_be_printed_on_a_few_sheets(browser: WebDriver, course: Course, tmp_path: Path) -> None:
    with course.gradebook() as book:
        name = sorted(entry.name for entry in book.assignments)[0]
    write_feedback(course, name)
    browser.get(addresses(course)[0])
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    sheets = base64.b64decode(printed["data"]).count(b"/Type /Page\n") or 1
    assert 1 <= sheets <= 3

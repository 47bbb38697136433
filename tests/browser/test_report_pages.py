"""Pages for instructors in a real browser: read by everybody, on a telephone and at a desk, in three languages."""

from __future__ import annotations

import pytest
from browser.reading import WIDTHS, complaints, picture
from reports.classes import MadeClass
from reports.conftest import small_class, small_copy  # noqa: F401 fixtures
from reports.test_similarity import copied  # noqa: F401 fixture
from selenium.webdriver.chrome.webdriver import WebDriver

from autograder.grading.course import Course
from autograder.reports.insight_pages import write_report
from autograder.reports.similarity_pages import write_similar
from autograder.student.texts import LANGUAGES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("language", LANGUAGES)
def test_everybody_can_read_every_page_and_nobody_else_is_asked(
    browser: WebDriver,
    copied: Course,  # noqa: F811
    small_copy: MadeClass,  # noqa: F811
    language: str,
) -> None:
    name = small_copy.roll.units[0].name
    first, _, whole = write_report(copied, language=language)
    pairs, found = write_similar(copied, name, language=language)
    assert found.pairs
    pages = {"assignment": first, "course": whole, "similar": pairs, "pair": pairs.with_name("1.html")}
    for kind, page in pages.items():
        for width in WIDTHS:
            assert complaints(browser, page.as_uri(), width) == [], kind
            picture(browser, f"report-{kind}-{language}-{width}")

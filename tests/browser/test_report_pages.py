"""Pages for instructors in a real browser: read by everybody, on a telephone and at a desk, in three languages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from browser.reading import WIDTHS, complaints, picture
from reports.classes import MadeClass
from reports.conftest import small_class, small_copy  # noqa: F401 fixtures
from reports.test_similarity import copied  # noqa: F401 fixture
from selenium.webdriver.chrome.webdriver import WebDriver

from autograder.gradebook.regrade import Request
from autograder.gradebook.regrade_page import regrade_page
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_everybody_can_read_the_queue_of_requests(browser: WebDriver, tmp_path: Path, language: str) -> None:
    about = {"assignment": "u01_autograd", "asked": "2026-10-04T20:15:00", "language": "tg"}
    waiting = Request(1, "amina.rahimova", exercise="bpe.train", reason="Ҷавобам дуруст аст.\n" + "x" * 300, **about)
    script = "<script>document.title = 'ran'</script>"
    answered = Request(2, "s" * 80, exercise=script, reason=script, answer=script, who="rahimova", **about)
    answered = replace(answered, answered="2026-10-05T08:00:00")
    page = tmp_path / "queue.html"
    page.write_text(regrade_page([waiting, answered], "ml <b>", language), "utf-8")
    for width in WIDTHS:
        assert complaints(browser, page.as_uri(), width) == []
        assert browser.title != "ran" and script in browser.find_element("css selector", "main").text
        picture(browser, f"queue-{language}-{width}")

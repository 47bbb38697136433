"""The Course page, as a learner meets it: from JupyterLab's launcher, and by itself on a telephone."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser.page import OpenNotebook
from browser.reading import WIDTHS, complaints, picture
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from shared import wait_for

from autograder.lab.progress import PROGRESS, events
from autograder.student.texts import LANGUAGES

pytestmark = pytest.mark.slow

TILE = ".jp-LauncherCard[title='Ustod']"


def base(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def log_in(browser: WebDriver, address: str, path: str) -> None:
    browser.get(f"{base(address)}{path}?{urlsplit(address).query}")


def find(browser: WebDriver, selector: str):
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, selector))
    return browser.find_element(By.CSS_SELECTOR, selector)


def test_the_tile_opens_the_page_and_the_page_a_notebook_beside_it(browser, lab) -> None:
    address = lab("tg").url
    log_in(browser, address, "/lab")
    tile = find(browser, TILE)
    assert tile.text == "Курс"
    browser.execute_script("arguments[0].scrollIntoView(); arguments[0].click()", tile)
    frame = find(browser, "#ustod-course iframe")
    browser.switch_to.frame(frame)
    step = find(browser, ".next a")
    path = step.get_attribute("data-path")
    assert "Қадами навбатӣ" in find(browser, ".next").text
    step.click()
    browser.switch_to.default_content()
    wait_for(lambda: path.endswith(browser.execute_script("return window.jupyterapp.shell.currentWidget.title.label")))
    assert find(browser, "#ustod-course iframe"), "the page is still there"
    assert [line for line in browser.get_log("browser") if "@ustod" in line["message"]] == []


def test_everybody_can_read_it_in_every_language_and_nobody_else_is_asked(browser, lab) -> None:
    address = lab("ru").url
    log_in(browser, address, "/ustod/course")
    for language in LANGUAGES:
        for width in WIDTHS:
            page = f"{base(address)}/ustod/course?lang={language}"
            assert complaints(browser, page, width, hosts=("127.0.0.1",)) == []
            picture(browser, f"course-{language}-{width}")
    browser.get(f"{base(address)}/ustod/course")
    assert browser.execute_script("return document.documentElement.lang") == LANGUAGES[-1], "the choice is remembered"


def test_what_a_learner_does_is_there_and_comes_along_on_a_stick(browser, lab, tmp_path: Path) -> None:
    started = lab("en")
    notebook = OpenNotebook(browser, started.url)
    notebook.run_all()
    file = tmp_path / "дафтари ман" / PROGRESS
    wait_for(lambda: any("exercise" in event for event in events(file)))
    noted = {event["exercise"] for event in events(file) if "exercise" in event}
    assert len(noted) == 8
    carried = tmp_path / "stick.jsonl"
    unit = next(event["unit"] for event in events(file))
    for number, exercise in enumerate(sorted(noted)):
        about = {"unit": unit, "exercise": exercise, "done": True, "score": 5, "points": 5}
        with carried.open("a") as stick:
            stick.write(json.dumps({"time": 1_700_000_000 + 60 * number, **about}) + "\n")
    browser.get(f"{base(started.url)}/ustod/course?lang=en")
    before = len(events(file))
    for chosen, answer in ((carried, "8 new lines were taken in."), (Path(__file__), "This file holds no progress")):
        browser.find_element(By.ID, "progress").send_keys(str(chosen))
        browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        wait_for(
            lambda answer=answer: answer in browser.find_element(By.TAG_NAME, "main").find_element(By.XPATH, "..").text
        )
        assert len(events(file)) == before + 8
    shown = browser.find_element(By.TAG_NAME, "body").text
    assert "exercises done: 8 of 8" in shown and "time spent: 7 min" in shown
    saved = browser.execute_async_script(
        "const done = arguments[0]; fetch('course/progress').then(answer => answer.text()).then(done, done)"
    )
    assert len(saved.splitlines()) == len(events(file))

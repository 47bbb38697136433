"""A learner at work: the real command, the real JupyterLab, the real keyboard, in Tajik and Russian."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import polib
import pytest
from browser.page import OpenNotebook

from autograder.authoring.unit import find_units, read_unit
from autograder.authoring.variants import read_variants

pytestmark = pytest.mark.slow

UNITS = find_units()


class Task:
    """The first exercise of a unit to which there is a plausible wrong answer, and that answer."""

    def __init__(self, folder: Path) -> None:
        self.unit = read_unit(folder)
        self.reference = self.unit.lesson.reference
        answers = [variant for variant in read_variants(self.unit) if variant.fails and len(variant.answers) == 1]
        places = self.unit.lesson.exercises
        self.wrong = min(answers, key=lambda variant: places.index(next(iter(variant.answers))))
        self.exercise = next(iter(self.wrong.answers))
        self.before = places[: places.index(self.exercise)]

    def sentence(self, language: str) -> str:
        """What the check says that the wrong answer fails."""
        sentence = next(check.sentence for check in self.unit.checks if check.name == self.wrong.fails)
        return next(
            e.msgstr for e in polib.pofile(str(self.unit.folder / "po" / f"{language}.po")) if e.msgid == sentence
        )


def cell_of(exercise: str) -> str:
    return exercise.replace(".", "-")


def open_in(lab, browser, language: str, unit: str) -> OpenNotebook:
    """The unit's notebook, in a laboratory that opened another."""
    first = urlsplit(lab(language).url)
    return OpenNotebook(browser, first._replace(path=f"/lab/tree/{unit}/{unit}.ipynb").geturl())


@pytest.fixture
def notebook(browser, lab) -> OpenNotebook:
    return OpenNotebook(browser, lab("tg").url)


def test_an_untouched_notebook_runs_from_top_to_bottom_without_an_error(notebook):
    task = Task(UNITS[0])
    notebook.run_all()
    assert notebook.errors() == []
    assert set(notebook.states(f"{cell_of(task.unit.lesson.exercises[0])}-check")) == {"not attempted"}


@pytest.mark.parametrize("folder", UNITS, ids=[folder.name for folder in UNITS])
@pytest.mark.parametrize("language", ["tg", "ru"])
def test_a_right_answer_is_green_and_a_wrong_one_is_explained(browser, lab, folder, language):
    task = Task(folder)
    notebook = open_in(lab, browser, language, task.unit.name)
    notebook.run_all()
    for name in (*task.before, task.exercise):
        notebook.type_into(cell_of(name), task.reference[name])
        notebook.run(cell_of(name))
    check_cell = f"{cell_of(task.exercise)}-check"
    shown = notebook.run(check_cell)
    assert set(notebook.states(check_cell)) == {"right"}
    assert "✓" in shown.text

    notebook.type_into(cell_of(task.exercise), task.wrong.answers[task.exercise])
    notebook.run(cell_of(task.exercise))
    shown = notebook.run(check_cell)
    assert "wrong" in notebook.states(check_cell)
    assert plain(task.sentence(language)) in plain(shown.text)
    assert "check.hint" in shown.text
    if pictures := os.environ.get("USTOD_PICTURES"):
        browser.save_screenshot(f"{pictures}/{task.unit.name}-{language}.png")


def test_the_page_asks_nothing_of_the_network(browser, notebook):
    notebook.run_all()
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [r["params"]["request"]["url"] for r in requests if r["method"] == "Network.requestWillBeSent"]
    asked = [urlsplit(url) for url in urls if urlsplit(url).scheme in ("http", "https", "ws", "wss")]
    assert {url.hostname for url in asked} == {"127.0.0.1"}


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())

"""A learner at work: the real command, the real JupyterLab, the real keyboard, in Tajik."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import polib
import pytest
from browser.page import OpenNotebook

from autograder.authoring.lesson import Kind
from autograder.authoring.unit import find_units, read_unit
from autograder.authoring.variants import read_variants

pytestmark = pytest.mark.slow

UNIT = read_unit(find_units(["u04"])[0])
EXERCISE = UNIT.lesson.exercises[0]
REFERENCE = UNIT.lesson.of(Kind.EXERCISE)[EXERCISE].source


def cell_of(exercise: str) -> str:
    return exercise.replace(".", "-")


def tajik(text: str) -> str:
    return next(e.msgstr for e in polib.pofile(str(UNIT.folder / "po" / "tg.po")) if e.msgid == text)


def rejected_answer_to(exercise: str):
    return next(v for v in read_variants(UNIT) if v.fails and set(v.answers) == {exercise})


@pytest.fixture
def notebook(browser, lab) -> OpenNotebook:
    return OpenNotebook(browser, lab("tg").url)


def test_an_untouched_notebook_runs_from_top_to_bottom_without_an_error(notebook):
    notebook.run_all()
    assert notebook.errors() == []
    assert set(notebook.states(f"{cell_of(EXERCISE)}-check")) == {"not attempted"}


def test_a_right_answer_is_green_and_a_wrong_one_is_explained_in_tajik(notebook):
    check_cell = f"{cell_of(EXERCISE)}-check"
    notebook.run_all()

    notebook.type_into(cell_of(EXERCISE), REFERENCE)
    notebook.run(cell_of(EXERCISE))
    shown = notebook.run(check_cell)
    assert set(notebook.states(check_cell)) == {"right"}
    assert "✓" in shown.text

    wrong = rejected_answer_to(EXERCISE)
    notebook.type_into(cell_of(EXERCISE), wrong.answers[EXERCISE])
    notebook.run(cell_of(EXERCISE))
    shown = notebook.run(check_cell)
    assert "wrong" in notebook.states(check_cell)
    sentence = next(check.sentence for check in UNIT.checks if check.name == wrong.fails)
    assert plain(tajik(sentence)) in plain(shown.text)
    assert "check.hint" in shown.text


def test_the_page_asks_nothing_of_the_network(browser, notebook):
    notebook.run_all()
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [r["params"]["request"]["url"] for r in requests if r["method"] == "Network.requestWillBeSent"]
    asked = [urlsplit(url) for url in urls if urlsplit(url).scheme in ("http", "https", "ws", "wss")]
    assert {url.hostname for url in asked} == {"127.0.0.1"}


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())

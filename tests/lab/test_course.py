"""The units in a learner's folder, and the page that shows them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from shared import SUMS

from autograder.authoring.unit import read_unit
from autograder.lab.course import next_stage, stages
from autograder.lab.page import render
from autograder.lab.progress import PROGRESS, Progress, Tried, read_progress
from autograder.lab.workspace import fill_workspace


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to be copied."""
    folder = tmp_path_factory.mktemp("learner")
    fill_workspace([read_unit(SUMS)], "en", folder)
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "дафтари ман"))


def page(folder: Path, language: str = "", **more: str) -> str:
    return render(
        folder=folder, progress=folder / PROGRESS, language=language, first="", base="/me/", token="t", **more
    )


def test_a_unit_says_what_is_done_and_what_comes_next(folder: Path) -> None:
    progress = Progress({(SUMS.name, "sums.total"): Tried(True, 3, 3)}, {SUMS.name: 125})
    [stage] = stages(folder, progress, "en")
    assert (stage.title, stage.notebook) == ("Sums", f"{SUMS.name}/{SUMS.name}.ipynb")
    assert [(step.name, step.title, step.done) for step in stage.steps] == [
        ("sums.total", "Add up", True),
        ("sums.over", "Over the limit", False),
    ]
    assert (stage.score, stage.points, stage.seconds, stage.percent) == (3, 6, 125, 50)
    after = next_stage([stage], progress)
    assert after is not None and after.next is not None and after.next.name == "sums.over"


def test_points_of_a_class_are_known_from_the_feedback_alone(folder: Path) -> None:
    sidecar = folder / SUMS.name / "ustod.json"
    about = json.loads(sidecar.read_text("utf-8"))
    sidecar.write_text(json.dumps({**about, "edition": "class"}), "utf-8")
    [stage] = stages(folder, Progress({(SUMS.name, "sums.total"): Tried(True, 0, 0)}), "en")
    assert (stage.score, stage.done) == (None, 1)
    for moment, score in (("2026-01-01 10:00:00 UTC", 2), ("2026-02-01 10:00:00 UTC", 4.5)):
        place = folder / SUMS.name / "feedback" / moment
        place.mkdir(parents=True)
        (place / f"{SUMS.name}.html").write_text(f'<meta name="ustod-score" content="{score} 6">')
    [stage] = stages(folder, Progress(), "en")
    assert (stage.score, stage.feedback.split("/")[2]) == (4.5, "2026-02-01 10:00:00 UTC")


def test_folders_of_courses_are_looked_into_and_links_and_rubbish_are_not(folder: Path) -> None:
    shutil.copytree(folder / SUMS.name, folder / "ml course" / SUMS.name)
    (folder / "link").symlink_to(folder / SUMS.name)
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"unit": "../../x"}'), ("d", '{"unit": "d", "exercises": {}}')):
        (folder / name).mkdir()
        (folder / name / "ustod.json").write_text(text)
    (folder / "d" / "d.ipynb").write_text('{"cells": [{}]}')
    found = [stage.notebook for stage in stages(folder, Progress(), "en")]
    assert found == [f"ml course/{SUMS.name}/{SUMS.name}.ipynb", f"{SUMS.name}/{SUMS.name}.ipynb"]


@pytest.mark.parametrize(("language", "title"), [("en", "Sums"), ("tg", "Курс"), ("ru", "Курс")])
def test_the_page_is_in_the_language_that_is_asked_for(folder: Path, language: str, title: str) -> None:
    html = page(folder, language)
    assert f'<html lang="{language}">' in html and title in html
    assert f'href="/me/lab/tree/{SUMS.name}/{SUMS.name}.ipynb"' in html


def test_an_empty_folder_has_a_page_too(tmp_path: Path) -> None:
    assert "There is no unit in your folder yet" in page(tmp_path)


def test_what_a_file_is_called_does_nothing_on_the_page(folder: Path) -> None:
    evil = '<script>alert(1)</script>"'
    place = folder / "x" / evil.replace("/", "-")
    place.parent.mkdir()
    shutil.copytree(folder / SUMS.name, place)
    notebook = place / f"{SUMS.name}.ipynb"
    text = notebook.read_text("utf-8").replace("# Sums", f"# {evil}".replace('"', '\\"'))
    notebook.write_text(text, "utf-8")
    html = page(folder, message=evil)
    assert "<script" not in html and "alert(1)" in html


def test_everything_is_done_at_last(folder: Path) -> None:
    lines = [
        {"time": 1, "unit": SUMS.name, "exercise": name, "done": True, "score": 3, "points": 3}
        for name in ("sums.total", "sums.over")
    ]
    (folder / PROGRESS).write_text("\n".join(map(json.dumps, lines)))
    html = page(folder)
    assert "All exercises are done." in html and "6 of 6 points" in html
    assert read_progress(folder / PROGRESS).last == SUMS.name

"""`ustod check NOTEBOOK`: the whole grader on one notebook."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from grading.students import CLASS, NAME
from shared import SUMS, Ustod

from autograder.authoring.build import build_course
from autograder.authoring.notebook import put_answers
from autograder.authoring.unit import read_unit


@pytest.fixture
def notebook(built_course: Path, tmp_path: Path) -> Callable[..., Path]:
    """A learner's notebook with answers, under a name and in a folder of their own choice."""

    def write(answers: dict[str, str]) -> Path:
        folder = tmp_path / "корҳои ман"
        folder.mkdir()
        released = nbformat.read(built_course / "release" / NAME / f"{NAME}.ipynb", as_version=4)
        nbformat.write(put_answers(released, answers), folder / "my copy.ipynb")
        (folder / "big").mkdir()
        return folder / "my copy.ipynb"

    return write


def test_shows_every_property_and_what_ended_a_cell_and_leaves_the_file_alone(
    ustod: Ustod, notebook: Callable[..., Path]
) -> None:
    crash = "def total(numbers):\n    raise KeyError('[/red] [bold]')"
    path = notebook({"sums.total": crash, "sums.over": "check = None"})
    before = path.read_bytes()
    done = ustod("check", path)
    assert done.returncode == 0, done.stderr
    assert "u90_sums: 0 / 6" in done.stdout
    assert "The total of an empty list is zero." in done.stdout
    assert "! crashed" in done.stdout and "KeyError: '[/red] [bold]'" in done.stdout
    assert "TypeError: 'NoneType' object is not callable" in done.stdout
    assert path.read_bytes() == before
    assert sorted(item.name for item in path.parent.iterdir()) == ["big", "my copy.ipynb"]


def test_gives_json_for_programs(ustod: Ustod, notebook: Callable[..., Path]) -> None:
    answers, total, over = CLASS["rejected"]
    done = ustod("check", notebook(answers), "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["unit"], data["language"], data["score"], data["points"]) == (NAME, "en", total + over, 6)
    assert [cell["cell"] for cell in data["cells"]] == ["sums-total-check", "sums-over-check"]
    states = {outcome["name"]: outcome["state"] for cell in data["cells"] for outcome in cell["outcomes"]}
    assert states == {
        "sum_is_that_of_python": "right",
        "sum_of_nothing_is_zero": "right",
        "keeps_what_is_over_the_limit": "right",
        "the_limit_itself_is_not_over": "wrong",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file"),
        ("not json", "cannot be read as a notebook"),
        ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "is of no unit of this course"),
        ('{"cells": [], "metadata": {"ustod": {"unit": "u55"}}, "nbformat": 4, "nbformat_minor": 5}', "no unit u55"),
    ],
)
def test_a_file_that_is_no_notebook_of_the_course_is_told(
    ustod: Ustod, tmp_path: Path, content: str | None, words: str
) -> None:
    path = tmp_path / "work.ipynb"
    if content is not None:
        path.write_text(content)
    done = ustod("check", path)
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_a_folder_is_told(ustod: Ustod, tmp_path: Path) -> None:
    done = ustod("check", tmp_path)
    assert done.returncode == 1 and "cannot be read as a notebook" in done.stderr


@pytest.mark.slow
def test_the_self_study_edition_is_graded_too(ustod: Ustod, tmp_path: Path) -> None:
    course = tmp_path / "course"
    build_course([read_unit(SUMS)], "tg", course, edition="self-study")
    folder = Path(shutil.copytree(course / "release" / NAME, tmp_path / "mine"))
    done = ustod("check", folder / f"{NAME}.ipynb", "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["score"], json.loads(done.stdout)["language"]) == (0, "tg")

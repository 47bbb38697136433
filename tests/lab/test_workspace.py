"""A learner's folder: new notebooks come, and what the learner changed stays."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from shared import SUMS, Once

from autograder.authoring.unit import Unit, read_unit
from autograder.errors import UstodError
from autograder.lab.workspace import PLACED, fill_workspace
from autograder.student.sidecar import Sidecar

NAME = SUMS.name


@pytest.fixture
def work(once: Once, tmp_path: Path) -> Path:
    """A learner's folder of the test's own, filled from the course in Tajik."""
    filled = once("learner", lambda folder: void(fill_workspace([read_unit(SUMS)], "tg", folder / "корҳои ман")))
    return Path(shutil.copytree(filled / "корҳои ман", tmp_path / "корҳои ман"))


def void(_: object) -> None:
    """For a function that gives something back where nothing is asked."""


@pytest.fixture
def newer(sums: Path) -> Unit:
    """The same unit with new words in the lesson and in a hint."""
    for file, before, after in (
        ("lesson.py", "Now the part", "Next the part"),
        ("unit.toml", "Start from", "Begin at"),
    ):
        path = sums / file
        path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")
    return read_unit(sums)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestAnEmptyFolder:
    def test_gets_the_self_study_edition_without_solutions(self, work: Path) -> None:
        sidecar = Sidecar.from_json((work / NAME / "ustod.json").read_text("utf-8"))
        assert (sidecar.edition, sidecar.language) == ("self-study", "tg")
        assert "result += number" not in (work / NAME / f"{NAME}.ipynb").read_text("utf-8")

    def test_remembers_what_was_placed(self, work: Path) -> None:
        memory = json.loads((work / PLACED).read_text("utf-8"))
        assert memory.keys() == {f"{NAME}/{NAME}.ipynb", f"{NAME}/ustod.json"}

    def test_has_files_that_the_learner_can_write(self, work: Path) -> None:
        assert os.stat(work / NAME / f"{NAME}.ipynb").st_mode & 0o600 == 0o600


def test_the_same_course_again_changes_nothing_but_brings_back_what_was_deleted(work: Path) -> None:
    before = files_in(work)
    (work / NAME / f"{NAME}.ipynb").unlink()
    placed = fill_workspace([read_unit(SUMS)], "tg", work)
    assert placed.kept == [] and placed.notebooks == [work / NAME / f"{NAME}.ipynb"]
    assert files_in(work) == before


def test_a_newer_course_takes_the_place_of_what_nobody_touched(work: Path, newer: Unit) -> None:
    (work / NAME / "notes.txt").write_text("ёддоштҳо", "utf-8")
    placed = fill_workspace([newer], "tg", work)
    assert placed.kept == []
    assert "Next the part" in placed.notebooks[0].read_text("utf-8")
    assert "Begin at" in (work / NAME / "ustod.json").read_text("utf-8")
    assert (work / NAME / "notes.txt").read_text("utf-8") == "ёддоштҳо", "a file of the learner's own stays"


def test_a_newer_course_never_touches_what_the_learner_changed(work: Path, newer: Unit) -> None:
    notebook = work / NAME / f"{NAME}.ipynb"
    mine = notebook.read_text("utf-8").replace("# YOUR CODE HERE", "# my code")
    notebook.write_text(mine, "utf-8")
    before = notebook.stat()
    for _ in range(2):
        assert fill_workspace([newer], "tg", work).kept == [notebook]
        assert notebook.read_text("utf-8") == mine
        assert notebook.stat().st_mtime_ns == before.st_mtime_ns
    assert "Begin at" in (work / NAME / "ustod.json").read_text("utf-8"), "the file beside it is new"


def test_a_notebook_that_was_there_before_us_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "work" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert fill_workspace([read_unit(SUMS)], "en", tmp_path / "work").kept == [path]
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(UstodError, match=r"cannot be written: .*; choose another with --dir"):
        fill_workspace([read_unit(SUMS)], "en", tmp_path / "work")

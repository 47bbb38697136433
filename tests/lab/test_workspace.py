"""A learner's folder: new notebooks come, and what the learner changed stays."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from autograder.authoring.unit import Unit, read_unit
from autograder.errors import UstodError
from autograder.lab.workspace import PLACED, fill_workspace
from autograder.student.sidecar import Sidecar

NAME = "u90_sums"


@pytest.fixture
def old(sums: Path) -> Unit:
    return read_unit(sums)


@pytest.fixture
def new(old: Unit) -> Unit:
    """The same unit with new words in the lesson and in a hint."""
    for file, before, after in (
        ("lesson.py", "Now the part", "Next the part"),
        ("unit.toml", "Start from", "Begin at"),
    ):
        path = old.folder / file
        path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")
    return read_unit(old.folder)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_empty_folder_gets_the_self_study_edition(old: Unit, tmp_path: Path) -> None:
    placed = fill_workspace([old], "tg", tmp_path / "корҳо" / "ман")
    assert placed.notebooks == [tmp_path / "корҳо" / "ман" / NAME / f"{NAME}.ipynb"]
    assert placed.kept == []
    sidecar = Sidecar.from_json((placed.notebooks[0].parent / "ustod.json").read_text("utf-8"))
    assert (sidecar.edition, sidecar.language) == ("self-study", "tg")
    assert "result += number" not in placed.notebooks[0].read_text("utf-8")


def test_the_same_course_again_changes_nothing(old: Unit, tmp_path: Path) -> None:
    work = tmp_path / "work"
    fill_workspace([old], "en", work)
    before = files_in(work)
    assert fill_workspace([old], "en", work).kept == []
    assert files_in(work) == before


class TestANewerCourse:
    def test_takes_the_place_of_what_nobody_touched(
        self, old: Unit, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        work = tmp_path / "work"
        notebook = fill_workspace([old], "en", work).notebooks[0]
        placed = fill_workspace([request.getfixturevalue("new")], "en", work)
        assert placed.kept == []
        assert "Next the part" in notebook.read_text("utf-8")
        assert "Begin at" in (notebook.parent / "ustod.json").read_text("utf-8")

    def test_never_touches_what_the_learner_changed(
        self, old: Unit, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        work = tmp_path / "work"
        notebook = fill_workspace([old], "en", work).notebooks[0]
        mine = notebook.read_text("utf-8").replace("# YOUR CODE HERE", "# my code")
        notebook.write_text(mine, "utf-8")
        before = notebook.stat()
        unit = request.getfixturevalue("new")
        for _ in range(2):
            assert fill_workspace([unit], "en", work).kept == [notebook]
            assert notebook.read_text("utf-8") == mine
            assert notebook.stat().st_mtime_ns == before.st_mtime_ns
        assert "Begin at" in (notebook.parent / "ustod.json").read_text("utf-8"), "the file beside it is new"

    def test_leaves_files_of_the_learners_own(self, old: Unit, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        work = tmp_path / "work"
        fill_workspace([old], "en", work)
        (work / NAME / "notes.txt").write_text("ёддоштҳо", "utf-8")
        fill_workspace([request.getfixturevalue("new")], "en", work)
        assert (work / NAME / "notes.txt").read_text("utf-8") == "ёддоштҳо"


def test_a_notebook_that_was_there_before_us_is_kept(old: Unit, tmp_path: Path) -> None:
    path = tmp_path / "work" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert fill_workspace([old], "en", tmp_path / "work").kept == [path]
    assert path.read_text() == "mine"


def test_a_notebook_that_was_deleted_comes_back(old: Unit, tmp_path: Path) -> None:
    notebook = fill_workspace([old], "en", tmp_path / "work").notebooks[0]
    notebook.unlink()
    fill_workspace([old], "en", tmp_path / "work")
    assert notebook.is_file()


def test_what_was_placed_is_remembered_beside_it(old: Unit, tmp_path: Path) -> None:
    fill_workspace([old], "en", tmp_path / "work")
    memory = json.loads((tmp_path / "work" / PLACED).read_text("utf-8"))
    assert memory.keys() == {f"{NAME}/{NAME}.ipynb", f"{NAME}/ustod.json"}


def test_a_folder_that_cannot_be_written_is_told(old: Unit, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(UstodError, match=r"cannot be written: .*; choose another with --dir"):
        fill_workspace([old], "en", tmp_path / "work")


def test_the_learners_files_can_be_written_by_the_learner(old: Unit, tmp_path: Path) -> None:
    notebook = fill_workspace([old], "en", tmp_path / "work").notebooks[0]
    assert os.stat(notebook).st_mode & 0o600 == 0o600

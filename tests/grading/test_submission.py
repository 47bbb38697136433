"""What counts as a file of a submission, and what a submission may not be."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.errors import one_line
from autograder.grading import submission
from autograder.grading.submission import copy_plain_files, plain_files, trouble

#: What the name of a file may be made of.
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)


def names(folder: Path, *ignore: str) -> list[str]:
    return [str(path.relative_to(folder)) for path in plain_files(folder, ignore)]


class TestPlainFiles:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
    @given(found=st.sets(NAMES, max_size=8))
    def test_are_all_there_whatever_their_names(self, tmp_path: Path, found: set[str]) -> None:
        with TemporaryDirectory(dir=tmp_path) as folder:
            for name in found:
                (Path(folder) / name).touch()
            assert names(Path(folder)) == sorted(found)

    def test_are_no_links_and_no_devices(self, tmp_path: Path) -> None:
        (tmp_path / "inner").mkdir()
        (tmp_path / "inner" / "data.csv").touch()
        (tmp_path / "link").symlink_to("inner/data.csv")
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "up").symlink_to("..")
        os.mkfifo(tmp_path / "fifo")
        assert names(tmp_path) == ["inner/data.csv"]

    def test_are_none_in_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert names(tmp_path / "nowhere") == []

    def test_are_not_those_that_the_course_ignores(self, tmp_path: Path) -> None:
        cache, hidden = "__pycache__", ".ipynb_checkpoints"
        for name in ("a.pyc", "b.py", f"{cache}/c.py", f"{hidden}/d.ipynb", f"x/{cache}/e", ".hidden.pyc"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        assert names(tmp_path, "*.pyc", cache, hidden) == [".hidden.pyc", "b.py"]

    def test_are_copied_to_the_same_places(self, tmp_path: Path) -> None:
        origin, target = tmp_path / "origin", tmp_path / "target"
        for name in ("a", "b", "inner/a"):
            (origin / name).parent.mkdir(parents=True, exist_ok=True)
            (origin / name).write_text(name)
        (target / "inner").mkdir(parents=True)
        (target / "inner" / "a").write_text("old")
        copy_plain_files(origin, target, ignore=["b"], but=["a"])
        assert names(target) == ["inner/a"] and (target / "inner" / "a").read_text() == "inner/a"


class TestTrouble:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "submitted" / "amina" / "ps1"
        folder.mkdir(parents=True)
        (folder / "ps1.ipynb").write_text("{}")
        return folder

    def test_is_none_for_ordinary_work(self, folder: Path, tmp_path: Path) -> None:
        (folder / "timestamp.txt").write_text("2026-02-01 12:00:00 UTC")
        assert trouble(folder, tmp_path / "submitted") == ""

    def test_begins_at_the_limits(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for setting, least in (("MOST_FILES", 1), ("MOST_BYTES", 2), ("MOST_NOTEBOOK", 2)):
            with monkeypatch.context() as patch:
                patch.setattr(submission, setting, least)
                assert trouble(folder, tmp_path) == ""
                patch.setattr(submission, setting, least - 1)
                assert trouble(folder, tmp_path) != ""

    def test_is_not_made_by_what_the_course_ignores(self, folder: Path, tmp_path: Path) -> None:
        (folder / "core").touch()
        os.truncate(folder / "core", 10**12)
        assert "holds more than" in trouble(folder, tmp_path)
        assert trouble(folder, tmp_path, ["core"]) == ""

    def test_is_a_link_anywhere_below_the_top(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "submitted" / "bahrom").symlink_to("amina")
        assert "bahrom is a link" in trouble(tmp_path / "submitted" / "bahrom" / "ps1", tmp_path / "submitted")
        (tmp_path / "elsewhere").symlink_to("submitted")
        assert trouble(tmp_path / "elsewhere" / "amina" / "ps1", tmp_path / "elsewhere") == ""

    @pytest.mark.parametrize("text", ["soon", "2026-13-01", "2026-02-01 12:00:00 UTC" + " " * 2000])
    def test_is_a_time_stamp_that_is_no_time(self, folder: Path, tmp_path: Path, text: str) -> None:
        (folder / "timestamp.txt").write_text(text)
        assert "is no time" in trouble(folder, tmp_path)

    def test_is_no_empty_time_stamp(self, folder: Path, tmp_path: Path) -> None:
        (folder / "timestamp.txt").touch()
        assert trouble(folder, tmp_path) == ""


@given(st.text(st.characters()))
def test_one_line_can_be_printed_and_leaves_what_can(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert not text.isprintable() or shown == text

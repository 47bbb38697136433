"""Files that a test makes for the student's code, and what that code makes of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.judge.files import apply, changes, snapshot
from autograder.judge.wire import Misbehaved

NAMES = st.lists(st.sampled_from(["a", "b", "к", "c.txt"]), min_size=1, max_size=3).map("/".join)


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        if any(parent.is_file() for parent in path.parents) or path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def contents(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink() else path.is_dir() or path.read_bytes()
        for path in folder.rglob("*")
    }


@given(before=st.dictionaries(NAMES, st.binary(max_size=9)), after=st.dictionaries(NAMES, st.binary(max_size=9)))
def test_the_other_folder_becomes_the_same(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    fill(here, before)
    first = snapshot(here)
    apply(there, changes(here, {}, first))
    assert contents(there) == contents(here)
    shutil.rmtree(here)
    here.mkdir()
    fill(here, after)
    apply(there, changes(here, first, snapshot(here)))
    assert contents(there) == contents(here)


def test_links_folders_and_modes_are_carried(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    (here / "empty").mkdir()
    (here / "link").symlink_to("nowhere")
    (here / "program").write_bytes(b"#!")
    (here / "program").chmod(0o750)
    apply(there, changes(here, {}, snapshot(here)))
    assert contents(there) == contents(here)
    assert (there / "program").stat().st_mode & 0o777 == 0o750


def test_nothing_is_sent_if_nothing_has_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert changes(tmp_path, snapshot(tmp_path), snapshot(tmp_path)) == []


HOSTILE = [
    [("file", "../outside", 0o600, b"x")],
    [("file", "/tmp/outside", 0o600, b"x")],
    [("link", "a", "/"), ("file", "a/outside", 0o600, b"x")],
    [("link", "a", ".."), ("gone", "a/precious")],
    [("gone", "..")],
    [("gone", "")],
    [("folder", "a/../../b")],
    [("file", "a", 0o600, "text")],
    [("fifo", "a")],
    [("file", 3, 0o600, b"x")],
    [("file", "a\0b", 0o600, b"x")],
    [()],
    [None],
    7,
    [("file", "x" * 300, 0o600, b"x")],
]


@pytest.mark.parametrize("update", HOSTILE, ids=range(len(HOSTILE)))
def test_no_change_leads_out_of_the_folder(tmp_path: Path, update: object) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "precious").write_text("kept")
    with pytest.raises(Misbehaved, match="told of files that cannot be"):
        apply(folder, update)
    assert (tmp_path / "precious").read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["folder", "precious"]

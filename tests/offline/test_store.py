"""Receipts, states, and moving folders into place."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.offline import store
from autograder.offline.manifest import Asset
from autograder.offline.store import Produced, Receipt, Roots, State


def installed(roots: Roots, asset: Asset) -> Path:
    """A receipt for one file, as a fetch would leave them. Returns the file."""
    path = roots.hub_folder(asset) / "snapshots" / "abc" / "data.txt"
    path.parent.mkdir(parents=True)
    path.write_text("салом", "utf-8")
    files = store.describe_files("hub", roots.hub, [path.parent])
    Receipt(asset.name, asset.kind, asset.fingerprint(), "abc", "now", [], files).write(roots.receipt(asset))
    return path


def test_the_roots_are_those_of_the_libraries(tmp_path: Path) -> None:
    code = (
        "from autograder.offline.store import Roots; r = Roots.of_user(); "
        "import datasets, huggingface_hub.constants as c; "
        "assert (str(r.home), str(r.hub)) == (c.HF_HOME, c.HF_HUB_CACHE), r; "
        "assert str(r.datasets) == str(datasets.config.HF_DATASETS_CACHE), r"
    )
    base = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    for extra in (
        {"HF_HOME": str(tmp_path / "a"), "HF_HUB_CACHE": str(tmp_path / "b"), "HF_DATASETS_CACHE": str(tmp_path / "c")},
        {"XDG_CACHE_HOME": str(tmp_path / "d")},
    ):
        subprocess.run([sys.executable, "-c", code], env=base | extra, check=True)


def test_without_a_receipt_an_asset_is_absent(roots: Roots, udhr: Asset) -> None:
    path = installed(roots, udhr)
    assert store.state(udhr, roots) is State.READY
    roots.receipt(udhr).unlink()
    assert path.is_file()
    assert store.state(udhr, roots) is State.ABSENT


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("harm", ["", "салом!", None])
def test_a_file_that_grew_shrank_or_went_is_damage(roots: Roots, udhr: Asset, harm: str | None, thorough: bool) -> None:
    path = installed(roots, udhr)
    if harm is None:
        path.unlink()
    else:
        path.write_text(harm, "utf-8")
    assert store.state(udhr, roots, thorough=thorough) is State.DAMAGED


def test_a_file_changed_at_equal_size_is_found_by_the_thorough_look(roots: Roots, udhr: Asset) -> None:
    path = installed(roots, udhr)
    path.write_text("салон", "utf-8")
    assert store.state(udhr, roots) is State.READY
    assert store.state(udhr, roots, thorough=True) is State.DAMAGED
    receipt = Receipt.read(roots.receipt(udhr))
    assert receipt is not None
    assert store.damage(receipt, roots, thorough=True) == [path]


def test_a_copy_from_another_entry_is_outdated(roots: Roots, udhr: Asset) -> None:
    installed(roots, udhr)
    assert store.state(udhr.model_copy(update={"edition": 2}), roots) is State.OUTDATED


@given(st.integers(0, 400))
def test_a_receipt_cut_short_is_no_receipt(tmp_path_factory: pytest.TempPathFactory, keep: int) -> None:
    path = tmp_path_factory.mktemp("receipt") / "r.json"
    receipt = Receipt("a/b", "model", "f" * 64, "r" * 40, "now", [], [Produced("hub", "x", 3, "0" * 64)], "old")
    receipt.write(path)
    assert Receipt.read(path) == receipt
    whole = path.read_text()
    path.write_text(whole[: min(keep, len(whole) - 3)])
    assert Receipt.read(path) is None


def test_a_receipt_with_unknown_fields_is_no_receipt(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    Receipt("a/b", "model", "f", "r", "now", [], []).write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "red"}))
    assert Receipt.read(path) is None


def test_writing_leaves_no_scraps_and_obeys_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        store.write_atomically(tmp_path / "deep" / "a.txt", "салом")
    finally:
        os.umask(before)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.txt"]
    assert stat.S_IMODE((tmp_path / "deep" / "a.txt").stat().st_mode) == 0o640


def test_staging_clears_what_killed_runs_left_of_this_asset_alone(tmp_path: Path, udhr: Asset) -> None:
    other = udhr.model_copy(update={"name": "ustod/other"})
    with store.staging(tmp_path, other) as kept:
        left = tmp_path / f".ustod-staging-{udhr.slug}-dead"
        (left / "half").mkdir(parents=True)
        with store.staging(tmp_path, udhr) as folder:
            assert not left.exists()
            assert kept.is_dir()
            assert folder.is_dir()
        assert not folder.exists()


def test_a_folder_replaces_another_as_a_whole(tmp_path: Path) -> None:
    new, old = tmp_path / "staging" / "new", tmp_path / "deep" / "old"
    new.mkdir(parents=True)
    old.mkdir(parents=True)
    (new / "a").touch()
    (old / "b").touch()
    store.replace_folder(new, old)
    assert [path.name for path in old.iterdir()] == ["a"]
    assert not new.exists()

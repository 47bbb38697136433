"""Helpers for files, while programs write beside them."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from autograder.files import bytes_below


def test_bytes_of_all_files_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(b"1234")
    (tmp_path / "a" / "b" / "two").write_bytes(b"12")
    assert bytes_below(tmp_path) == 6
    assert bytes_below(tmp_path / "a" / "b", tmp_path / "a") == 8
    assert bytes_below(tmp_path / "absent") == 0


def test_folders_may_go_while_their_bytes_are_counted(tmp_path: Path) -> None:
    ended = threading.Event()

    def make_and_delete() -> None:
        while not ended.is_set():
            for number in range(20):
                (tmp_path / f"d{number}" / "e" / "f").mkdir(parents=True)
                (tmp_path / f"d{number}" / "e" / "f" / "file").write_bytes(b"1")
            for number in range(20):
                shutil.rmtree(tmp_path / f"d{number}")

    busy = threading.Thread(target=make_and_delete)
    busy.start()
    try:
        assert all(0 <= bytes_below(tmp_path) <= 20 for _ in range(300))
    finally:
        ended.set()
        busy.join()

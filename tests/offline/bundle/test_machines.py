"""Machines in trouble: a full disk, a clock at 1970, no network at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from offline.bundle.tiny import Project

from autograder.errors import UstodError
from autograder.offline.bundle import installer

FIRST = [1, ["alpha", "1.0"], ["beta", "2.0"]]
root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk, which root alone may")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@root
def test_a_disk_that_fills_up_during_an_installation(
    project: Project, made: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_disk / "устод"
    usage = shutil.disk_usage
    monkeypatch.setattr(installer, "SPARE", 0)
    monkeypatch.setattr(installer.Maker, "_demand_room", lambda self, wheels: None)  # somebody else took the room since
    for kilobytes in range(100, 12_000, 1700):
        filler = small_disk / "filler"
        filler.write_bytes(b"\0" * (usage(small_disk).free - (kilobytes << 10)))
        with pytest.raises(installer.BundleError, match="full: make room"):
            installer.install(installer.open_source(made / "stick"), folder, "en", lambda text: None, assets=False)
        assert not (folder / "current").exists()
        filler.unlink()
        shutil.rmtree(folder, ignore_errors=True)


@root
def test_a_disk_that_is_too_small_for_a_bundle(project: Project, made: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"\0" * (shutil.disk_usage(small_disk).free - 900_000))
    for name in ("stick", "one.pyz"):
        with pytest.raises(UstodError, match="is full; make room"):
            project.build(small_disk / name)
        assert not (small_disk / name).exists()
    (small_disk / "filler").unlink()
    project.build(small_disk / "stick")
    assert installer.Bundle(installer.open_source(small_disk / "stick")).verify() == []


def test_a_clock_at_1970(project: Project, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "устод"
    command = [
        "faketime",
        "1970-01-02 00:00:00",
        sys.executable,
        str(made / "stick" / "install.py"),
        "--dir",
        str(folder),
    ]
    done = subprocess.run(command, env=project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert project.run(folder)[:3] == FIRST

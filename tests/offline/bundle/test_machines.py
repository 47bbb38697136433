"""Machines in trouble: a full disk, a clock at 1970, no network at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from offline.bundle.tiny import Project

from autograder.errors import UstodError
from autograder.kernel.linux import CLONE_NEWNS, CLONE_NEWUSER, MS_PRIVATE, MS_REC, mount, unshare
from autograder.offline.bundle import installer

OnSmallDisk = Callable[[Callable[[Path], None]], None]
FIRST = [1, ["alpha", "1.0"], ["beta", "2.0"]]
DISK = 12  # MB


@pytest.fixture
def small_disk(tmp_path: Path) -> OnSmallDisk:
    """Run a part of a test on a disk of `DISK` MB, in a copy of this process, for which alone that disk is there."""
    place = tmp_path / "small"
    place.mkdir()

    def run(part: Callable[[Path], None]) -> None:
        result = tmp_path / "what went wrong"
        child = os.fork()
        if not child:
            wrong = ""
            try:
                _mount_small_disk(place)
                part(place)
            except BaseException:
                wrong = traceback.format_exc()
            finally:
                result.write_text(wrong)
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert not result.read_text(), result.read_text()

    return run


def _mount_small_disk(place: Path) -> None:
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", str(place), "tmpfs", options=f"size={DISK}m")


def test_a_disk_that_fills_up_during_an_installation(
    project: Project, made: Path, small_disk: OnSmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage
    monkeypatch.setattr(installer, "SPARE", 0)
    monkeypatch.setattr(installer.Maker, "_demand_room", lambda self, wheels: None)  # somebody else took the room since

    @small_disk
    def install_with_ever_more_room(disk: Path) -> None:
        folder = disk / "устод"
        for kilobytes in range(100, DISK * 1000, 1700):
            filler = disk / "filler"
            filler.write_bytes(b"\0" * (usage(disk).free - (kilobytes << 10)))
            with pytest.raises(installer.BundleError, match="full: make room"):
                installer.install(installer.open_source(made / "stick"), folder, "en", lambda text: None, assets=False)
            assert not (folder / "current").exists()
            filler.unlink()
            shutil.rmtree(folder, ignore_errors=True)


def test_a_disk_that_is_too_small_for_a_bundle(project: Project, made: Path, small_disk: OnSmallDisk) -> None:
    @small_disk
    def build_without_room_and_with(disk: Path) -> None:
        (disk / "filler").write_bytes(b"\0" * (shutil.disk_usage(disk).free - 900_000))
        for name in ("stick", "one.pyz"):
            with pytest.raises(UstodError, match="is full; make room"):
                project.build(disk / name)
            assert not (disk / name).exists()
        (disk / "filler").unlink()
        project.build(disk / "stick")
        assert installer.Bundle(installer.open_source(disk / "stick")).verify() == []


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

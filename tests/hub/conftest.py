"""Tests of the lab server. Files and folders named ``island_*`` run in a machine of their own: see `hub.island`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub.island import INSIDE, run


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> IslandFile | None:
    """Outside, one test stands for all that an island's file holds; inside, the file is an ordinary module."""
    if _is_outside(file_path) and not parent.session.isinitpath(file_path):
        return IslandFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> IslandFile | None:
    """The same for a file that is named on the command line, of which pytest itself makes a module."""
    return IslandFile.from_parent(parent, path=module_path) if _is_outside(module_path) else None


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> IslandFolder | None:
    """The same for a folder, all of whose files share one island."""
    return IslandFolder.from_parent(parent, path=path) if _is_outside(path) else None


def _is_outside(path: Path) -> bool:
    return path.name.startswith("island_") and (path.suffix == ".py" or path.is_dir()) and not INSIDE


class Island(pytest.Collector):
    """Tests that may make accounts, mounts and low ports: nothing of it reaches this machine."""

    def collect(self) -> Iterator[pytest.Item]:
        """The one test."""
        item = IslandTests.from_parent(self, name=self.path.stem)
        files = self.path.glob("*.py") if self.path.is_dir() else [self.path]
        if any("pytestmark = pytest.mark.slow" in file.read_text("utf-8") for file in files):
            item.add_marker("slow")
        yield item


class IslandFile(Island, pytest.File):
    """A file of such tests."""


class IslandFolder(Island, pytest.Directory):
    """A folder of such tests."""


class IslandTests(pytest.Item):
    """Runs pytest on the file, inside."""

    def runtest(self) -> None:
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=--import-mode=importlib"]
        done = run(["-m", "pytest", *options, str(self.path)], cwd=self.config.rootpath)
        if done.returncode:
            log = self.config.rootpath / "build" / "islands" / f"{self.path.stem}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(f"{done.stdout}\n{done.stderr}", "utf-8")
            raise IslandFailure(done, log)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """What pytest said inside."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"island: {self.name}"


class IslandFailure(Exception):
    """Tests inside failed."""

    def __init__(self, done: subprocess.CompletedProcess[str], log: Path) -> None:
        super().__init__(f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}\nAll of it is in {log}.")

"""Bundles of a tiny project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from offline.bundle.tiny import Project
from shared import Once


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "a project")


@pytest.fixture(scope="session")
def made(once: Once) -> Path:
    """Bundles made once, only to be read: `stick`, `one.pyz`, and of the next edition `next`."""

    def fill(folder: Path) -> None:
        project = Project(folder / "a project")
        project.build(folder / "stick")
        project.build(folder / "one.pyz")
        project.edition = 2
        project.build(folder / "next")
        project.wheels["beta"] = "2.1"
        project.lock()
        project.build(folder / "later")

    return once("bundles", fill)


@pytest.fixture
def stick(made: Path, tmp_path: Path) -> Path:
    """A stick of the test's own."""
    return Path(shutil.copytree(made / "stick", tmp_path / "stick of ҷ"))

"""A made-up class of twelve in two assignments, graded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from reports.classes import MadeClass, make_class, make_roll, small_units
from shared import Once

from autograder.grading.course import open_course

SMALL = 12


@pytest.fixture(scope="session")
def small_class(once: Once) -> MadeClass:
    """Only to be read or copied."""

    def make(folder: Path) -> None:
        make_class(folder, small_units(folder / "units", 2), SMALL)

    folder = once("a made-up class", make)
    from autograder.authoring.unit import read_unit

    units = [read_unit(path) for path in sorted((folder / "units").iterdir())]
    return MadeClass(open_course(folder / "course"), make_roll(units, SMALL))


@pytest.fixture
def small_copy(small_class: MadeClass, tmp_path: Path) -> MadeClass:
    """A class of the test's own."""
    return MadeClass(
        open_course(Path(shutil.copytree(small_class.course.root, tmp_path / "a class"))), small_class.roll
    )

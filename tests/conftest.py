"""What all tests share: a course of their own with the small unit of the fixtures in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from shared import SUMS, Break, Once, Ustod

import course
from autograder.authoring.build import build_course
from autograder.authoring.unit import read_unit
from autograder.environment import put_own_programs_on_path

# A property holds or not, however busy the machine is.
anywhere = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("exploring", anywhere)
# `make test` asks the same of every change; what is found by chance, `pytest` and `make test-slow` find.
settings.register_profile("repeatable", anywhere, derandomize=True, database=None)
settings.load_profile("exploring")

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("COLUMNS", None)  # workers of pytest-xdist say 80; what commands write to a pipe is as wide as it takes
put_own_programs_on_path()


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A copy of the unit of fixtures, to be broken."""
    return Path(shutil.copytree(SUMS, tmp_path / "units" / SUMS.name))


@pytest.fixture
def break_unit(sums: Path) -> Break:
    """Replace one text in one file of a copy of the unit of fixtures."""

    def replace(file: str, old: str, new: str) -> Path:
        path = sums / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{file} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return sums

    return replace


@pytest.fixture
def course_with_sums() -> Iterator[Path]:
    """The installed course has the unit of fixtures too, in this process."""
    course.__path__.insert(0, str(SUMS.parent))
    yield SUMS.parent
    course.__path__.remove(str(SUMS.parent))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Fill a folder once for all processes of a test run; what is in it may be read and copied, not changed."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, fill: Callable[[Path], None]) -> Path:
        path = shared / name
        with FileLock(f"{path}.lock"):
            if not path.is_dir():
                unfinished = shared / f"{name} unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(path)
        return path

    return folder


@pytest.fixture(scope="session")
def built_course(once: Once) -> Path:
    """The unit of fixtures as a course, in a folder with a space and a Tajik letter; only to be read."""

    def build(folder: Path) -> None:
        build_course([read_unit(SUMS)], "en", folder)

    return once("a course of ҷ", build)


@pytest.fixture
def sums_course(built_course: Path, tmp_path: Path) -> Path:
    """A course of the test's own."""
    return Path(shutil.copytree(built_course, tmp_path / "курс 1"))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a package `course` with the unit of fixtures alone, for programs started by a test."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "course").mkdir()
    (folder / "course" / "__init__.py").write_text("")
    shutil.copytree(SUMS, folder / "course" / SUMS.name)
    return folder


@pytest.fixture(scope="session")
def ustod(shop: Path) -> Ustod:
    """Run the command `ustod` with the course of the fixtures."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "autograder.cli", *map(str, arguments)]
        variables = {**os.environ, "PYTHONPATH": str(shop), **environment}
        return subprocess.run(command, env=variables, capture_output=True, text=True, cwd=shop)

    return run

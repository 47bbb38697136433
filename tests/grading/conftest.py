"""A class: a course built from the unit of fixtures, with short time limits, and what its students hand in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from grading.students import CELL_SECONDS, CLASS, NAME, REFERENCE, Hand
from shared import SUMS, Once

from autograder.authoring.agreement import submit
from autograder.authoring.build import build_course
from autograder.authoring.unit import read_unit
from autograder.grading.course import Course, open_course
from autograder.grading.engine import Grading, grade


@pytest.fixture(scope="session")
def impatient_course(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course of the class, before anybody has handed in; only to be copied. Its path has a space and a letter ҷ."""

    def build(folder: Path) -> None:
        unit = Path(shutil.copytree(SUMS, tmp_path_factory.mktemp("unit") / NAME))
        for file, old, new in (
            ("checks.py", "seconds=3", "seconds=0.5"),
            ("unit.toml", "cell_seconds = 20", f"cell_seconds = {CELL_SECONDS}"),
        ):
            path = unit / file
            path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
        build_course([read_unit(unit)], "en", folder)

    return once("курси ҷамъ", build)


@pytest.fixture(scope="session")
def graded_class(once: Once, impatient_course: Path) -> tuple[Course, Grading]:
    """The class, graded once; only to be read or copied."""

    def grade_all(folder: Path) -> None:
        shutil.copytree(impatient_course, folder / "course")
        submit(NAME, {student: answers for student, (answers, _, _) in CLASS.items()}, folder / "course")
        result = grade(open_course(folder / "course"), NAME, workers=2)
        (folder / "result.json").write_text(json.dumps(vars(result)), "utf-8")

    folder = once("a class", grade_all)
    return open_course(folder / "course"), Grading(**json.loads((folder / "result.json").read_text("utf-8")))


@pytest.fixture
def graded_copy(graded_class: tuple[Course, Grading], tmp_path: Path) -> Course:
    """A graded class of the test's own."""
    return open_course(Path(shutil.copytree(graded_class[0].root, tmp_path / "a copy")))


@pytest.fixture
def small_course(impatient_course: Path, tmp_path: Path) -> Path:
    """A course of the test's own, without submissions."""
    return Path(shutil.copytree(impatient_course, tmp_path / "курс 1"))


@pytest.fixture
def hand_in(small_course: Path) -> Hand:
    """Put a student's answers into `small_course`, the notebook changed by a function if one is given."""

    def put(
        student: str,
        answers: dict[str, str] | None = None,
        change: Callable[[nbformat.NotebookNode], None] | None = None,
    ) -> Path:
        submit(NAME, {student: REFERENCE if answers is None else answers}, small_course)
        path = small_course / "submitted" / student / NAME / f"{NAME}.ipynb"
        if change:
            notebook = nbformat.read(path, as_version=4)
            change(notebook)
            nbformat.write(notebook, path)
        return path

    return put

"""`ustod check NOTEBOOK`: the whole grader on one notebook, for somebody who studies alone."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.authoring.build import build_course
from autograder.authoring.unit import find_units, read_unit
from autograder.errors import UstodError
from autograder.grading.course import open_course
from autograder.grading.engine import Isolation, grade
from autograder.grading.scores import Scored, scores

ME = "me"


@dataclass(frozen=True)
class SelfCheck:
    """The grades of one notebook, with the language in which to show them."""

    unit: str
    language: str
    scored: list[Scored]


def check_notebook(path: Path) -> SelfCheck:
    """Grade the notebook at `path` in a course made for the purpose; the file itself is only read.

    Raises:
        UstodError: if the file is no notebook, or of no unit of this course.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        about = notebook.metadata.get("ustod", {})
    except FileNotFoundError:
        raise UstodError(f"There is no file {path}; give the path of a notebook.") from None
    except Exception as error:
        raise UstodError(f"The file {path} cannot be read as a notebook: {error}.") from None
    if "unit" not in about:
        raise UstodError(f"The notebook {path} is of no unit of this course; start from one that ustod lab opens.")
    unit, language = str(about["unit"]), str(about.get("language", "en"))
    folder = find_units([unit])[0]
    with tempfile.TemporaryDirectory(prefix="ustod-check-") as temporary:
        root = Path(temporary)
        build_course([read_unit(folder)], language, root, shut_in=False)
        submitted = root / "submitted" / ME / unit
        submitted.mkdir(parents=True)
        for item in path.resolve().parent.iterdir():
            if item.is_file() and item.suffix != ".ipynb" and not item.is_symlink():
                shutil.copyfile(item, submitted / item.name)
        shutil.copyfile(path, submitted / f"{unit}.ipynb")
        course = open_course(root)
        grading = grade(course, unit, workers=1, isolation=Isolation.NONE)
        if problem := grading.problems.get(ME):
            raise UstodError(problem)
        return SelfCheck(unit, language, scores(course, unit, ME))

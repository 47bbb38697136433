"""Grade the same notebooks with stock nbgrader, to hold its scores against ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat

from autograder.authoring.build import build_course
from autograder.authoring.notebook import put_answers
from autograder.authoring.unit import Unit
from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.student.grade import SEED_VARIABLE


def stock_scores(unit: Unit, answers: Mapping[str, Mapping[str, str]], seed: int, folder: Path) -> dict[str, float]:
    """The total score that stock `nbgrader autograde` gives to each of `answers`, by name.

    Args:
        answers: for each name, the exercise sources that replace those of the released notebook.
        seed: for the checks' random numbers.
        folder: an empty folder for the course.
    """
    build_course([unit], "en", folder, shut_in=False)
    submit(unit.name, answers, folder)
    command = [sys.executable, "-m", "nbgrader", "autograde", unit.name, "--log-level=ERROR"]
    environment = {**os.environ, **OFFLINE, SEED_VARIABLE: str(seed)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise UstodError(f"Stock nbgrader could not grade {unit.name}: {done.stderr.strip()[-2000:]}")
    return read_scores(folder, unit.name)


def submit(assignment: str, answers: Mapping[str, Mapping[str, str]], course: Path) -> None:
    """Put one submission a name into ``submitted/`` of `course`: the released files with the answers filled in."""
    released = course / "release" / assignment
    notebook = nbformat.read(released / f"{assignment}.ipynb", as_version=4)
    for name, sources in answers.items():
        folder = course / "submitted" / name.replace("/", "-") / assignment
        folder.mkdir(parents=True, exist_ok=True)
        for path in released.iterdir():
            if path.suffix != ".ipynb":
                (folder / path.name).write_bytes(path.read_bytes())
        nbformat.write(put_answers(notebook, sources), folder / f"{assignment}.ipynb")


def read_scores(course: Path, assignment: str) -> dict[str, float]:
    """The score of every submission of `assignment` in the gradebook of `course`, by student."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course.resolve()}/gradebook.db") as gradebook:
        return {entry.student.id: entry.score for entry in gradebook.assignment_submissions(assignment)}

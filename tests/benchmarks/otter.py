"""The same exercises as an otter-grader assignment, graded by ``otter run`` in an environment of its own."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from benchmarks.commands import output, run
from benchmarks.course import NOTEBOOK, Class, Exercise
from nbformat import NotebookNode

VERSION = "7.0.0"
SET_UP = "\nimport otter\ngrader = otter.Notebook()"


def install_otter(folder: Path) -> Path:
    """The program ``otter`` of an environment in `folder`, made if it is not there.

    The stack is that of this Python, so that both graders import the very same files.
    """
    place = folder / f"otter-{VERSION}"
    program = place / "bin" / "otter"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-m", "venv", "--clear", str(place)], folder)
        question = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = output([str(place / "bin" / "python"), "-c", question], folder).strip()
        Path(packages, "stack.pth").write_text(sysconfig.get_path("purelib") + "\n")
        run([str(place / "bin" / "pip"), "install", f"otter-grader[grading]=={VERSION}"], folder)
    return program


@dataclass(frozen=True)
class OtterAssignment:
    """What otter grades with.

    Attributes:
        program: ``otter``.
        folder: with ``autograder.zip``, and each student's notebook in ``work/``.
    """

    program: Path
    folder: Path

    def grade(self, students: Iterable[str]) -> float:
        """Grade the work of `students`, one command each, as ``otter run`` wants it; the seconds that it took."""
        return sum(self._grade(student) for student in students)

    def _grade(self, student: str) -> float:
        results = self.folder / "results" / student
        results.mkdir(parents=True, exist_ok=True)
        notebook = self.folder / "work" / student / f"{NOTEBOOK}.ipynb"
        return run([str(self.program), "run", "--no-logo", "-o", str(results), str(notebook)], self.folder)

    def scores(self, students: Iterable[str]) -> dict[str, float]:
        """The score of each student, as otter left it."""
        given = {}
        for student in students:
            path = self.folder / "results" / student / "results.json"
            given[student] = float(sum(test.get("score", 0) for test in json.loads(path.read_text())["tests"]))
        return given


def make_otter_assignment(program: Path, folder: Path, made: Class) -> OtterAssignment:
    """The assignment of `made` and the work of its students, as otter wants them, in `folder`."""
    tests = folder / "tests"
    tests.mkdir(parents=True)
    for exercise in made.assignment.exercises:
        (tests / f"{exercise.name}.py").write_text(doctest_file(exercise), encoding="utf-8")
    run([str(program), "generate", "-t", "tests", "-o", "autograder.zip", "--no-requirements"], folder)
    for student in made.students:
        place = folder / "work" / student / f"{NOTEBOOK}.ipynb"
        place.parent.mkdir(parents=True)
        nbformat.write(for_otter(nbformat.read(made.notebook(student), 4)), place)
    return OtterAssignment(program, folder)


def doctest_file(exercise: Exercise) -> str:
    """The assertions of `exercise` as otter's own kind of test: a doctest, worth one point, hidden from the student."""
    code = "\n".join(f">>> {line}" for line in exercise.test.splitlines())
    suites = [{"cases": [{"code": code, "hidden": True, "locked": False}], "scored": True, "type": "doctest"}]
    return f"OK_FORMAT = True\n\ntest = { ({'name': exercise.name, 'points': 1, 'suites': suites})!r}\n"


def for_otter(notebook: NotebookNode) -> NotebookNode:
    """A student's notebook with ``grader.check`` where nbgrader has its test cells, as otter's students have it."""
    notebook.cells[0].source += SET_UP
    for cell in notebook.cells:
        about = cell.metadata.pop("nbgrader", {})
        if about.get("grade"):
            cell.source = f"grader.check({about['grade_id'].removesuffix('-test')!r})"
    return notebook

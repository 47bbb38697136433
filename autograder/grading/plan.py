"""Decide which submissions need grading: those whose work, or whose assignment, has changed since the last time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from autograder.files import write_text
from autograder.grading.course import Course
from autograder.grading.submission import plain_files, trouble

#: Packages whose version may change a score.
_ENVIRONMENT = ("ustod", "nbgrader", "ipykernel", "torch", "transformers", "datasets", "tokenizers", "numpy")

NOTEBOOK = ".ipynb"


@dataclass(frozen=True)
class Task:
    """One submission to be graded.

    Attributes:
        fingerprint: of the submitted files, the assignment and the environment; equal means the same result.
        basis: the same without the texts of the assignment's tests.
        is_revision: whether there is a recorded result with the same basis: parts of it may still hold.
        problem: why the submission cannot be graded, as a sentence; empty if it can be tried.
    """

    course: Course
    assignment: str
    student: str
    fingerprint: str = ""
    basis: str = ""
    is_revision: bool = False
    problem: str = ""

    @property
    def submitted(self) -> Path:
        """The folder that the student handed in."""
        return self.course.folder("submitted", self.student, self.assignment)


def plan(course: Course, assignment: str, students: Collection[str], *, force: bool = False) -> list[Task]:
    """The tasks for those of `students` whose result is missing or stale; for all of them with `force`."""
    basis, notebooks = _fingerprints_of_assignment(course, assignment)
    strangers: set[str] = set()
    if not course.converter.create_student:
        with course.gradebook() as gradebook:
            strangers = {*students} - {student.id for student in gradebook.students}
    tasks = [_task(course, assignment, student, basis, notebooks, student in strangers) for student in students]
    if force:
        return tasks
    recorded = [("", "") if task.problem else _read_fingerprints(task) for task in tasks]
    return [
        replace(task, is_revision=basis == task.basis and not task.problem)
        for task, (fingerprint, basis) in zip(tasks, recorded, strict=True)
        if fingerprint != task.fingerprint or task.problem
    ]


def _task(course: Course, assignment: str, student: str, basis: str, notebooks: str, is_stranger: bool) -> Task:
    folder = course.folder("submitted", student, assignment)
    try:
        if is_stranger:
            mend = "add them with nbgrader db student add, and grade again"
            problem = f"The submission {folder} is of a student who is not in the gradebook; {mend}."
            return Task(course, assignment, student, problem=problem)
        if problem := trouble(folder, course.submitted, course.directory.ignore):
            return Task(course, assignment, student, problem=problem)
        own = _digest(basis, course, folder)
        return Task(course, assignment, student, _digest_of_text(f"{own} {notebooks}"), own)
    except OSError as error:
        what = f"{error.filename or folder} cannot be read ({error.strerror})"
        return Task(course, assignment, student, problem=f"{what}; mend that and grade again.")


def versions() -> tuple[str, ...]:
    """The packages that may change a score, each with its version."""
    return tuple(f"{name} {version(name)}" for name in _ENVIRONMENT)


def fingerprint_file(task: Task) -> Path:
    """Where `record` leaves the fingerprint of what it recorded. A student's name may be as long as a file's may."""
    return task.course.root / ".ustod" / "graded" / task.assignment / task.student / "sha256"


def _read_fingerprints(task: Task) -> tuple[str, str]:
    """The fingerprint and the basis of the last recorded result; empty if there is none, or another program graded
    since."""
    path = fingerprint_file(task)
    if not path.is_file() or not autograded(task).is_dir():
        return "", ""
    match path.read_text().split():
        case [fingerprint, basis, written] if written == _digest("", task.course, autograded(task)):
            return fingerprint, basis
    return "", ""


def write_fingerprint(task: Task) -> None:
    """Remember that what stands in ``autograded/`` now is the result of `task`."""
    path = fingerprint_file(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, f"{task.fingerprint} {task.basis} {_digest('', task.course, autograded(task))}")


def autograded(task: Task) -> Path:
    """Where the recorded result of `task` lies."""
    return task.course.folder("autograded", task.student, task.assignment)


def _fingerprints_of_assignment(course: Course, assignment: str) -> tuple[str, str]:
    """Of everything but the texts of its tests, the environment included; and of its notebooks."""
    with course.gradebook() as gradebook:
        cells = [
            f"{notebook.name} {cell.name} {cell.cell_type} {cell.checksum}"
            for notebook in gradebook.find_assignment(assignment).notebooks
            for cell in notebook.source_cells
        ]
    judged_by = [_but_tests(course.source(assignment, name)) for name in course.notebooks(assignment)]
    about = "\n".join([*versions(), json.dumps(judged_by)])
    config = course.root / "nbgrader_config.py"
    extra = config.read_text("utf-8", "surrogateescape") if config.is_file() else ""
    folder = course.folder("source", ".", assignment)
    notebooks = [path.read_bytes() for path in plain_files(folder) if path.suffix == NOTEBOOK]
    return (
        _digest(f"{len(about)} {about} {extra}", course, folder, [f"*{NOTEBOOK}"]),
        _digest_of_text("\n".join([*sorted(cells), *(hashlib.sha256(content).hexdigest() for content in notebooks)])),
    )


def _but_tests(notebook: NotebookNode | None) -> list[Any]:
    """The code of a source notebook, where tests are but names and tags: from it the judge knows which name is what."""
    return [_but_test(cell) for cell in (notebook.cells if notebook is not None else ()) if cell.cell_type == "code"]


def _but_test(cell: NotebookNode) -> list[Any]:
    text = "" if is_grade(cell) and not is_solution(cell) else cell.source
    return [text, cell.metadata.get("nbgrader", {}).get("grade_id"), sorted(cell.metadata.get("tags", []))]


def _digest_of_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _digest(about: str, course: Course, folder: Path, but: Sequence[str] = ()) -> str:
    """A fingerprint of a text and of the plain files in a folder, `but` those whose names fit these globs."""
    digest = hashlib.sha256(f"{len(about)} {about}".encode("utf-8", "surrogateescape"))
    for path in plain_files(folder, [*course.directory.ignore, *but]):
        name = os.fsencode(path.relative_to(folder))
        digest.update(f" {len(name)} {path.stat().st_size} ".encode() + name)
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()

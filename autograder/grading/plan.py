"""Decide which submissions need grading: those whose work, or whose assignment, has changed since the last time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from autograder.grading.course import Course

#: Packages whose version may change a score.
_ENVIRONMENT = ("ustod", "nbgrader", "ipykernel", "torch", "transformers", "datasets", "tokenizers", "numpy")


@dataclass(frozen=True)
class Task:
    """One submission to be graded.

    Attributes:
        fingerprint: of the submitted files, the assignment and the environment; equal means the same result.
    """

    course: Course
    assignment: str
    student: str
    fingerprint: str

    @property
    def submitted(self) -> Path:
        """The folder that the student handed in."""
        return self.course.folder("submitted", self.student, self.assignment)


def plan(course: Course, assignment: str, students: Iterable[str], *, force: bool = False) -> list[Task]:
    """The tasks for those of `students` whose result is missing or stale; for all of them with `force`."""
    common = _fingerprint_of_assignment(course, assignment)
    tasks = []
    for student in students:
        folder = course.folder("submitted", student, assignment)
        task = Task(course, assignment, student, _digest(common.encode(), *_contents(folder)))
        if force or read_fingerprint(task) != task.fingerprint:
            tasks.append(task)
    return tasks


def fingerprint_file(task: Task) -> Path:
    """Where `record` leaves the fingerprint of what it recorded."""
    return task.course.root / ".ustod" / "graded" / task.assignment / f"{task.student}.sha256"


def read_fingerprint(task: Task) -> str:
    """The fingerprint of the last recorded result, or an empty text."""
    path = fingerprint_file(task)
    autograded = task.course.folder("autograded", task.student, task.assignment)
    return path.read_text() if path.is_file() and autograded.is_dir() else ""


def _fingerprint_of_assignment(course: Course, assignment: str) -> str:
    with course.gradebook() as gradebook:
        cells = [
            f"{notebook.name} {cell.name} {cell.cell_type} {cell.checksum}"
            for notebook in gradebook.find_assignment(assignment).notebooks
            for cell in notebook.source_cells
        ]
    environment = [f"{name} {version(name)}" for name in _ENVIRONMENT]
    config = course.root / "nbgrader_config.py"
    extra = config.read_bytes() if config.is_file() else b""
    source = course.folder("source", ".", assignment)
    return _digest("\n".join(sorted(cells) + environment).encode(), extra, *_contents(source))


def _contents(folder: Path) -> Iterable[bytes]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(folder)).encode("utf-8", "surrogateescape")
            yield path.read_bytes()


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()

"""Decide which submissions need grading: those whose work, or whose assignment, has changed since the last time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from autograder.files import write_text
from autograder.grading.course import Course
from autograder.grading.submission import plain_files, trouble

#: Packages whose version may change a score.
_ENVIRONMENT = ("ustod", "nbgrader", "ipykernel", "torch", "transformers", "datasets", "tokenizers", "numpy")


@dataclass(frozen=True)
class Task:
    """One submission to be graded.

    Attributes:
        fingerprint: of the submitted files, the assignment and the environment; equal means the same result.
        problem: why the submission cannot be graded, as a sentence; empty if it can be tried.
    """

    course: Course
    assignment: str
    student: str
    fingerprint: str
    problem: str = ""

    @property
    def submitted(self) -> Path:
        """The folder that the student handed in."""
        return self.course.folder("submitted", self.student, self.assignment)


def plan(course: Course, assignment: str, students: Collection[str], *, force: bool = False) -> list[Task]:
    """The tasks for those of `students` whose result is missing or stale; for all of them with `force`."""
    common = _fingerprint_of_assignment(course, assignment)
    strangers: set[str] = set()
    if not course.converter.create_student:
        with course.gradebook() as gradebook:
            strangers = {*students} - {student.id for student in gradebook.students}
    tasks = (_task(course, assignment, student, common, student in strangers) for student in students)
    return [task for task in tasks if force or task.problem or read_fingerprint(task) != task.fingerprint]


def _task(course: Course, assignment: str, student: str, common: str, is_stranger: bool) -> Task:
    folder = course.folder("submitted", student, assignment)
    try:
        if is_stranger:
            mend = "add them with nbgrader db student add, and grade again"
            problem = f"The submission {folder} is of a student who is not in the gradebook; {mend}."
            return Task(course, assignment, student, "", problem)
        if problem := trouble(folder, course.submitted, course.directory.ignore):
            return Task(course, assignment, student, "", problem)
        return Task(course, assignment, student, _digest(common, course, folder))
    except OSError as error:
        what = f"{error.filename or folder} cannot be read ({error.strerror})"
        return Task(course, assignment, student, "", f"{what}; mend that and grade again.")


def versions() -> tuple[str, ...]:
    """The packages that may change a score, each with its version."""
    return tuple(f"{name} {version(name)}" for name in _ENVIRONMENT)


def fingerprint_file(task: Task) -> Path:
    """Where `record` leaves the fingerprint of what it recorded. A student's name may be as long as a file's may."""
    return task.course.root / ".ustod" / "graded" / task.assignment / task.student / "sha256"


def read_fingerprint(task: Task) -> str:
    """The fingerprint of the last recorded result; an empty text if there is none, or another program graded since."""
    path = fingerprint_file(task)
    if not path.is_file() or not _autograded(task).is_dir():
        return ""
    fingerprint, _, written = path.read_text().partition(" ")
    return fingerprint if written == _digest("", task.course, _autograded(task)) else ""


def write_fingerprint(task: Task) -> None:
    """Remember that what stands in ``autograded/`` now is the result of `task`."""
    path = fingerprint_file(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, f"{task.fingerprint} {_digest('', task.course, _autograded(task))}")


def _autograded(task: Task) -> Path:
    return task.course.folder("autograded", task.student, task.assignment)


def _fingerprint_of_assignment(course: Course, assignment: str) -> str:
    with course.gradebook() as gradebook:
        cells = [
            f"{notebook.name} {cell.name} {cell.cell_type} {cell.checksum}"
            for notebook in gradebook.find_assignment(assignment).notebooks
            for cell in notebook.source_cells
        ]
    about = "\n".join([*sorted(cells), *versions()])
    config = course.root / "nbgrader_config.py"
    extra = config.read_text("utf-8", "surrogateescape") if config.is_file() else ""
    return _digest(f"{len(about)} {about} {extra}", course, course.folder("source", ".", assignment))


def _digest(about: str, course: Course, folder: Path) -> str:
    """A fingerprint of a text and of the plain files in a folder."""
    digest = hashlib.sha256(f"{len(about)} {about}".encode("utf-8", "surrogateescape"))
    for path in plain_files(folder, course.directory.ignore):
        name = os.fsencode(path.relative_to(folder))
        digest.update(f" {len(name)} {path.stat().st_size} ".encode() + name)
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()

"""The only writer of the gradebook and of ``autograded/``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, TaskCell

from autograder.audit.watch import because
from autograder.files import write_text
from autograder.grading.course import Course
from autograder.grading.plan import fingerprint_file, write_fingerprint
from autograder.grading.run import RECORDING, Result, apply, copy_files, resources_of
from autograder.grading.turn import staging_folder


def record(result: Result) -> None:
    """Write the scores and the autograded files of `result`, which must have no problem.

    All scores are written in one transaction, which ends after the files are in their place. The fingerprint is
    taken away first and written last: if the machine stops in between, the next run records the submission again, and
    since every step replaces what was there, nothing is doubled.
    """
    task = result.task
    fingerprint_file(task).unlink(missing_ok=True)
    staging = Path(tempfile.mkdtemp(dir=_made(staging_folder(task.course))))
    staged = _made(staging / "new")
    try:
        copy_files(task, staged)
        steps = [step for step in task.course.steps[1] if step in RECORDING]
        with because("graded"), task.course.gradebook() as gradebook:
            _enter_submission(gradebook, result)
            for name, text in result.notebooks.items():
                apply(steps, task, nbformat.reads(text, as_version=4), resources_of(task, name))
                write_text(staged / f"{name}.ipynb", text)
            _set_permissions(staged, task.course)
            _swap(staged, task.course.folder("autograded", task.student, task.assignment))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    write_fingerprint(task)


def _enter_submission(gradebook: Gradebook, result: Result) -> None:
    """Every cell is worth nothing at first: no score of an earlier submission stays for one that is missing now.

    Tasks that were handed in wait for somebody to grade them, as in nbgrader.
    """
    task = result.task
    timestamp = task.course.directory.get_existing_timestamp(str(task.submitted))
    gradebook.update_or_create_student(task.student)
    when = {"timestamp": timestamp} if timestamp else {}
    submission = gradebook.update_or_create_submission(task.assignment, task.student, **when)
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            if notebook.name not in result.notebooks or not isinstance(grade.cell, TaskCell):
                grade.auto_score, grade.needs_manual_grade = 0, grade.manual_score is not None


def _set_permissions(staged: Path, course: Course) -> None:
    """As nbgrader does it: files for reading only, unless the course is shared by a group of instructors."""
    files = int(str(course.converter.permissions), 8)
    folders = 0o2775 if course.directory.groupshared else 0o755
    for folder, _, names in os.walk(staged):
        os.chmod(folder, folders)
        for name in names:
            os.chmod(os.path.join(folder, name), files)


def _swap(staged: Path, final: Path) -> None:
    """Put `staged` in the place of `final`, which is never seen half-written."""
    _made(final.parent)
    old = staged.with_name("old")
    if final.exists():
        os.rename(final, old)
    try:
        os.rename(staged, final)
    except OSError:
        if old.exists():
            os.rename(old, final)
        raise


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

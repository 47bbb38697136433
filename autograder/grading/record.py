"""The only writer of the gradebook and of ``autograded/``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbgrader.utils import find_all_files

from autograder.files import write_text
from autograder.grading.plan import Task, fingerprint_file
from autograder.grading.run import RECORDING, Result, apply, resources_of


def record(result: Result) -> None:
    """Write the scores and the autograded files of `result`, which must have no problem.

    The fingerprint is written last: if the machine stops before that, the next run records the submission again, and
    since every step replaces what was there, nothing is doubled.
    """
    task = result.task
    _enter_submission(task, result.missing)
    staged = Path(tempfile.mkdtemp(prefix=".ustod-", dir=_made(task.course.folder("autograded", ".", "."))))
    try:
        _stage_files(task, staged)
        steps = [step for step in task.course.steps[1] if step in RECORDING]
        for name, text in result.notebooks.items():
            apply(steps, task, nbformat.reads(text, as_version=4), resources_of(task, name))
            write_text(staged / f"{name}.ipynb", text)
        _swap(staged, task.course.folder("autograded", task.student, task.assignment))
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    path = fingerprint_file(task)
    _made(path.parent)
    write_text(path, task.fingerprint)


def _enter_submission(task: Task, missing: tuple[str, ...]) -> None:
    timestamp = task.course.directory.get_existing_timestamp(str(task.submitted))
    with task.course.gradebook() as gradebook:
        gradebook.update_or_create_student(task.student)
        when = {"timestamp": timestamp} if timestamp else {}
        gradebook.update_or_create_submission(task.assignment, task.student, **when)
        for name in missing:
            for grade in gradebook.find_submission_notebook(name, task.assignment, task.student).grades:
                grade.auto_score = 0
                grade.needs_manual_grade = False
        gradebook.db.commit()


def _stage_files(task: Task, staged: Path) -> None:
    ignore = [*task.course.directory.ignore, "*.ipynb"]
    for origin in (task.submitted, task.course.folder("source", ".", task.assignment)):
        for name in find_all_files(str(origin), ignore):
            path = Path(name)
            if path.is_file() and not path.is_symlink():
                target = staged / path.relative_to(origin)
                _made(target.parent)
                shutil.copyfile(path, target)


def _swap(staged: Path, final: Path) -> None:
    """Put `staged` in the place of `final`, which is never seen half-written."""
    _made(final.parent)
    os.chmod(staged, 0o755)
    old = None
    if final.exists():
        old = Path(tempfile.mkdtemp(prefix=".ustod-", dir=final.parent)) / final.name
        os.rename(final, old)
    os.rename(staged, final)
    if old:
        shutil.rmtree(old.parent, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""One grader at a time in a course, and whoever comes next sweeps up what a killed one left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from autograder.errors import UstodError
from autograder.grading.course import Course


def running_folder(course: Course) -> Path:
    """Where submissions lie while they run, on a disk of the course rather than in /tmp: there it can be swept."""
    return course.root / ".ustod" / "running"


def staging_folder(course: Course) -> Path:
    """Where a graded submission is made ready, on the disk where it belongs."""
    return course.folder("autograded", ".", ".") / ".ustod"


@contextmanager
def turn(course: Course) -> Iterator[None]:
    """Have the course to oneself. Linux gives it back when this process ends, however it ends.

    Raises:
        UstodError: if another grader has it, or it cannot be written.
    """
    place = course.root / ".ustod"
    lock = FileLock(place / "lock", mode=0o660)  # instructors may share the course
    with _shared(course):
        try:
            if not place.is_dir():
                place.mkdir()
                if course.directory.groupshared:
                    place.chmod(0o2775)  # what is made in it belongs to the folder's group too
            lock.acquire(timeout=0)
        except Timeout:
            raise UstodError(f"Another grader is at work in {course.root}; let it finish, then grade again.") from None
        except PermissionError:
            raise UstodError(f"The folder {place} cannot be written; grade as a user who may write there.") from None
        try:
            _sweep(course)
            running_folder(course).mkdir()
            yield
        finally:
            _sweep(course)
            lock.release()


@contextmanager
def _shared(course: Course) -> Iterator[None]:
    """Let a group of instructors write the folders that the body makes, if they share the course."""
    if not course.directory.groupshared:
        yield
        return
    before = os.umask(0o002)
    try:
        yield
    finally:
        os.umask(before)


def _sweep(course: Course) -> None:
    for folder in (running_folder(course), staging_folder(course)):
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in (".problems.json.*", ".ustod/graded/*/*/.*"):  # what `write_text` had not finished
        for file in course.root.glob(pattern):
            file.unlink(missing_ok=True)

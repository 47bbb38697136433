"""Graders under attack. Each is a function of a course's folder, an assignment and the students to be graded.

`run_attack` calls one in a process of its own, so that what it does to that process, or whether it ever ends, is seen.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

Grade = Callable[[Path, str, list[str]], None]


@dataclass(frozen=True)
class Grader:
    """A grader by name.

    Attributes:
        sandboxed: whether it confines a submission, so that attacks which are not harmless may run on it.
    """

    name: str
    grade: Grade
    sandboxed: bool

    def command(self, course: Path, assignment: str, students: list[str]) -> list[str]:
        """The command that grades in a new process."""
        where = f"{self.grade.__module__}:{self.grade.__name__}"
        return [sys.executable, "-m", "attacks.graders", where, str(course), assignment, *students]


def stock(course: Path, assignment: str, students: list[str]) -> None:
    """`nbgrader autograde`, as nbgrader ships it."""
    everybody = {path.name for path in (course / "submitted").iterdir()}
    others = ",".join(sorted(everybody - set(students)))
    command = [
        sys.executable,
        "-m",
        "nbgrader",
        "autograde",
        assignment,
        f"--CourseDirectory.student_id_exclude={others}",
    ]
    subprocess.run(command, cwd=course, check=True)


def ustod(course: Path, assignment: str, students: list[str]) -> None:
    """`ustod grade` with one worker, so that the students are graded one after the other."""
    from autograder.grading.course import open_course
    from autograder.grading.engine import grade

    grade(open_course(course), assignment, students, workers=1)


STOCK = Grader("stock nbgrader", stock, sandboxed=False)
USTOD = Grader("ustod", ustod, sandboxed=True)
GRADERS = {grader.name: grader for grader in (USTOD, STOCK)}


def main(where: str, course: str, assignment: str, *students: str) -> None:
    """Call the grader ``module:function``."""
    module, _, function = where.partition(":")
    getattr(import_module(module), function)(Path(course), assignment, list(students))


if __name__ == "__main__":
    main(*sys.argv[1:])

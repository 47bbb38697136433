"""The graders that are compared, each of them started as its users start it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.commands import own, run
from benchmarks.course import NAME, NOTEBOOK

from autograder.errors import UstodError


@dataclass(frozen=True)
class Timing:
    """How long one command took for a class.

    Attributes:
        seconds: from its start to its end.
        results: seconds from its start to the moment at which each submission was graded, in that order.
    """

    seconds: float
    results: tuple[float, ...]

    @classmethod
    def since(cls, began: float, course: Path) -> Timing:
        """That of a command which began at `began` (`time.time`), has graded `course` and has just ended."""
        seconds = time.time() - began
        notebooks = (course / "autograded").glob(f"*/{NAME}/{NOTEBOOK}.ipynb")
        moments = sorted(path.stat().st_mtime - began for path in notebooks)
        return cls(seconds, tuple(moment for moment in moments if moment > 0))

    def each(self, beside: int = 1) -> float:
        """Seconds for each further submission, once there is a result for each of those graded side by side.

        Raises:
            UstodError: if there is no further one.
        """
        if len(self.results) <= beside:
            raise UstodError(f"A class of {len(self.results)} is too small to measure; let it have more students.")
        return (self.results[-1] - self.results[beside - 1]) / (len(self.results) - beside)


def ustod_command(course: Path, *options: str) -> list[str]:
    """Grade `course` with Ustod, by two workers unless `options` say otherwise."""
    return [own("ustod"), "grade", NAME, "--course", str(course), *(options or ("--workers", "2"))]


def grade_with_ustod(course: Path, *options: str) -> Timing:
    """Grade `course` with Ustod."""
    return _timed(ustod_command(course, *options), course)


def grade_with_nbgrader(course: Path) -> Timing:
    """Grade `course` with stock nbgrader."""
    return _timed([own("nbgrader"), "autograde", NAME, "--log-level=ERROR"], course)


def agree(expected: Mapping[str, float], given: Mapping[str, float]) -> None:
    """See to it that the score that each student was `given` is the one `expected`.

    Raises:
        UstodError: if not.
    """
    for student, right in expected.items():
        if given.get(student) != right:
            raise UstodError(f"{student} was given {given.get(student)} instead of {right}; look into the grader.")


def _timed(command: list[str], course: Path) -> Timing:
    began = time.time()
    run(command, course)
    return Timing.since(began, course)

"""Checks whose results look wrong: those that good students fail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from autograder.reports.findings import CODE, UNKNOWN, Findings
from autograder.reports.register import Register
from autograder.reports.statistics import FEWEST, Scores, correlation, is_below_zero
from autograder.student.running import State

#: Who has this share of all other points is one of the best.
BEST = 0.9
#: With fewer of the best than this, what they fail says nothing.
FEWEST_BEST = 5
#: So many of the best who fail a check are named.
NAMED = 5


class Reason(StrEnum):
    """Why a check is looked at.

    Attributes:
        REVERSED: those who do well otherwise fail it more often than those who do not.
        BEST_FAIL: most of those who have nearly everything else right fail it.
    """

    REVERSED = "reversed"
    BEST_FAIL = "the best fail"


@dataclass(frozen=True)
class Discrimination:
    """How a property goes with the rest of the work.

    Attributes:
        known: students for whom it has a result; grader faults and what nobody knows are left out.
        failed: those of them who do not have it right.
        correlation: point-biserial, with all other points of the assignment; None where it cannot be said.
        best: students with `BEST` of all other points, and `best_failed` those of them who do not have it right.
    """

    known: int
    failed: int
    correlation: float | None
    best: int
    best_failed: int
    reasons: tuple[Reason, ...] = ()
    examples: tuple[str, ...] = ()


def discriminations(register: Register, findings: Findings) -> list[Discrimination]:
    """For every property of `findings`, in order."""
    totals = register.scores.sum(axis=1)
    return [_discrimination(register, findings, column, totals) for column in range(len(findings.properties))]


def _discrimination(register: Register, findings: Findings, column: int, totals: Scores) -> Discrimination:
    points = findings.properties[column].points
    states = findings.states[:, column]
    rows = np.flatnonzero((states != UNKNOWN) & (states != CODE[State.FAULT]))
    right = (states[rows] == CODE[State.RIGHT]).astype(float)
    rest = totals[rows] - right * points
    others = register.points - points
    best = rest >= BEST * others if others > 0 else np.zeros(len(rows), bool)
    failing = rows[best & (right == 0)]
    value = correlation(right, rest)
    reasons = []
    if is_below_zero(value, len(rows)):
        reasons.append(Reason.REVERSED)
    if len(rows) >= FEWEST and best.sum() >= FEWEST_BEST and 2 * len(failing) > best.sum():
        reasons.append(Reason.BEST_FAIL)
    ranked = sorted(
        failing if len(failing) else rows[right == 0], key=lambda row: (-totals[row], register.students[row])
    )
    examples = tuple(register.students[row] for row in ranked[:NAMED]) if reasons else ()
    failed = int((right == 0).sum())
    return Discrimination(len(rows), failed, value, int(best.sum()), len(failing), tuple(reasons), examples)

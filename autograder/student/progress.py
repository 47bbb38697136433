"""A learner's own record of what they did: a line for each check that they ran, and one a minute while they work.

It is written where ``USTOD_PROGRESS`` says, which `ustod lab` and a lab server set. It is no grade, and no grader reads
or writes it. Lines are only ever added, each with the end of the line before it, so that one that a power cut has torn
spoils no other.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from autograder.student.running import Outcome, State

VARIABLE = "USTOD_PROGRESS"
#: Seconds between two lines that say no more than that somebody is at work.
MINUTE = 60

_last: dict[str, float] = {}


def note_check(unit: str, exercise: str, outcomes: Sequence[Outcome]) -> None:
    """Note what the checks of an exercise gave. Never raises: a full disk is no reason for no feedback."""
    if outcomes and _is_learners_kernel():
        _add(
            unit=unit,
            exercise=exercise,
            done=all(outcome.state is State.RIGHT for outcome in outcomes),
            score=sum(outcome.score for outcome in outcomes),
            points=sum(outcome.points for outcome in outcomes),
        )


def note_work(unit: str) -> None:
    """From now on note, while cells run in this kernel, that somebody works on `unit`."""
    if not _is_learners_kernel():
        return
    is_new = not _last
    _last.clear()
    _last[unit] = float("-inf")
    if is_new:
        _shell().events.register("post_run_cell", _after_cell)


def _after_cell(*_result: object) -> None:
    for unit, noted in _last.items():
        if time.monotonic() - noted >= MINUTE:
            _last[unit] = time.monotonic()
            _add(unit=unit)


def _is_learners_kernel() -> bool:
    """Whether somebody sits before this kernel: neither a grader nor a judge runs it."""
    graded = "NBGRADER_EXECUTION" in os.environ
    return bool(os.environ.get(VARIABLE)) and not graded and hasattr(_shell(), "kernel")


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _add(**event: object) -> None:
    line = json.dumps({"time": int(time.time()), **event}, ensure_ascii=False, separators=(",", ":"))
    with suppress(OSError):
        descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"\n{line}".encode())
        finally:
            os.close(descriptor)

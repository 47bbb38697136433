"""What the students of a class hand in, and what they must get for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shared import SUMS

from autograder.authoring.unit import read_unit

NAME = SUMS.name

REFERENCE = read_unit(SUMS).lesson.reference
CELL_SECONDS = 8

#: What every student answers, and the points they must get: of sums.total (3) and of sums.over (3).
CLASS: dict[str, tuple[dict[str, str], float, float]] = {
    "Фирӯза Раҳимова": (REFERENCE, 3, 3),
    "empty": ({}, 0, 0),
    "half": ({"sums.total": "def total(numbers): return sum(numbers)"}, 3, 0),
    "rejected": (REFERENCE | {"sums.over": "def over(n, limit): return [x for x in n if x >= limit]"}, 3, 2),
    "crashing": (REFERENCE | {"sums.total": "def total(numbers): return numbers[0] + sum(numbers[1:])"}, 2, 3),
    "looping": (REFERENCE | {"sums.over": "def over(n, limit):\n    while True: pass"}, 3, 0),
    "stuck": (REFERENCE | {"sums.over": "while True: pass"}, 3, 0),
    "noisy": (
        {
            "sums.total": "import logging, os, sys, warnings\n"
            "logging.getLogger('noisy').addHandler(logging.StreamHandler(sys.stderr))\n"
            "def total(numbers):\n"
            "    print('out'); print('err', file=sys.stderr); warnings.warn('warn')\n"
            "    logging.getLogger('noisy').warning('log'); os.write(2, b'descriptor')\n"
            "    return sum(numbers)",
            "sums.over": REFERENCE["sums.over"],
        },
        3,
        3,
    ),
}

Hand = Callable[..., Path]


def unshut(course: Path) -> Path:
    """Let nbgrader run the students' cells of `course` in this account, as it does in a course of its own making."""
    config = course / "nbgrader_config.py"
    config.write_text(f'{config.read_text("utf-8")}\nc.ExecutePreprocessor.kernel_name = "python3"\n', "utf-8")
    return course


def total_of(student: str) -> float:
    _, total, over = CLASS[student]
    return total + over

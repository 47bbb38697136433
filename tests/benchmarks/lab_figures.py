"""What was measured of two labs, and what follows from it: memory of one more student, and how many fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

MB, GB = 1e6, 1e9
STOCK, OURS = "stock", "ours"


@dataclass
class Samples:
    """By what was measured and by lab; and words that belong to it."""

    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, lab: str, sample: float) -> None:
        """Note one sample."""
        self.samples.setdefault(what, {}).setdefault(lab, []).append(sample)

    def median(self, what: str, lab: str) -> float:
        """Of the samples of `what` in `lab`."""
        return median(self.samples[what][lab])


@dataclass(frozen=True)
class Snapshot:
    """Memory with some students at work, in bytes.

    Attributes:
        students: how many.
        total: of all processes, the lab's own too; shared pages once (PSS).
        own: of the students' processes (PSS).
        free: what Linux calls available.
    """

    students: int
    total: int
    own: int
    free: int


def extra(few: Snapshot, many: Snapshot) -> dict[str, float]:
    """Megabytes of one more student: by all processes, by the students' own, and by what Linux has left.

    `base` is what there would be without any student in this state, such as libraries that all of them map.
    """
    more = many.students - few.students
    each = (many.total - few.total) / more
    return {
        "memory": each / MB,
        "own": many.own / many.students / MB,
        "free": (few.free - many.free) / more / MB,
        "base": (few.total - few.students * each) / MB,
    }


def students_that_fit(memory: float, base: float, reserve: float, each: float) -> int:
    """How many students fit into `memory`, all in one unit."""
    return max(0, int((memory - base - reserve) // each))

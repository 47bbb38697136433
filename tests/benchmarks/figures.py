"""What was measured, and how it is summed up: medians, spreads, and ratios within a round."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

STOCK = "stock nbgrader"


@dataclass(frozen=True)
class Spread:
    """The median of some samples, the least and the greatest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, samples: list[float]) -> Spread:
        """Sum up `samples`, of which there must be one."""
        return cls(median(samples), min(samples), max(samples))


@dataclass
class Section:
    """One comparison.

    Attributes:
        key: its name on the command line.
        title: what was measured.
        unit: of all samples.
        baseline: the row that the others are compared with.
        note: how it was measured, as sentences.
        samples: by row, one sample a round; rows are compared round by round, since the machine changes in between.
    """

    key: str
    title: str
    unit: str
    baseline: str
    note: str
    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, row: str, sample: float) -> None:
        """Note one sample."""
        self.samples.setdefault(row, []).append(sample)

    def spread(self, row: str) -> Spread:
        """What the samples of `row` come to."""
        return Spread.of(self.samples[row])

    def ratio(self, row: str) -> Spread | None:
        """How many times the baseline `row` is; None for the baseline itself, and where they share no rounds."""
        base = self.samples.get(self.baseline, [])
        own = self.samples[row]
        if row == self.baseline or len(base) != len(own):
            return None
        return Spread.of([mine / theirs for mine, theirs in zip(own, base, strict=True)])

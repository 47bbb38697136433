"""Measures of a class and of its exercises, as they are defined in the theory of tests.

Sources: R. L. Ebel and D. A. Frisbie, *Essentials of Educational Measurement* (1991), chapter 13, for difficulty and
discrimination; T. L. Kelley, "The selection of upper and lower groups for the validation of test items", *Journal of
Educational Psychology* 30 (1939), for the share of 27 percent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

#: The best and the worst of a class, as a share of it.
KELLEY = 0.27
#: Below this many submissions a correlation says nothing.
FEWEST = 8
#: One-sided bound of five percent of the normal distribution.
FIVE_PERCENT = 1.645


@dataclass(frozen=True)
class Summary:
    """A distribution of scores; quartiles are interpolated linearly between neighbours."""

    count: int
    mean: float
    deviation: float
    lowest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    highest: float


def summary(scores: Scores) -> Summary | None:
    """The distribution of `scores`, with the standard deviation of a sample; None without any."""
    if not len(scores):
        return None
    low, first, middle, third, high = (float(value) for value in np.quantile(scores, (0, 0.25, 0.5, 0.75, 1)))
    deviation = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
    return Summary(len(scores), float(scores.mean()), deviation, low, first, middle, third, high)


def correlation(ones: Scores, others: Scores) -> float | None:
    """Pearson's correlation; None if there are fewer than `FEWEST` pairs, or one side is the same for all.

    Between an item that is right or wrong and the rest of the score it is called point-biserial.
    """
    if len(ones) < FEWEST:
        return None
    first, second = ones - ones.mean(), others - others.mean()
    spread = math.sqrt(float(first @ first) * float(second @ second))
    # what differs only by rounding is the same for all
    if spread <= 1e-9 * max(1.0, float(np.abs(ones).max()) * float(np.abs(others).max())) * len(ones):
        return None
    return float(np.clip(float(first @ second) / spread, -1, 1))


def upper_minus_lower(shares: Scores, totals: Scores, part: float = KELLEY) -> float | None:
    """How much better the best of a class do on an item than the worst: the mean of their `shares`, subtracted.

    The best are those with the highest `totals`, `part` of all of them. Where equal totals straddle the border, each
    of those students counts for the share of the places that are left, so that no order of names decides.
    """
    count = part * len(totals)
    if len(totals) < FEWEST:
        return None
    upper, lower = _weights(totals, count), _weights(-totals, count)
    return float(upper @ shares / upper.sum() - lower @ shares / lower.sum())


def _weights(totals: Scores, count: float) -> Scores:
    """For each total how much of it belongs to the `count` highest."""
    border = np.sort(totals)[::-1][math.ceil(count) - 1]
    above, level = totals > border, totals == border
    weights: Scores = above + level * ((count - above.sum()) / level.sum())
    return weights


def is_below_zero(value: float | None, count: int) -> bool:
    """Whether a correlation of `count` pairs is less than zero by more than chance: one-sided, five percent.

    By Fisher's transformation, whose standard error is 1 / sqrt(count - 3).
    """
    if value is None or count < FEWEST:
        return False
    return math.atanh(max(value, -1 + 1e-12)) * math.sqrt(count - 3) < -FIVE_PERCENT

"""Measures are held against SciPy, the standard library and brute force, and against what must not change them."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autograder.reports.statistics import FEWEST, correlation, is_below_zero, summary, upper_minus_lower

points = st.integers(0, 40).map(lambda halves: halves / 2)
pairs = st.lists(st.tuples(points, points), min_size=FEWEST, max_size=60)


def both(found: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    first, second = zip(*found, strict=True)
    return np.array(first), np.array(second)


@given(pairs)
def test_correlation_is_scipys(found: list[tuple[float, float]]) -> None:
    ones, others = both(found)
    value = correlation(ones, others)
    if len(set(ones)) == 1 or len(set(others)) == 1:
        assert value is None
    else:
        assert value == pytest.approx(stats.pearsonr(ones, others).statistic, abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), points), min_size=FEWEST, max_size=60))
def test_of_right_and_wrong_it_is_the_point_biserial(found: list[tuple[bool, float]]) -> None:
    right, rest = np.array([float(one) for one, _ in found]), np.array([other for _, other in found])
    value = correlation(right, rest)
    if value is not None:
        assert value == pytest.approx(stats.pointbiserialr(right == 1, rest).statistic, abs=1e-9)


def test_of_few_nothing_is_said() -> None:
    few = np.arange(FEWEST - 1.0)
    assert correlation(few, few) is None and upper_minus_lower(few, few) is None
    assert not is_below_zero(-1.0, FEWEST - 1)


@given(st.permutations(range(40)), st.lists(st.integers(0, 4), min_size=40, max_size=40))
def test_without_equal_totals_the_best_and_the_worst_are_counted_out(order: list[int], shares: list[int]) -> None:
    totals, parts = np.array(order, float), np.array(shares) / 4
    ranked = [parts[student] for student in np.argsort(-totals)]
    part = 0.25  # ten of forty
    expected = sum(ranked[:10]) / 10 - sum(ranked[-10:]) / 10
    assert upper_minus_lower(parts, totals, part) == pytest.approx(expected)


@given(pairs)
def test_the_order_of_names_decides_nothing(found: list[tuple[float, float]]) -> None:
    shares, totals = both([(one / 20, other) for one, other in found])
    order = np.random.default_rng(len(found)).permutation(len(found))
    assert upper_minus_lower(shares, totals) == pytest.approx(upper_minus_lower(shares[order], totals[order]))


@given(pairs)
def test_upper_minus_lower_stays_within_its_bounds(found: list[tuple[float, float]]) -> None:
    shares, totals = both([(one / 20, other) for one, other in found])
    value = upper_minus_lower(shares, totals)
    assert value is not None and -1 - 1e-9 <= value <= 1 + 1e-9
    if len(set(totals)) == 1:
        assert value == pytest.approx(0)


@given(st.lists(points, min_size=2, max_size=50))
def test_the_summary_is_that_of_others(scores: list[float]) -> None:
    found = summary(np.array(scores))
    assert found is not None
    assert (found.count, found.lowest, found.highest) == (len(scores), min(scores), max(scores))
    assert found.mean == pytest.approx(statistics.mean(scores))
    assert found.deviation == pytest.approx(stats.tstd(scores), abs=1e-9)
    assert found.median == pytest.approx(np.median(scores))
    assert summary(np.array([])) is None


@given(st.floats(-0.99, 0.99), st.integers(FEWEST, 300))
def test_below_zero_by_more_than_chance_is_fishers(value: float, count: int) -> None:
    probability = stats.norm.cdf(np.arctanh(value) * np.sqrt(count - 3))
    if abs(probability - 0.05) > 1e-4:
        assert is_below_zero(value, count) == (probability < 0.05)

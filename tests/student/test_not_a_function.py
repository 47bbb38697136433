"""A learner who gives a function's name to something else is told so, and gains nothing."""

from __future__ import annotations

import pytest

from autograder.student.protocol import Check
from autograder.student.running import State, run_check


def calls_count(student, rng):
    """Anything holds of count."""
    student.count([1, 2])


@pytest.mark.parametrize("value", [7, None, "count", [1], {}])
def test_a_name_that_is_no_function_is_the_learners_crash(value):
    outcome = run_check(Check.of(calls_count, "e.x", 2, 5), {"count": value}, seed=1)
    assert outcome.state is State.CRASHED
    assert outcome.score == 0
    assert "is not callable" in outcome.traceback

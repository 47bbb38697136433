"""How long a command took is read from what it left; a wrong score stops the benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.course import NAME, NOTEBOOK
from benchmarks.graders import Timing, agree

from autograder.errors import UstodError

BEGAN = 1_700_000_000.0


def leave(course: Path, student: str, moment: float) -> None:
    path = course / "autograded" / student / NAME / f"{NOTEBOOK}.ipynb"
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (moment, moment))


def test_results_are_counted_from_the_start_of_the_command_and_older_ones_are_left_out(tmp_path: Path) -> None:
    for student, moment in (("late", 9.0), ("early", 4.0), ("of last time", -60.0)):
        leave(tmp_path, student, BEGAN + moment)
    assert Timing.since(BEGAN, tmp_path).results == (4.0, 9.0)


def test_what_each_further_submission_takes_leaves_out_all_before_the_first_results() -> None:
    timing = Timing(20.0, (8.0, 8.5, 9.0, 10.0, 12.5))
    assert timing.each() == pytest.approx(4.5 / 4)
    assert timing.each(beside=2) == pytest.approx(4.0 / 3)


def test_a_class_too_small_to_measure_is_refused_in_a_sentence() -> None:
    with pytest.raises(UstodError, match="more students"):
        Timing(5.0, (4.0, 4.1)).each(beside=2)


def test_a_wrong_or_missing_score_is_named() -> None:
    agree({"one": 3.0}, {"one": 3.0, "two": 2.0})
    with pytest.raises(UstodError, match=r"two was given 2\.0 instead of 3\.0"):
        agree({"one": 3.0, "two": 3.0}, {"one": 3.0, "two": 2.0})
    with pytest.raises(UstodError, match="two was given None"):
        agree({"one": 3.0, "two": 3.0}, {"one": 3.0})

"""A lab beside a stock one: what follows from the samples, and how it is told."""

from __future__ import annotations

import json

import pytest
from benchmarks.lab import Line, as_json, fitting, markdown, table
from benchmarks.lab_figures import Samples, Snapshot, extra, students_that_fit

MB = 10**6


@pytest.fixture
def found() -> Samples:
    found = Samples()
    for lab, each, base in (("stock", 500.0, 500.0), ("ours", 100.0, 1000.0)):
        found.add("memory-idle", lab, each)
        found.add("base-idle", lab, base)
    for stock, ours in ((10.0, 2.0), (12.0, 2.0), (20.0, 4.0)):
        found.add("ready", "stock", stock)
        found.add("ready", "ours", ours)
    return found


def test_one_more_student_is_told_from_one_to_several() -> None:
    one = Snapshot(1, total=700 * MB, own=250 * MB, free=9000 * MB)
    five = Snapshot(5, total=1100 * MB, own=600 * MB, free=8500 * MB)
    assert extra(one, five) == {"memory": 100, "own": 120, "free": 125, "base": 600}


def test_students_fit_beside_the_labs_own_programs_and_a_reserve() -> None:
    assert students_that_fit(8000, base=600, reserve=1000, each=100) == 64
    assert students_that_fit(8000, base=601, reserve=1000, each=100) == 63
    assert students_that_fit(1000, base=600, reserve=1000, each=100) == 0


def test_each_lab_fits_its_own_students(found: Samples) -> None:
    assert (fitting(found, "idle", 8, "stock"), fitting(found, "idle", 8, "ours")) == (13, 60)
    assert fitting(found, "imported", 8, "stock") is None


def test_less_time_and_more_students_are_better(found: Samples) -> None:
    better = {line.what: line.better for line in table(found, 5, 30)}
    assert better["login to a kernel that has imported torch and transformers, alone"] == 6
    assert better["students that fit in 8 GB: server without a kernel"] == 60 / 13


def test_nothing_is_said_of_what_one_lab_alone_was_measured_at(found: Samples) -> None:
    before = len(list(table(found, 5, 30)))
    found.add("crowd-lab", "ours", 30.0)
    assert len(list(table(found, 5, 30))) == before


def test_the_table_and_the_same_for_programs() -> None:
    lines = [Line("time", "s", [10.0, 12.0, 20.0], [2.0]), Line("refused", "", [0.0], [3.0])]
    shown = markdown({"cores": "2"}, lines).splitlines()
    assert shown[0] == "cores 2."
    assert shown[4:6] == ["| time | s | 12.0 (10.0 to 20.0) | 2.00 | 6.00 × |", "| refused |  | 0.000 | 3.00 |  |"]
    assert [row["better"] for row in json.loads(as_json({}, lines))["lines"]] == [6.0, None]

"""The table says what was measured, no more and no less."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.figures import Section, Spread
from benchmarks.report import Report, markdown, number
from hypothesis import given
from hypothesis import strategies as st

SAMPLES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=9)


@pytest.fixture
def report() -> Report:
    speed = Section("speed", "Grading", "a minute", "stock", "On a quiet machine.")
    for stock, ours in ((10.0, 300.0), (5.0, 200.0), (8.0, 400.0)):
        speed.add("stock", stock)
        speed.add("ours", ours)
    memory = Section("memory", "Memory", "MB", "", "Of one run.", {"peak": [1234.5]})
    return Report({"cores": "2"}, [0.5, 2.0], [speed, memory])


def test_rows_are_compared_within_a_round(report: Report) -> None:
    assert report.sections[0].ratio("ours") == Spread(40.0, 30.0, 50.0)


def test_the_table(report: Report) -> None:
    assert markdown(report).splitlines() == [
        "cores 2. Load average 0.5 at the start, 2.0 at the end.",
        "",
        "### Grading",
        "",
        "|  | a minute: median | least to most | rounds | ratio to stock (least to most) |",
        "| --- | --: | --: | --: | --: |",
        "| stock | 8.00 | 5.00 to 10.0 | 3 |  |",
        "| ours | 300 | 200 to 400 | 3 | 40.0 (30.0 to 50.0) |",
        "",
        "On a quiet machine.",
        "",
        "### Memory",
        "",
        "|  | MB: median | least to most | rounds |",
        "| --- | --: | --: | --: |",
        "| peak | 1234 | 1234 to 1234 | 1 |",
        "",
        "Of one run.",
    ]


def test_rows_that_share_no_rounds_are_not_compared() -> None:
    section = Section("", "", "", "stock", "", {"stock": [1.0], "ours": [2.0, 3.0]})
    assert section.ratio("ours") is None


def test_all_of_it_is_written(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "bench")
    assert sorted(path.name for path in (tmp_path / "bench").iterdir()) == ["figures.json", "plot.png", "table.md"]
    figures = json.loads((tmp_path / "bench" / "figures.json").read_text())
    assert figures["sections"][0]["samples"]["ours"] == [300.0, 200.0, 400.0]
    assert (tmp_path / "bench" / "plot.png").read_bytes().startswith(b"\x89PNG")


@given(SAMPLES)
def test_a_median_lies_within_its_spread(samples: list[float]) -> None:
    spread = Spread.of(samples)
    assert spread.least <= spread.median <= spread.most
    assert {spread.least, spread.most} <= set(samples)


@given(SAMPLES)
def test_the_ratio_of_equals_is_one(samples: list[float]) -> None:
    section = Section("", "", "", "stock", "", {"stock": samples, "ours": list(samples)})
    assert section.ratio("ours") == Spread(1.0, 1.0, 1.0)


@given(st.floats(-1e6, 1e6))
def test_a_number_is_short_and_true(value: float) -> None:
    shown = number(value)
    assert "e" not in shown
    assert float(shown) == pytest.approx(value, rel=0.006, abs=0.0006)

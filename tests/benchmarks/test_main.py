"""The command measures what it is asked for, and refuses what it does not know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "benchmarks", *arguments]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, text=True)


def test_an_unknown_part_is_wrong_usage(tmp_path: Path) -> None:
    done = bench("dance", "--out", str(tmp_path / "bench"))
    assert done.returncode == 2
    assert "there is no part dance; the parts are throughput, kernels" in done.stderr
    assert not (tmp_path / "bench").exists()


@pytest.mark.slow
def test_a_small_run_measures_and_leaves_a_table(tmp_path: Path) -> None:
    options = ("--size", "3", "--rounds", "1", "--kernels", "1", "--crowd", "4", "--out", str(tmp_path))
    done = bench("kernels", "regrade", "crowd", *options)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [section["key"] for section in figures["sections"]] == [
        "kernel",
        "memory",
        "regrade",
        "crowd",
        "crowd-memory",
    ]
    assert all(sample > 0 for section in figures["sections"] for row in section["samples"].values() for sample in row)
    assert (tmp_path / "table.md").read_text() in done.stdout

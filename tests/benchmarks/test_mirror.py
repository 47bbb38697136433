"""The table of downloads says what was measured, and a download that was not whole is no success."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from benchmarks.mirror import Run, _tell


@pytest.mark.parametrize(("whole", "code"), [(20, 0), (19, 1)])
def test_what_was_measured_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: int, code: int) -> None:
    options = argparse.Namespace(downloads=20, rounds=2, processes=2, out=tmp_path / "out", load=0.5)
    runs = {
        "ustod mirror": [Run(100, 3, 50, 20), Run(300, 1, 60, whole)],
        "nginx": [Run(200, 2, 9, 20), Run(210, 2, 9, 20)],
    }
    assert _tell(runs, options, 60_000_000) == code
    told = capsys.readouterr().out
    assert "| ustod mirror | 200 (100-300) | 2.0 | 60 |" in told and f"{20 + whole} of 40" in told
    assert (tmp_path / "out" / "table.md").read_text() == told

"""What commands write where there is no terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest

TABLE = """
from rich.table import Table
from autograder.terminal import terminal
table = Table("name", "reason")
table.add_row("Саидова Гулбаҳор", "a reason that needs " + "many " * 20 + "words")
terminal().print(table)
terminal().print("A sentence that has " + "many " * 20 + "words.")
"""


def written(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TABLE],
        env={"PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_in_a_pipe_a_table_is_whole_and_a_sentence_is_one_line() -> None:
    lines = written().splitlines()
    assert any("Саидова Гулбаҳор" in line and line.count("many") == 20 for line in lines)
    assert lines[-1].startswith("A sentence") and lines[-1].endswith("words.")


@pytest.mark.parametrize("columns", ["60", "80"])
def test_whoever_says_how_wide_is_obeyed(columns: str) -> None:
    assert max(map(len, written(COLUMNS=columns).splitlines())) <= int(columns)

"""Run the programs that are measured, as a person at a terminal runs them."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from autograder.environment import OFFLINE, put_own_programs_on_path
from autograder.errors import UstodError


def own(program: str) -> str:
    """The program of this Python's environment, as a path."""
    return str(Path(sysconfig.get_path("scripts"), program))


def run(command: Sequence[str], folder: Path) -> float:
    """Run `command` in `folder` and return the seconds that it took.

    Raises:
        UstodError: if it fails.
    """
    began = time.perf_counter()
    output(command, folder)
    return time.perf_counter() - began


def output(command: Sequence[str], folder: Path) -> str:
    """Run `command` in `folder` and return what it printed.

    Raises:
        UstodError: if it fails.
    """
    with start(command, folder) as process:
        said, complaint = process.communicate()
    if process.returncode:
        last = "\n".join((said + complaint).splitlines()[-20:])
        raise UstodError(f"The command {' '.join(command)} in {folder} failed; it said: {last}")
    return said


def start(command: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start `command` in `folder`, with its output kept."""
    put_own_programs_on_path()
    environment = {**os.environ, **OFFLINE}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)

"""Work for the workers of tests: importable in another process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def negative(number: int) -> int:
    return -number


def fatal_if_odd(number: int) -> int:
    """The process does not survive an odd number."""
    if number % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return -number


def fatal_once(mark: Path) -> str:
    """The first process does not survive, the second does."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mark.name


def large(mark: Path) -> str:
    """More than a pipe holds. Who does it is in the file `mark` a moment before the end."""
    unfinished = mark.with_suffix(".part")
    unfinished.write_text(str(os.getpid()))
    unfinished.rename(mark)
    time.sleep(0.2)
    return "x" * 3_000_000


def patient(seconds: float) -> float:
    time.sleep(seconds)
    return seconds

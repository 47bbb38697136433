"""What test modules of several folders say in the same words."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

#: The unit of fixtures, complete and without heavy imports.
SUMS = Path(__file__).parent / "fixtures" / "u90_sums"
#: Fill a folder, named by the text, once for all processes of a test run.
Once = Callable[[str, Callable[[Path], None]], Path]
#: Replace one text in one file of a copy of the unit of fixtures.
Break = Callable[[str, str, str], Path]
#: Run the command `ustod` with arguments and environment.
Ustod = Callable[..., "subprocess.CompletedProcess[str]"]


def wait_for(condition: Callable[[], object], patience: float = 120.0) -> None:
    """Wait until `condition` holds.

    Raises:
        TimeoutError: if it does not within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)

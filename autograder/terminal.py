"""Where commands write what people read."""

from __future__ import annotations

import os
import sys

from rich.console import Console

#: Columns of what is no terminal: in a file or a pipe a table is whole and a sentence is one line.
WIDE = 1000


def terminal(*, stderr: bool = False) -> Console:
    """Standard output, or standard error: as wide as the terminal, and as wide as it takes where there is none."""
    console = Console(stderr=stderr)
    if not (sys.stderr if stderr else sys.stdout).isatty() and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console

"""Author mistakes: one clear sentence with file and line."""

from __future__ import annotations

import re
from pathlib import Path

from autograder.errors import UstodError


class AuthorMistake(UstodError):
    """A mistake in a unit's sources, as ``path:line: sentence``."""

    def __init__(self, path: Path, line: int, sentence: str) -> None:
        super().__init__(f"{path}:{line}: {sentence}")
        self.path = path
        self.line = line


def line_of(text: str, pattern: str) -> int:
    """The number of the first line of `text` that matches the regular expression `pattern`, or 1."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)), 1)

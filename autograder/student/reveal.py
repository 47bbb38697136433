"""What a course that is at hand can show somebody who studies alone: hidden checks, hints, the solution."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from pathlib import Path

from autograder.student.answers import CHECK_FILE
from autograder.student.protocol import Check, load_checks


class Note:
    """A short text, or code, shown under a cell."""

    def __init__(self, text: str, *, code: bool = False) -> None:
        self.text = text
        self._tag = "pre" if code else "p"

    def _repr_html_(self) -> str:
        return f'<{self._tag} class="ustod" style="margin:4px 8px">{escape(self.text)}</{self._tag}>'

    def __repr__(self) -> str:
        return self.text


def checks(source: Path, exercise: str) -> list[Check]:
    """The hidden checks of `exercise` in the file `source`."""
    return [check for check in _all_checks(source) if check.exercise == exercise]


@lru_cache
def _all_checks(source: Path) -> tuple[Check, ...]:
    return tuple(load_checks(source.read_text(encoding="utf-8"), f"{CHECK_FILE} of {source.parent.name}>"))


def solution(lesson: Path, exercise: str) -> str:
    """The reference solution of `exercise`: its cell in `lesson`, without the markers."""
    text = lesson.read_text(encoding="utf-8")
    found = re.search(rf'^# %%[^\n]*\bexercise="{re.escape(exercise)}"[^\n]*\n(.*?)(?=^# %%|\Z)', text, re.S | re.M)
    if found is None:
        raise LookupError(f"The file {lesson} has no exercise {exercise}.")
    lines = found[1].rstrip().split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith("### "))

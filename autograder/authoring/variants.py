"""Answers that keep a unit's checks honest: `accepted/` must pass, `rejected/` must fail one named check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.lesson import Kind, read_cells
from autograder.authoring.mistakes import AuthorMistake
from autograder.authoring.unit import Unit


@dataclass(frozen=True)
class Variant:
    """A learner's possible work on a unit.

    Attributes:
        name: such as ``rejected/counts_pairs_once``.
        sentence: the approach, or the misconception.
        fails: the one hidden check that must fail; empty if all must pass.
        answers: source by exercise id; exercises that are not named keep the reference solution.
    """

    name: str
    sentence: str
    fails: str
    answers: Mapping[str, str]


def read_variants(unit: Unit) -> list[Variant]:
    """Every file in `accepted/` and `rejected/` of `unit`.

    Raises:
        AuthorMistake: for a file that names an unknown exercise or check, or lacks its first line.
    """
    paths = [path for kind in ("accepted", "rejected") for path in sorted((unit.folder / kind).glob("*.py"))]
    return [_read_variant(unit, path) for path in paths]


def _read_variant(unit: Unit, path: Path) -> Variant:
    head = re.match(r"(#(?! %%)[^\n]*\n)*", path.read_text(encoding="utf-8"))
    comments = [line.lstrip("# ") for line in (head[0] if head else "").splitlines()]
    fails = next((line.removeprefix("fails:").strip() for line in comments if line.startswith("fails:")), "")
    sentence = " ".join(line for line in comments if not line.startswith("fails:"))
    rejected = path.parent.name == "rejected"
    if not sentence:
        raise AuthorMistake(path, 1, "the first line must say in a comment what this answer does.")
    if rejected and fails not in {check.name for check in unit.checks}:
        raise AuthorMistake(path, 1, f"“# fails: {fails}” must name one check of checks.py.")
    if not rejected and fails:
        raise AuthorMistake(path, 1, "an accepted answer fails no check; move the file to rejected/.")
    known = unit.lesson.of(Kind.EXERCISE)
    answers = {}
    for cell in read_cells(path, require_markers=False):
        if cell.kind is not Kind.EXERCISE or cell.exercise not in known:
            raise AuthorMistake(path, cell.line, "every cell must answer an exercise of the lesson.")
        answers[cell.exercise] = cell.source
    if not answers:
        raise AuthorMistake(path, 1, 'there is no cell; start one with # %% exercise="…".')
    return Variant(f"{path.parent.name}/{path.stem}", sentence, fails, answers)

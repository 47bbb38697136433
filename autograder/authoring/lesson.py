"""Read a `lesson.py`: jupytext's percent format, with exercises and checks named in the cell metadata."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import jupytext

from autograder.authoring.mistakes import AuthorMistake

BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_JUPYTEXTS_OWN = {"jupyter", "lines_to_next_cell", "lines_to_end_of_cell_marker"}
_KNOWN_METADATA = {"exercise", "check", "locked", "aside"}


class Kind(StrEnum):
    """What a cell is for. An aside is an example that nothing after it needs: for the learner an ordinary cell."""

    PROSE = "prose"
    CODE = "code"
    ASIDE = "aside"
    LOCKED = "locked"
    EXERCISE = "exercise"
    CHECK = "check"


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson.

    Attributes:
        kind: what it is for.
        source: markdown for prose, Python otherwise.
        line: the line of its ``# %%`` marker.
        exercise: the exercise's id, for exercises and their checks; empty otherwise.
    """

    kind: Kind
    source: str
    line: int
    exercise: str = ""


@dataclass(frozen=True)
class Lesson:
    """The cells of one `lesson.py`, in order."""

    path: Path
    cells: tuple[Cell, ...]

    def of(self, kind: Kind) -> dict[str, Cell]:
        """The cells of `kind` by exercise id (for exercises and checks)."""
        return {cell.exercise: cell for cell in self.cells if cell.kind is kind}

    @property
    def exercises(self) -> list[str]:
        """The ids of the exercises in order."""
        return [cell.exercise for cell in self.cells if cell.kind is Kind.EXERCISE]

    @property
    def reference(self) -> dict[str, str]:
        """The source of each exercise with its solution, by exercise id."""
        return {name: cell.source for name, cell in self.of(Kind.EXERCISE).items()}


def read_lesson(path: Path) -> Lesson:
    """Read and check `path`.

    Raises:
        AuthorMistake: for anything the build could not turn into a correct notebook.
    """
    cells = tuple(read_cells(path))
    lesson = Lesson(path, cells)
    _check_pairs(lesson)
    return lesson


def read_cells(path: Path, *, require_markers: bool = True) -> Iterator[Cell]:
    """The cells of a file in percent format, each on its own terms; `read_lesson` checks how they fit together.

    Args:
        require_markers: whether an exercise cell must mark its solution (a lesson's must, an answer's need not).
    """
    text = path.read_text(encoding="utf-8")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"# %%", line)]
    parsed = [cell for cell in jupytext.reads(text, fmt="py:percent").cells]
    if len(parsed) < len(lines):
        inside = next((n for n in lines if not _is_python(text.splitlines()[: n - 1])), lines[0])
        raise AuthorMistake(path, inside, "this looks like the start of a cell but stands inside another statement.")
    parsed = parsed[len(parsed) - len(lines) :]  # what stands before the first marker is not a cell
    for cell, line in zip(parsed, lines, strict=True):
        metadata = {name: value for name, value in cell.metadata.items() if name not in _JUPYTEXTS_OWN}
        if unknown := sorted(metadata.keys() - _KNOWN_METADATA):
            known = ", ".join(sorted(_KNOWN_METADATA))
            raise AuthorMistake(path, line, f"the cell has the unknown metadata {unknown[0]!r}; use one of {known}.")
        if len(metadata) > 1:
            raise AuthorMistake(path, line, f"a cell cannot be {' and '.join(sorted(metadata))} at once.")
        if cell.cell_type != "code":
            if metadata:
                raise AuthorMistake(path, line, f"only a code cell can be {next(iter(metadata))}.")
            yield Cell(Kind.PROSE, cell.source, line)
            continue
        _check_python(path, line, cell.source)
        exercise = metadata.get("exercise") or metadata.get("check") or ""
        kind = next((Kind(name) for name in metadata), Kind.CODE)
        if kind in (Kind.EXERCISE, Kind.CHECK) and not _ID.fullmatch(str(exercise)):
            raise AuthorMistake(path, line, f"{exercise!r} is not an exercise id; write words joined by dots.")
        if kind is Kind.EXERCISE and require_markers:
            _check_markers(path, line, cell.source)
        elif BEGIN_SOLUTION in cell.source or END_SOLUTION in cell.source:
            raise AuthorMistake(path, line, "a solution marker stands outside an exercise cell.")
        yield Cell(kind, cell.source, line, str(exercise))


def stub_of(source: str) -> str:
    """The student's version of an exercise cell: every solution region replaced by `STUB` at its indentation."""
    stub: list[str] = []
    inside = False
    for line in source.split("\n"):
        if BEGIN_SOLUTION in line:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            stub.extend(indent + text for text in STUB.split("\n"))
        elif END_SOLUTION in line:
            inside = False
        elif not inside:
            stub.append(line)
    return "\n".join(stub)


def _check_python(path: Path, line: int, source: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise AuthorMistake(path, line + (error.lineno or 1), f"this is not Python: {error.msg}.") from None


def _is_python(lines: list[str]) -> bool:
    try:
        ast.parse("\n".join(lines))
    except SyntaxError:
        return False
    return True


def _check_markers(path: Path, line: int, source: str) -> None:
    opened = 0
    regions = 0
    for offset, text in enumerate(source.split("\n"), 1):
        if BEGIN_SOLUTION in text:
            if opened:
                raise AuthorMistake(path, line + offset, f"{BEGIN_SOLUTION} stands inside another solution region.")
            opened, regions = line + offset, regions + 1
        elif END_SOLUTION in text:
            if not opened:
                raise AuthorMistake(path, line + offset, f"{END_SOLUTION} has no {BEGIN_SOLUTION} before it.")
            opened = 0
    if opened:
        raise AuthorMistake(path, opened, f"{BEGIN_SOLUTION} is never closed; write {END_SOLUTION} after the solution.")
    if not regions:
        raise AuthorMistake(path, line, f"the exercise has no {BEGIN_SOLUTION}, so learners would get its solution.")


def _check_pairs(lesson: Lesson) -> None:
    seen: dict[tuple[Kind, str], int] = {}
    for cell in lesson.cells:
        if cell.kind not in (Kind.EXERCISE, Kind.CHECK):
            continue
        if (before := seen.get((cell.kind, cell.exercise))) is not None:
            what = "exercise" if cell.kind is Kind.EXERCISE else "check cell of"
            raise AuthorMistake(lesson.path, cell.line, f"the {what} {cell.exercise} is already on line {before}.")
        seen[cell.kind, cell.exercise] = cell.line
        if cell.kind is Kind.CHECK and (Kind.EXERCISE, cell.exercise) not in seen:
            raise AuthorMistake(lesson.path, cell.line, f"no exercise {cell.exercise} stands before this check cell.")
        if cell.kind is Kind.CHECK and cell.source.rstrip().split("\n")[-1] != f'check("{cell.exercise}")':
            last = f'check("{cell.exercise}")'
            raise AuthorMistake(lesson.path, cell.line, f"the last line of this check cell must be {last}.")
    for cell in lesson.cells:
        if cell.kind is Kind.EXERCISE and (Kind.CHECK, cell.exercise) not in seen:
            missing = f'the exercise {cell.exercise} has no check cell; add one that starts with # %% check="…".'
            raise AuthorMistake(lesson.path, cell.line, missing)

"""The translatable texts of a unit: paragraphs of prose, titles, hints, and the sentences and hints of its checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from autograder.authoring.lesson import Kind
from autograder.authoring.mistakes import AuthorMistake, line_of
from autograder.authoring.unit import Unit

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_KEEPS_LINES = re.compile(r"^\s*([#>|]|[-*+] |\d+[.)] )|^(    |\t)|(  |\\)$|^(=+|-+)\s*$", re.M)


class Role(StrEnum):
    """Where a learner meets a text."""

    PROSE = "prose"
    EXERCISE = "exercise"
    PUBLIC_CHECK = "public check"
    HIDDEN_CHECK = "hidden check"


@dataclass(frozen=True)
class Message:
    """A text to translate and where it stands."""

    text: str
    role: Role
    path: Path
    line: int


def messages(unit: Unit) -> Iterator[Message]:
    """Every translatable text of `unit`, in reading order; a text may come more than once."""
    toml = unit.folder / "unit.toml"
    toml_text = toml.read_text(encoding="utf-8")

    def about(text: str, role: Role) -> Message:
        return Message(text, role, toml, line_of(toml_text, re.escape(text[:40])))

    for text in (unit.about.title, unit.about.question, *unit.about.outcomes):
        yield about(text, Role.PROSE)
    for cell in unit.lesson.cells:
        path = unit.lesson.path
        if cell.kind is Kind.PROSE:
            for text, offset in paragraphs(cell.source):
                if translatable(text):
                    yield Message(text, Role.PROSE, path, cell.line + 1 + offset)
        elif cell.kind is Kind.EXERCISE:
            texts = unit.about.exercises[cell.exercise]
            for text in (texts.title, *texts.hints):
                yield about(text, Role.EXERCISE)
        elif cell.kind is Kind.CHECK:
            for text, line in check_texts(path, cell.source, cell.line):
                yield Message(text, Role.PUBLIC_CHECK, path, line)
    checks = unit.folder / "checks.py"
    for text, line in check_texts(checks, unit.checks_source, 0):
        yield Message(text, Role.HIDDEN_CHECK, checks, line)


def paragraphs(markdown: str) -> Iterator[tuple[str, int]]:
    """The blocks of a markdown text with the number of their first line from 0.

    A block ends at an empty line; a fenced block of code is a block of its own. The lines of a plain paragraph are
    joined, so that wrapping it anew does not make its translation stale; whatever else markdown knows keeps its lines.
    """
    for start, block in _blocks(markdown.split("\n")):
        text = "\n".join(block)
        keeps = _FENCE.match(text) or _KEEPS_LINES.search(text)
        yield (text if keeps else " ".join(text.split())), start


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    start, block, fence = 0, list[str](), ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            block.append(line)
            if mark and mark[1].startswith(fence) and line.strip() == mark[1]:
                yield start, block
                block, fence = [], ""
        elif mark or not line.strip():
            if block:
                yield start, block
            start, block, fence = (number, [line], mark[1]) if mark else (number, [], "")
        else:
            start = start if block else number
            block.append(line)
    if block:
        yield start, block


def translatable(paragraph: str) -> bool:
    """Whether a block of markdown holds words: fenced code does not."""
    return not _FENCE.match(paragraph)


def check_texts(path: Path, source: str, first_line: int) -> Iterator[tuple[str, int]]:
    """The sentence of every check in `source` and every hint, with its line.

    Raises:
        AuthorMistake: for a hint that is not a plain string and so cannot be translated.
    """
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and any(_declares_check(item) for item in node.decorator_list):
            sentence = (ast.get_docstring(node) or "").split("\n\n")[0]
            found.append((node.lineno, " ".join(sentence.split())))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("expect", "raises"):
            for keyword in node.keywords:
                if keyword.arg == "hint":
                    line = first_line + keyword.value.lineno
                    found += [(keyword.value.lineno, text) for text in _constants(path, line, keyword.value)]
    for number, text in sorted(found, key=lambda item: item[0]):
        if text:
            yield text, first_line + number


def _declares_check(decorator: ast.expr) -> bool:
    if not isinstance(decorator, ast.Call):
        return False
    function = decorator.func
    if isinstance(function, ast.Attribute):
        return function.attr == "public"
    return isinstance(function, ast.Name) and function.id == "check"


def _constants(path: Path, line: int, node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return _constants(path, line, node.body) + _constants(path, line, node.orelse)
    raise AuthorMistake(path, line, "a hint must be a plain string; name evidence in it with {name} instead.")

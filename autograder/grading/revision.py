"""What of a recorded result still holds when only the instructor's tests have changed since.

A test is judged again if its text has changed, or if it may have something in common with such a test: a name, a file,
a random number. The student's cells before it are run again, and everything else keeps what it put out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from nbformat import NotebookNode

from autograder.judge.cells import bound, imports, is_locked, is_test, later_cells_lean_on, parsed, public_part
from autograder.judge.conductor import ENDED, LATE

#: A test with such a word in it may depend on what another one has left in a file, or in a generator of random numbers.
_SHARED = {
    "a file": re.compile(r"open|path|file|save|load|read|write|dump|csv|json|mkdir|chdir|environ|temp", re.IGNORECASE),
    "a random number": re.compile(r"rand|seed|perm|shuffle|choice|sample|normal|uniform|dropout", re.IGNORECASE),
}
#: Functions that can reach any name.
_ANYTHING = {"exec", "eval", "globals", "locals", "vars", "get_ipython", "__import__", "importlib", "sys", "gc"}

Output = NotebookNode


def still_valid(
    recorded: Sequence[NotebookNode], cells: Sequence[NotebookNode], hidden: tuple[str, str]
) -> dict[int, list[Output]]:
    """The outputs that still hold, by the places of their cells among `cells`; the others must be run again.

    Args:
        recorded: the cells of the autograded notebook.
        cells: the same submission's, with the tests of today.
        hidden: what marks the lines of a test that students must not see.
    """
    outputs = [cell.outputs for cell in recorded if cell.cell_type == "code"]
    if not _differ_in_tests_alone(recorded, cells) or was_stopped(outputs):
        return {}
    tests = [place for place, cell in enumerate(cells) if is_test(cell)]
    changed = {place for place in tests if cells[place].source != recorded[place].source}
    for place in changed:
        before, now = (public_part(cell[place].source, *hidden) for cell in (recorded, cells))
        later = [cell.source for cell in cells[place + 1 :] if cell.cell_type == "code" and not is_test(cell)]
        if before != now and (later_cells_lean_on(before, later) or later_cells_lean_on(now, later)):
            return {}
    touched = _touched(recorded, cells, changed)
    if touched is None:
        return {}
    last = max(touched, default=-1)
    return {
        place: list(cell.outputs)
        for place, cell in enumerate(recorded)
        if cell.cell_type == "code" and place not in touched and (place > last or place in tests)
    }


def was_stopped(outputs: Sequence[Sequence[Output]]) -> bool:
    """Whether a limit, or the end of the student's process, has spoiled what came after it."""
    return any(output.get("ename") in (ENDED, LATE) for cell in outputs for output in cell)


def _differ_in_tests_alone(recorded: Sequence[NotebookNode], cells: Sequence[NotebookNode]) -> bool:
    return len(recorded) == len(cells) and all(
        (before.cell_type, is_test(before), _name(before)) == (now.cell_type, is_test(now), _name(now))
        and (before.source == now.source or is_test(now) or now.cell_type != "code")
        for before, now in zip(recorded, cells, strict=True)
    )


def _name(cell: NotebookNode) -> str | None:
    name: str | None = cell.metadata.get("nbgrader", {}).get("grade_id")
    return name


def _touched(recorded: Sequence[NotebookNode], cells: Sequence[NotebookNode], changed: set[int]) -> set[int] | None:
    """The tests that have, or may have, something in common with a changed one; None if that cannot be said."""
    texts = [cell.source for both in (recorded, cells) for cell in both if cell.cell_type == "code"]
    judged = [
        (place, cell)
        for both in (recorded, cells)
        for place, cell in enumerate(both)
        if cell.cell_type == "code" and (is_test(cell) or is_locked(cell))
    ]
    if any(_is_obscure(cell.source) for _, cell in judged):
        return None
    borrowed = set().union(*map(imports, texts)) | set().union(*map(_checks_of_a_unit, texts))
    shared = set().union(*map(bound, texts)) - borrowed
    helpers = {name: cell.source for _, cell in judged for name in bound(cell.source) & shared}
    ties: dict[int, tuple[set[str], set[str]]] = {}
    for place, cell in judged:
        if is_test(cell):
            used, written = _names(cell.source, helpers, shared)
            known = ties.setdefault(place, (set(), set()))
            known[0].update(used)
            known[1].update(written)
    touched = set(changed)
    while more := {
        place
        for place, (used, written) in ties.items()
        if place not in touched and any(written & ties[other][0] or ties[other][1] & used for other in touched)
    }:
        touched |= more
    return touched


def _is_obscure(source: str) -> bool:
    """Whether what a cell does cannot be read from its text."""
    tree = parsed(source)
    is_unreadable = not tree.body and any(not line.startswith("#") for line in source.split("\n") if line.strip())
    return is_unreadable or not _ANYTHING.isdisjoint(_words(tree))


def _checks_of_a_unit(source: str) -> set[str]:
    """The name under which a unit's notebook knows its checks: these have nothing in common with one another."""
    return {
        target.id
        for node in parsed(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if isinstance(node.value.func, ast.Name) and imports(source).get(node.value.func.id, "").endswith(" open_unit")
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _names(source: str, helpers: Mapping[str, str], shared: set[str]) -> tuple[set[str], set[str]]:
    """What a test uses of `shared`, and what of that it may change; of helper functions too, and of theirs."""
    used, written, ahead = set[str](), set[str](), [source]
    seen = {source}
    while ahead:
        text = ahead.pop()
        tree = parsed(text)
        words = set(_words(tree))
        used |= words & shared
        written |= (_changed(tree) | (bound(text) if text is source else set())) & shared
        for what, sign in _SHARED.items():
            if any(map(sign.search, words)):
                used.add(what)
                written.add(what)
        for helper in {helpers[name] for name in words & helpers.keys()} - seen:
            seen.add(helper)
            ahead.append(helper)
    return used, written


def _words(tree: ast.AST) -> Iterator[str]:
    """Every identifier in `tree`."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg", "module"):
            word = getattr(node, field, None)
            if isinstance(word, str):
                yield word


def _changed(tree: ast.AST) -> set[str]:
    """The names of what `tree` may change from within: by an attribute, an item, a method or a global statement."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Global | ast.Nonlocal):
            found |= set(node.names)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(_root(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.add(_root(node.func))
        elif isinstance(node, ast.AugAssign):
            found.add(_root(node.target))
    return found


def _root(node: ast.AST) -> str:
    """The name at which a chain of attributes, items and calls begins; empty if there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""

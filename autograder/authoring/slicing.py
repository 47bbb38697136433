"""Cut the checks of one exercise out of a `checks.py`, with everything they use and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable


def slice_checks(source: str, names: Iterable[str]) -> str:
    """The statements of `source` that define `names`, and those they lean on, in their order, as source text.

    Args:
        source: a module of imports, assignments, functions and classes, and of statements that change what those made.
        names: the check functions to keep.
    """
    tree = ast.parse(source)
    lines = source.split("\n")
    makers: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for name in _made(node):
            makers.setdefault(name, []).append(node)
    queue = [node for name in names for node in makers[name]]
    wanted: set[ast.stmt] = set()
    while queue:
        node = queue.pop()
        if node not in wanted:
            wanted.add(node)
            queue += [maker for name in _used(node) for maker in makers.get(name, ())]
    kept = [_text(node, lines) for node in tree.body if node in wanted or _is_future(node)]
    return "\n".join(kept)


def _made(node: ast.stmt) -> set[str]:
    """The names that `node` binds, or whose value it changes: ``x = …``, ``x[1] = …``, ``x.append(…)``."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    made = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load):
            made.add(_root(part))
        elif isinstance(part, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
            made |= _made(part)
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            made.add(_root(part.value.func))
    return made - {""}


def _root(node: ast.expr) -> str:
    """The name that stands before all dots and brackets, or an empty text."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _used(node: ast.stmt) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _text(node: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    last = node.end_lineno or node.lineno
    body = "\n".join(lines[first - 1 : last])
    return f"\n\n{body}" if isinstance(node, ast.FunctionDef | ast.ClassDef) else body

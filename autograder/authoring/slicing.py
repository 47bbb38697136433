"""Cut the checks of one exercise out of a `checks.py`, with everything they use and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable


def slice_checks(source: str, names: Iterable[str]) -> str:
    """The statements of `source` that define `names`, and those they lean on, in their order, as source text.

    Args:
        source: a module of imports, assignments, functions and classes.
        names: the check functions to keep.
    """
    tree = ast.parse(source)
    lines = source.split("\n")
    owner = {name: node for node in tree.body for name in _bound(node)}
    wanted = {id(owner[name]) for name in names}
    queue = [owner[name] for name in names]
    while queue:
        for name in _used(queue.pop()):
            node = owner.get(name)
            if node is not None and id(node) not in wanted:
                wanted.add(id(node))
                queue.append(node)
    kept = [_text(node, lines) for node in tree.body if id(node) in wanted or _is_future(node)]
    return "\n".join(kept)


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


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

"""Small wrong changes to a reference solution: a check that none of them fails tests nothing.

The operators are those of the mutation-testing literature (DeMillo, Lipton and Sayward, 1978): relational, arithmetic
and logical operators replaced, constants shifted, conditions negated, statements and return values dropped.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autograder.authoring.lesson import BEGIN_SOLUTION, END_SOLUTION

_SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}

_DELETED = (ast.Continue, ast.Break, ast.Raise, ast.Assign, ast.AugAssign, ast.Expr)

Edit = Callable[[ast.AST], ast.AST | None]


@dataclass(frozen=True)
class Mutant:
    """One changed solution.

    Attributes:
        description: exercise, the original line and the change; the key under which `unit.toml` explains a survivor.
        source: the whole exercise cell with the change.
    """

    exercise: str
    description: str
    source: str


def mutants(exercise: str, source: str) -> Iterator[Mutant]:
    """Every mutant of the solution regions of an exercise cell, in the order of the source."""
    tree = ast.parse(source)
    lines = source.split("\n")
    inside = _solution_lines(lines)
    seen: dict[str, int] = {}
    for node, change, edit in _edits(tree):
        if getattr(node, "lineno", None) not in inside:
            continue
        line = lines[node.lineno - 1].strip()  # type: ignore[attr-defined]
        description = f"{exercise}: {line} [{change}]"
        seen[description] = seen.get(description, 0) + 1
        if seen[description] > 1:
            description += f" #{seen[description]}"
        yield Mutant(exercise, description, _with_edit(tree, node, edit))


def _solution_lines(lines: list[str]) -> set[int]:
    inside, numbers = False, set()
    for number, line in enumerate(lines, 1):
        if BEGIN_SOLUTION in line:
            inside = True
        elif END_SOLUTION in line:
            inside = False
        elif inside:
            numbers.add(number)
    return numbers


def _with_edit(tree: ast.Module, node: ast.AST, edit: Edit) -> str:
    position = next(number for number, item in enumerate(ast.walk(tree)) if item is node)
    changed = copy.deepcopy(tree)
    target = next(item for number, item in enumerate(ast.walk(changed)) if number == position)
    replacement = edit(target)
    if replacement is not None and replacement is not target:
        _Replace(target, replacement).visit(changed)
    return ast.unparse(ast.fix_missing_locations(changed))


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().visit(node)


def _edits(tree: ast.Module) -> Iterator[tuple[ast.AST, str, Edit]]:
    """Every node that can be changed, what the change is called, and the change.

    Left alone: docstrings, annotations, and the words of error messages, which no property depends on.
    """
    for node in _walk(tree):
        if isinstance(node, ast.Compare):
            yield from (
                (node, f"{_name(op)} becomes {_name(new)}", _set_operator("ops", number, new))
                for number, op in enumerate(node.ops)
                for new in _SWAPS.get(type(op), ())
            )
        elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
            for new in _SWAPS.get(type(node.op), ()):
                yield node, f"{_name(node.op)} becomes {_name(new)}", _set_operator("op", None, new)
        elif isinstance(node, ast.Constant):
            yield from _constant_edits(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            yield node, f"{node.func.id} becomes {_CALLS[node.func.id]}", _swap_call
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            yield node, "condition negated", _negate
        elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
            yield node, "returns None", lambda node: ast.Return(ast.Constant(None))
        elif isinstance(node, _DELETED) and not _is_docstring(node):
            yield node, "deleted", lambda node: ast.Pass()
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            for number, generator in enumerate(node.generators):
                if generator.ifs:
                    yield node, "filter dropped", _drop_filter(number)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, ast.Raise):
        return
    for name, child in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for item in child if isinstance(child, list) else [child]:
            if isinstance(item, ast.AST):
                yield from _walk(item)


def _constant_edits(node: ast.Constant) -> Iterator[tuple[ast.AST, str, Edit]]:
    value = node.value
    if isinstance(value, bool):
        yield node, f"{value} becomes {not value}", _set_value(not value)
    elif isinstance(value, int | float):
        for changed in (value + 1, value - 1) if value else (value + 1,):
            if changed != value:  # a number as large as 1e30 stays what it is
                yield node, f"{value} becomes {changed}", _set_value(changed)


def _set_value(value: object) -> Edit:
    return lambda node: ast.Constant(value)  # type: ignore[arg-type]


def _set_operator(field: str, number: int | None, new: type[ast.AST]) -> Edit:
    def edit(node: ast.AST) -> ast.AST:
        if number is None:
            setattr(node, field, new())
        else:
            getattr(node, field)[number] = new()
        return node

    return edit


def _swap_call(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    node.func.id = _CALLS[node.func.id]
    return node


def _negate(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.If | ast.While | ast.IfExp)
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return node


def _drop_filter(number: int) -> Edit:
    def edit(node: ast.AST) -> ast.AST:
        node.generators[number].ifs = []  # type: ignore[attr-defined]
        return node

    return edit


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _name(operator: ast.AST | type[ast.AST]) -> str:
    kind = operator if isinstance(operator, type) else type(operator)
    return kind.__name__

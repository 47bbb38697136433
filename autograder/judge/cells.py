"""What can be read from the text of cells: imports, names, hidden parts, and attributes of modules that a test sets."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from autograder.judge.link import LIBRARIES

#: Names that stand for a library by convention; used where the instructor's notebook is not at hand.
CONVENTIONS = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "plt": "import matplotlib.pyplot as plt",
    "nn": "import torch.nn as nn",
    "F": "import torch.nn.functional as F",
    "tf": "import transformers as tf",
}
#: Modules that do something visible, or answer anything, when they are imported or used.
_NEVER = ("antigravity", "this", "turtle", "turtledemo", "tkinter", "idlelib", "unittest", "test", "builtins")
#: A test cell with this tag runs in the student's process; it is then as safe as in nbgrader.
IN_KERNEL = "ustod-in-kernel"
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Guide:
    """What the instructor's notebook says about names.

    Attributes:
        imports: the statement that imports a name. The judge imports these itself, whatever the student made of them.
        rebound: for each test cell by its grade_id, the names that cells in the student's hands bind between the test
            cell before it and this one; there the student's value replaces one that an earlier test has left.
        answers: every cell but the tests, in order.
        in_kernel: the tests by their grade_id that the instructor has tagged to run in the student's process.
        functions: the names of functions and classes that every cell but the tests defines.
    """

    imports: Mapping[str, str] = field(default_factory=dict)
    rebound: Mapping[str, frozenset[str]] = field(default_factory=dict)
    answers: Sequence[str] = ()
    in_kernel: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()

    @classmethod
    def read(cls, cells: Sequence[Any]) -> Guide:
        """The guide of the instructor's cells."""
        imported: dict[str, str] = {}
        rebound: dict[str, frozenset[str]] = {}
        between: set[str] = set()
        for cell in cells:
            if cell.cell_type != "code":
                continue
            imported |= imports(cell.source)
            if is_test(cell):
                rebound[cell.metadata.nbgrader["grade_id"]] = frozenset(between)
                between = set()
            elif not is_locked(cell):
                between |= bound(cell.source)
        answers = [cell.source for cell in cells if cell.cell_type == "code" and not is_test(cell)]
        tagged = {
            c.metadata.nbgrader["grade_id"] for c in cells if is_test(c) and IN_KERNEL in c.metadata.get("tags", ())
        }
        unbound = {name: names - imported.keys() for name, names in rebound.items()}
        functions = frozenset().union(*map(functions_of, answers))
        return cls(imported, unbound, answers, frozenset(tagged), functions)

    @classmethod
    def by_convention(cls) -> Guide:
        """Where there is nothing but the submission: usual names of libraries mean these libraries."""
        modules = (*LIBRARIES, *(name for name in sys.stdlib_module_names if not name.startswith("_")))
        return cls({name: f"import {name}" for name in modules if name not in _NEVER} | CONVENTIONS)


def is_test(cell: Any) -> bool:
    """Whether nbgrader scores the cell by what running it gives."""
    return cell.cell_type == "code" and _says(cell, "grade") and not _says(cell, "solution")


def is_locked(cell: Any) -> bool:
    """Whether nbgrader puts the instructor's text in the place of the student's.

    nbgrader.utils says the same, but importing it takes a second, which every judge's zygote would wait for.
    """
    return not _says(cell, "solution") and (_says(cell, "grade") or _says(cell, "locked"))


def _says(cell: Any, what: str) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get(what, False))


def execution_counts(cells: Iterable[Any]) -> Iterator[int]:
    """For each cell the number that Jupyter shows beside it when all run in order; text has that of the code above."""
    return accumulate(int(cell.cell_type == "code") for cell in cells)


def public_part(source: str, begin: str = "BEGIN HIDDEN TESTS", end: str = "END HIDDEN TESTS") -> str:
    """`source` without what nbgrader removes before students see it."""
    kept, hidden = [], False
    for line in source.split("\n"):
        if begin in line:
            hidden = True
        elif end in line:
            hidden = False
        elif not hidden:
            kept.append(line)
    return "\n".join(kept)


def imports(source: str) -> dict[str, str]:
    """The import statement for every name that `source` imports at its top level."""
    found = {}
    for node in parsed(source).body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found[name] = ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                if alias.name != "*":
                    found[alias.asname or alias.name] = ast.unparse(ast.ImportFrom(node.module, [alias], 0))
    return found


def bound(source: str) -> set[str]:
    """The names that `source` defines at its top level."""
    names = set()
    for node in _top(parsed(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names


def functions_of(source: str) -> set[str]:
    """The names of the functions and classes that `source` defines at its top level."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name for node in _top(parsed(source)) if isinstance(node, kinds)}


def assigned(source: str) -> set[str]:
    """The names that `source` assigns to at its top level."""
    nodes = _top(parsed(source))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def later_cells_lean_on(source: str, later: Iterable[str]) -> bool:
    """Whether later cells read a name that `source` defines, or an object with which it registers something."""
    tree = parsed(source)
    names = bound(source)
    for node in tree.body:
        for decorator in getattr(node, "decorator_list", ()):
            names |= {part.id for part in ast.walk(decorator) if isinstance(part, ast.Name)}
    used = {
        node.id
        for text in later
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return bool(names & used)


def set_attributes(source: str) -> set[str]:
    """The dotted names that `source` assigns to, deletes or patches, such as ``np.linalg.solve``."""
    found = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("setattr", "object", "patch"):
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            owner = ast.unparse(node.args[0]) if node.args else ""
            found |= {text if "." in text else f"{owner}.{text}" for text in texts[:1]}
    return {name for name in found if _DOTTED.fullmatch(name)}


@lru_cache(maxsize=512)
def parsed(source: str) -> ast.Module:
    """The syntax tree of a cell, with magics replaced; an empty one if it cannot be read. It is not to be changed."""
    if re.match(r"\s*%%", source):
        source = source.partition("\n")[2]
    for plain in (True, False):  # without magics there is no need for what takes long
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.parse(source if plain else TransformerManager().transform_cell(source))
    return ast.Module([], [])


def _top(tree: ast.AST) -> Iterable[ast.AST]:
    """The nodes that run in the cell's own scope."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.comprehension):
            yield from _top(node)

"""Functions that empty what they are given, as a learner's may: an answer worked out afterwards is that of nothing.

A check that hands out its own list, and asks only then what is right for it, agrees with such a function and pays it.
"""

from __future__ import annotations

import ast
import sys
from collections import deque
from collections.abc import Callable, Iterable
from functools import wraps
from types import FunctionType
from typing import Any

_SEQUENCES = (list, tuple, set, deque)
_EMPTIED = (list, dict, set, bytearray, deque)


def defined(source: str) -> list[str]:
    """The functions and classes that a cell defines, which are what checks call."""
    kinds = ast.FunctionDef | ast.ClassDef
    return [node.name for node in ast.parse(source).body if isinstance(node, kinds)]


class Spoiler:
    """Makes functions spoil their arguments before they do their work on what is left.

    Args:
        depth: 0 to empty the arguments themselves; 1 to empty what stands in them, which a shallow copy shares.

    Attributes:
        times: how many arguments were spoiled that had something in them.
    """

    def __init__(self, depth: int) -> None:
        self.times = 0
        self._depth = depth

    def around(self, target: Any) -> Any:
        """The function or class `target`, spoiling; a class is changed in place."""
        if not isinstance(target, type):
            return self._function(target, 0)
        for name, method in list(vars(target).items()):
            if isinstance(method, FunctionType):
                setattr(target, name, self._function(method, 1))
        return target

    def _function(self, function: Callable[..., Any], first: int) -> Callable[..., Any]:
        @wraps(function)
        def spoiling(*args: Any, **kwargs: Any) -> Any:
            self.times += sum(spoil(value, self._depth) for value in (*args[first:], *kwargs.values()))
            return function(*args, **kwargs)

        return spoiling


def spoil(value: Any, depth: int = 0) -> bool:
    """Empty plain data in place; arrays and tensors, which keep their size, become zero. Whether anything was lost."""
    if depth:
        return any([spoil(item, depth - 1) for item in _items(value)])
    if isinstance(value, tuple):
        return any([spoil(item) for item in value])
    if isinstance(value, _EMPTIED):
        lost = bool(value)
        value.clear()
        return lost
    return _spoil_library_value(value)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, _SEQUENCES) else ()


def _spoil_library_value(value: Any) -> bool:
    libraries = (sys.modules.get(name) for name in ("numpy", "torch", "pandas"))
    numpy, torch, pandas = libraries
    if numpy is not None and isinstance(value, numpy.ndarray) and value.flags.writeable:
        before = value.tobytes()
        value[...] = numpy.zeros_like(value)
        return bool(value.tobytes() != before)
    if torch is not None and isinstance(value, torch.Tensor):
        lost = bool(value.any())
        value.data.zero_()
        return lost
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        lost = len(value) > 0
        value._update_inplace(value.iloc[:0])  # pandas has no public way that is not on its way out
        return lost
    return False

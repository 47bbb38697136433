"""Change one piece of plain data into another without making a new object: how a change crosses between processes."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

_DICTS = (dict, Counter, OrderedDict, defaultdict)
_SEQUENCES = (list, bytearray, deque)


def is_mutable(value: Any) -> bool:
    """Whether `value` is plain data that a function could change for its caller."""
    kind = type(value)
    if kind in _DICTS or kind in _SEQUENCES or kind is set:
        return True
    if kind is tuple:
        return any(map(is_mutable, value))
    return kind in _library_types()


def copy_into(old: Any, new: Any) -> bool:
    """Make `old` equal to `new`, in place; what stands inside `old` is kept where it can be changed too.

    Returns:
        Whether it could be done: a tensor or an array keeps its shape and dtype, for example.
    """
    kind = type(old)
    if kind is not type(new):
        return False
    if kind in _DICTS:
        items = {key: _inner(old[key], value) if key in old else value for key, value in dict.items(new)}
        dict.clear(old)
        dict.update(old, items)
    elif kind is set:
        old.clear()
        old.update(new)
    elif kind in _SEQUENCES:
        items_ = [_inner(before, after) for before, after in zip(old, new, strict=False)]
        items_ += list(new)[len(items_) :]
        old.clear()
        old.extend(items_)
    elif kind is tuple:
        return len(old) == len(new) and all(
            copy_into(*pair) for pair in zip(old, new, strict=True) if is_mutable(pair[0])
        )
    elif kind in _library_types():
        return _copy_library_value(old, new)
    else:
        return False
    return True


def _inner(old: Any, new: Any) -> Any:
    return old if is_mutable(old) and copy_into(old, new) else new


def _library_types() -> tuple[Any, ...]:
    numpy: Any = sys.modules.get("numpy")
    torch: Any = sys.modules.get("torch")
    pandas: Any = sys.modules.get("pandas")
    found: tuple[Any, ...] = (numpy.ndarray,) if hasattr(numpy, "ndarray") else ()
    found += (torch.Tensor, torch.nn.Parameter) if hasattr(torch, "nn") and hasattr(torch.nn, "Parameter") else ()
    found += (pandas.DataFrame, pandas.Series) if hasattr(pandas, "DataFrame") else ()
    return found


def _copy_library_value(old: Any, new: Any) -> bool:
    module = type(old).__module__.partition(".")[0]
    if module == "pandas":
        old._update_inplace(new)
        return True
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    if module == "torch":
        old.data.copy_(new.data)
    elif old.flags.writeable:
        old[...] = new
    return True

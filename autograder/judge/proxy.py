"""What stands in the judge for a function, class or object of the student's.

A stand-in can be called, its attributes and items read, and what comes back is plain data or another stand-in. It
answers no comparison, has no truth value and does no arithmetic: an answer to these would be the student's own word
on whether the student is right. A test that needs one of them asks for it by name, with `asked`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from autograder.judge.failures import MARK

if TYPE_CHECKING:
    from autograder.judge.link import Link

#: Names with two underscores that are an object's data; others would let a library believe that it is one of its own.
_DATA = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__", "__defaults__", "__version__")


class Refused(TypeError):
    """An object of the student's stands where a value must stand that the judge can look at itself."""


class Proxy:
    """A stand-in for one object of the student's. Two are the same if and only if the objects are."""

    __slots__ = ("__weakref__", "_ustod_handle", "_ustod_kind", "_ustod_link", "_ustod_name")

    def __init__(self, link: Link, handle: int, names: list[Any]) -> None:
        set_ = object.__setattr__
        set_(self, "_ustod_link", link)
        set_(self, "_ustod_handle", handle)
        set_(self, "_ustod_kind", _known(names))
        set_(self, "_ustod_name", _shown(names))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The nearest class of a library that the object belongs to: `isinstance(model, torch.nn.Module)`."""
        return object.__getattribute__(self, "_ustod_kind") or Proxy

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        link = _link(self)
        lent = [link.loan_of(value) for value in args], {name: link.loan_of(value) for name, value in kwargs.items()}
        return link.ask("call", self, *lent)

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name.startswith("__") and name.endswith("__") and name not in _DATA:
            raise AttributeError(f"{_name(self)} is asked for no {name} across processes")
        link = _link(self)
        return link.unlend(link.ask("operate", "getattr", [self, name]))

    def __setattr__(self, name: str, value: Any) -> None:
        _operate("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        _operate("delattr", self, name)

    def __getitem__(self, key: Any) -> Any:
        __tracebackhide__ = True
        link = _link(self)
        return link.unlend(link.ask("operate", "getitem", [self, key]))

    def __setitem__(self, key: Any, value: Any) -> None:
        _operate("setitem", self, key, value)

    def __delitem__(self, key: Any) -> None:
        _operate("delitem", self, key)

    def __len__(self) -> int:
        return cast(int, _of(int, _operate("len", self)))

    def __contains__(self, item: Any) -> bool:
        return bool(_of(bool, _operate("contains", self, item)))

    def __iter__(self) -> Iterator[Any]:
        iterator = _operate("iter", self)
        link = _link(self)
        while True:
            match link.ask("next", iterator):
                case (True, item):
                    yield item
                case _:
                    return

    def __next__(self) -> Any:
        match _link(self).ask("next", self):
            case (True, item):
                return item
        raise StopIteration

    def __enter__(self) -> Any:
        return _operate("enter", self)

    def __exit__(self, kind: Any, error: Any, where: Any) -> Any:
        told = kind if isinstance(kind, type) and kind.__module__ == "builtins" else kind and Exception
        return _operate("exit", self, told, None, None) is True

    def __instancecheck__(self, other: Any) -> bool:
        return _operate("isinstance", other, self) is True if isinstance(type(other), type) else False

    def __subclasscheck__(self, other: Any) -> bool:
        return _operate("issubclass", other, self) is True

    def __repr__(self) -> str:
        return cast(str, _of(str, _operate("repr", self)))

    def __str__(self) -> str:
        return cast(str, _of(str, _operate("str", self)))

    def __format__(self, form: str) -> str:
        return format(str(self), form)

    def __dir__(self) -> list[str]:
        return cast(list[str], _of(list, _operate("dir", self)))

    def __hash__(self) -> int:
        return hash(handle_of(self))

    def __eq__(self, other: object) -> bool:
        return True if other is self else _refuse(self, "==")

    def __ne__(self, other: object) -> bool:
        return False if other is self else _refuse(self, "!=")

    def _ipython_display_(self) -> None:
        """The value of a test cell's last line never counts if the student chose it."""
        print(f"<an object of the student's: {_name(self)}>")


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(self: Proxy, *_: Any) -> Any:
        return _refuse(self, name.strip("_"))

    return refuse


_SIDED = "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift"
_REFUSED = (
    "bool float int complex index abs neg pos invert round trunc floor ceil lt le gt ge array"
    f" {_SIDED} {' '.join('r' + name for name in _SIDED.split())} {' '.join('i' + name for name in _SIDED.split())}"
)
for _each in _REFUSED.split():
    setattr(Proxy, f"__{_each}__", _refusing(f"__{_each}__"))


def handle_of(proxy: Proxy) -> int:
    """The number of the object on the student's side."""
    return cast(int, object.__getattribute__(proxy, "_ustod_handle"))


def is_proxy(value: Any) -> bool:
    """Whether `value` is a stand-in, whatever class it shows."""
    return issubclass(type(value), Proxy)


def asked(operation: str, *operands: Any) -> Any:
    """The student's own answer to ``==``, arithmetic or a conversion, by the name that module `operator` gives it.

    For tests of just that: ``asked("add", vector, vector)``. Only an operand of the student's makes it a question.
    """
    return _operate(operation, *operands)


def vjp(function: Any, inputs: list[Any], cotangents: Any) -> list[Any]:
    """Gradients with respect to `inputs` (float tensors) of a student's `function`, weighted by `cotangents`.

    Computed by torch where the function lives; None for an input that the output does not depend on.
    """
    return cast(list[Any], _of(list, _link(function).ask("vjp", function, inputs, cotangents)))


def _link(proxy: Proxy) -> Link:
    return cast("Link", object.__getattribute__(proxy, "_ustod_link"))


def _name(proxy: Proxy) -> str:
    return cast(str, object.__getattribute__(proxy, "_ustod_name"))


def _operate(operation: str, *operands: Any) -> Any:
    __tracebackhide__ = True
    link = next((_link(operand) for operand in operands if is_proxy(operand)), None)
    if link is None:
        raise TypeError(f"{operation} was asked of the student, but nothing here is the student's")
    answer = link.ask("operate", operation, list(operands))
    return link.unlend(answer) if operation == "getitem" else answer


def _of(kind: type, answer: Any) -> Any:
    """An answer that must be of one type."""
    if type(answer) is not kind:
        raise _marked(TypeError(f"an object of the student's answered {type(answer).__name__}, not {kind.__name__}"))
    return answer


def _refuse(proxy: Proxy, what: str) -> Any:
    __tracebackhide__ = True
    text = f"the test needs a value that it can look at, but got an object of type {_name(proxy)} ({what})"
    raise _marked(Refused(text))


def _marked(error: Exception) -> Exception:
    error.__dict__[MARK] = True
    return error


def _known(names: list[Any]) -> type | None:
    """The first of a class's bases that is a class of a module imported here; `object` tells nothing.

    Only classes written in Python: code in C believes what an object says of its class, and reads its memory as such.
    """
    for entry in names[:50]:
        match entry:
            case [str(module), str(name)] if module not in ("__main__", "autograder.judge.proxy"):
                found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
                if isinstance(found, type) and found is not object and _is_python(found):
                    return found
    return None


class _Plain:
    pass


def _is_python(kind: type) -> bool:
    """Whether an object of this class is laid out in memory like any other object of a class written in Python."""
    return all(base is object or base.__flags__ & 1 << 9 for base in kind.__mro__) and (
        kind.__basicsize__ == _Plain.__basicsize__
    )


def _shown(names: list[Any]) -> str:
    match names[:1]:
        case [[str(), str(name)]]:
            return name[:100]
    return "object"

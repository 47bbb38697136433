"""Exceptions on their way from one process to the other: plain data that says which one, and what it said."""

from __future__ import annotations

import builtins
import sys
import traceback
from typing import Any

from autograder.judge.codec import CodecError

#: Plain data: names of the class and its bases from the nearest on, arguments, text, traceback.
Failure = tuple[Any, ...]
#: Under these names an exception in the judge carries what the student's process told of it.
TRACEBACK = "__ustod_student_traceback__"
#: As in `autograder.student.answers`: it was the student's code that failed.
MARK = "__ustod_student_error__"
_TEXT = 20_000


def describe(error: BaseException, trace: str = "") -> Failure:
    """What is sent of `error`; arguments that are no simple values are left out and the text stands for them."""
    classes = [[_own(kind, "__module__"), _own(kind, "__qualname__")] for kind in type.mro(type(error))]
    args = BaseException.__dict__["args"].__get__(error)
    try:
        text = str(error)[:_TEXT]
    except BaseException:
        text = ""
    simple = all(type(arg) in (str, int, float, bool, bytes, type(None)) for arg in args)
    return classes, list(args) if simple and len(repr(args)) < _TEXT else None, text, trace[-_TEXT:]


def traceback_of(error: BaseException, ours: str) -> str:
    """The traceback of `error` as text, from the first line that is not in the folder `ours`."""
    trace = BaseException.__dict__["__traceback__"].__get__(error)
    frames = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(ours)]
    try:
        last = traceback.format_exception_only(error)
    except BaseException:  # an exception that cannot even be looked at
        last = [type(error).__name__ + "\n"]
    return "".join(traceback.format_list(frames) + last).rstrip()


def _own(kind: type, name: str) -> str:
    value = type.__dict__[name].__get__(kind)
    return value if type(value) is str else "?"


class Classes:
    """Stand-ins for the student's exception classes, one for each: real classes, so that ``except`` works with them."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, ...], type[BaseException]] = {}
        self.handles: dict[type[BaseException], int] = {}

    def stand_in(self, names: list[list[str]]) -> type[BaseException]:
        """The class that the first of `names` means, or a new one of that name below the nearest that is known here.

        Only classes of modules that are imported here already are looked up, and only exceptions are found.
        """
        _check_names(names)
        for place, (module, name) in enumerate(names):
            found = self._known(module, name)
            if found is not None:
                return found if place == 0 else self._new(names, found)
        raise CodecError("The message has an exception that is none.")

    def _known(self, module: str, name: str) -> type[BaseException] | None:
        found: Any = builtins if module == "builtins" else sys.modules.get(module) if module != "__main__" else None
        for part in name.split("."):
            found = getattr(found, "__dict__", {}).get(part)
        return found if isinstance(found, type) and issubclass(found, BaseException) else None

    def _new(self, names: list[list[str]], base: type[BaseException]) -> type[BaseException]:
        key = tuple(".".join(name) for name in names)
        if key not in self._made:
            if len(self._made) > 1000:
                raise CodecError("The messages have too many classes of exceptions.")
            name = names[0][1].rpartition(".")[2]
            self._made[key] = type(name, (base,), {"__module__": "__main__", "__init__": _take_anything})
        return self._made[key]

    def raised(self, failure: Any) -> BaseException:
        """The exception that `failure` describes, marked as the student's."""
        names, args, text, trace = _parts(failure)
        kind = self.stand_in(names)
        if issubclass(kind, KeyboardInterrupt | GeneratorExit):
            kind = RuntimeError  # these would end the judge's own loop rather than a test
        given = (text,) if args is None else tuple(args)
        try:
            error = kind.__new__(kind, *given)
            error.args = given
            if isinstance(error, OSError):  # its own fields come from the constructor alone
                OSError.__init__(error, *given)
            str(error)
        except Exception:
            error = RuntimeError(f"{kind.__name__}: {text}")
        error.__dict__[MARK] = True
        error.__dict__[TRACEBACK] = trace
        return error


def _take_anything(self: BaseException, *args: Any, **_: Any) -> None:
    self.args = args


def _check_names(names: Any) -> None:
    right = type(names) is list and 0 < len(names) < 100
    if not right or not all(type(n) is list and len(n) == 2 and all(type(part) is str for part in n) for n in names):
        raise CodecError("The message has an exception of an unknown form.")


def _parts(failure: Any) -> Failure:
    if type(failure) is not tuple or len(failure) != 4:
        raise CodecError("The message has an exception of an unknown form.")
    _, args, text, trace = failure
    if not (args is None or type(args) is list) or type(text) is not str or type(trace) is not str:
        raise CodecError("The message has an exception of an unknown form.")
    return failure

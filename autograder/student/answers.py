"""What a check sees of a learner's work: `student.NAME`, with every failure of the learner's code marked as theirs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

from autograder.student.protocol import TimeLimit, Wrong

_MARK = "__ustod_student_error__"
#: Frames of checks carry this at the start of their file name, so that a traceback never quotes a hidden check.
CHECK_FILE = "<checks"


class NotAttempted(Exception):
    """The learner has not defined a name that the check needs."""


class Answers:
    """The learner's namespace as a check sees it.

    `answers.NAME` is the value the learner gave to NAME. Functions, classes and instances of the learner's own classes
    come as proxies, so that an exception in the learner's code can be told from one in the check.

    Raises:
        NotAttempted: on reading a name that is not defined.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._namespace:
            raise NotAttempted(name)
        return _wrap(self._namespace[name])


class Proxy:
    """A function, class or object of the learner's: call it, read attributes, iterate it; compare what comes back."""

    __slots__ = ("_target",)

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "_target", target)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(_unwrap(value) for value in args)
        kwargs = {name: _unwrap(value) for name, value in kwargs.items()}
        return _guard(lambda: self._target(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return _guard(lambda: getattr(self._target, name))

    def __setattr__(self, name: str, value: Any) -> None:
        _guard(lambda: setattr(self._target, name, _unwrap(value)))

    def __len__(self) -> int:
        return int(_guard(lambda: len(self._target)))

    def __getitem__(self, key: Any) -> Any:
        return _guard(lambda: self._target[key])

    def __contains__(self, item: Any) -> bool:
        return bool(_guard(lambda: item in self._target))

    def __iter__(self) -> Iterator[Any]:
        iterator = _guard(lambda: iter(self._target))
        end = object()
        while (item := _guard(lambda: next(iterator, end))) is not end:
            yield item

    def __next__(self) -> Any:
        return _guard(lambda: next(self._target))

    def __enter__(self) -> Any:
        return _guard(lambda: self._target.__enter__())

    def __exit__(self, kind: Any, error: Any, where: Any) -> Any:
        return _guard(lambda: self._target.__exit__(kind, error, where))

    def __repr__(self) -> str:
        return str(_guard(lambda: repr(self._target)))


def is_students(error: BaseException) -> bool:
    """Whether the learner's code, rather than the check's, raised `error`."""
    return error.__dict__.get(_MARK) is True


def students_traceback(error: BaseException) -> str:
    """The traceback of `error` from the learner's first line on, without a line of any check."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(CHECK_FILE) and frame.filename != __file__]
    theirs = theirs[next((i for i, frame in enumerate(theirs) if not _is_ours(frame.filename)), 0) :]
    last = traceback.format_exception_only(error)
    return "".join(traceback.format_list(theirs) + last).rstrip()


def _is_ours(filename: str) -> bool:
    return filename.replace("\\", "/").endswith(("autograder/student/running.py", "contextlib.py"))


def _guard(act: Callable[[], Any]) -> Any:
    try:
        return _wrap(act())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if not isinstance(error, Wrong | TimeLimit) and not _raised_by_check(error.__traceback__):
            error.__dict__[_MARK] = True
        raise


def _raised_by_check(where: TracebackType | None) -> bool:
    """A function that the check passed in, and that failed inside the learner's call, is the check's own fault."""
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return where is not None and where.tb_frame.f_code.co_filename.startswith(CHECK_FILE)


def _wrap(value: Any) -> Any:
    if isinstance(value, Proxy):
        return value
    runs_their_code = callable(value) or isinstance(value, Iterator) or type(value).__module__ == "__main__"
    return Proxy(value) if runs_their_code else value


def _unwrap(value: Any) -> Any:
    return value._target if isinstance(value, Proxy) else value

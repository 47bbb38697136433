"""What a check sees of a learner's work: `student.NAME`, with every failure of the learner's code marked as theirs."""

from __future__ import annotations

import operator
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, TracebackType
from typing import Any

from autograder.student.protocol import NotAttempted, TimeLimit, Wrong

_MARK = "__ustod_student_error__"
#: Where the learner's code runs in another process, an exception brings its traceback along under this name.
_TRACEBACK = "__ustod_student_traceback__"
#: Frames of checks carry this at the start of their file name, so that a traceback never quotes a hidden check.
CHECK_FILE = "<checks"


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


def is_students(error: BaseException, namespace: Mapping[str, Any], check_file: str) -> bool:
    """Whether the learner's code, rather than the check's, raised `error`.

    A proxy has marked it; or, where the check met an object of the learner's without one (an element of a list, say),
    the traceback goes from the check into a function of the learner's `namespace`. A check that calls what cannot be
    called has met a learner's ``count = 7`` in the place of a function.
    """
    if _own(error, "__dict__").get(_MARK) is True or _calls_what_is_no_function(error):
        return True
    deepest: object = None
    for frame in _frames(_own(error, "__traceback__")):
        if frame.f_code.co_filename == check_file:
            deepest = check_file
        elif frame.f_globals is namespace and type(namespace) is dict:  # another mapping holds no learner's function
            deepest = namespace
    return deepest is namespace


def _calls_what_is_no_function(error: BaseException) -> bool:
    return isinstance(error, TypeError) and str(error).endswith("object is not callable")


def students_traceback(error: BaseException, check_file: str) -> str:
    """The traceback of `error` from the learner's first line on, without a line of the check in `check_file`."""
    told = _own(error, "__dict__").get(_TRACEBACK)
    if told is not None:
        return str(told)
    frames = traceback.extract_tb(_own(error, "__traceback__"))
    theirs = [frame for frame in frames if frame.filename not in (check_file, __file__)]
    theirs = theirs[next((i for i, frame in enumerate(theirs) if not _is_ours(frame.filename)), len(theirs)) :]
    try:
        last = traceback.format_exception_only(error)
    except Exception:  # an exception that cannot even be looked at
        last = [type(error).__name__]
    return "".join(traceback.format_list(theirs) + last).rstrip()


def _is_ours(filename: str) -> bool:
    return filename.replace("\\", "/").endswith(("autograder/student/running.py", "contextlib.py"))


def _guard(act: Callable[[], Any]) -> Any:
    try:
        return _wrap(act())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if not isinstance(error, Wrong | TimeLimit) and not _raised_by_check(_own(error, "__traceback__")):
            _own(error, "__dict__")[_MARK] = True
        raise


def _own(error: BaseException, name: str) -> Any:
    """The attribute that every exception has, whatever the class of this one says about attributes."""
    return BaseException.__dict__[name].__get__(error)


def _frames(where: TracebackType | None) -> Iterator[FrameType]:
    while where is not None:
        yield where.tb_frame
        where = where.tb_next


def _raised_by_check(where: TracebackType | None) -> bool:
    """A function that the check passed in, and that failed inside the learner's call, is the check's own fault."""
    return any(frame.f_code.co_filename.startswith(CHECK_FILE) for frame in _frames(where))


def _wrap(value: Any) -> Any:
    if isinstance(value, Proxy):
        return value
    runs_their_code = callable(value) or isinstance(value, Iterator) or type(value).__module__ == "__main__"
    return Proxy(value) if runs_their_code else value


def _unwrap(value: Any) -> Any:
    """What goes to the learner's code in place of `value`."""
    try:
        return _without_proxies(value)
    except RecursionError:  # a list that holds itself
        return value


def _without_proxies(value: Any) -> Any:
    """Of a list, tuple or dictionary with proxies in it, a copy without."""
    if isinstance(value, Proxy):
        return value._target
    if type(value) in (list, tuple):
        inner = [_without_proxies(item) for item in value]
        return value if all(map(operator.is_, inner, value)) else type(value)(inner)
    if type(value) is dict:
        values = _without_proxies(list(value.values()))
        return value if all(map(operator.is_, values, value.values())) else dict(zip(value, values, strict=True))
    return value

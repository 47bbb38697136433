"""The vocabulary of checks: `@check`, `expect` and `raises`.

A check is a function of two arguments, `student` (what the learner defined) and `rng` (fresh random numbers). Its
docstring is the property in one sentence. It returns if the property holds and fails through `expect` if not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

CheckFunction = Callable[[Any, Any], None]

#: CPU seconds that a check may take unless it says otherwise; only against loops that never end.
PATIENCE = 10.0
#: The name under which `check` collects what it decorates, in the globals of the module that is being loaded.
REGISTRY = "__ustod_checks__"


@dataclass(frozen=True)
class Check:
    """One property of one exercise.

    Attributes:
        exercise: the exercise's id, such as ``bpe.train``.
        name: the function's name, unique in its unit.
        sentence: the property, the first paragraph of the docstring on one line.
        points: what it is worth; public checks are worth 0.
        seconds: CPU seconds after which the check is stopped.
        function: the check itself.
    """

    exercise: str
    name: str
    sentence: str
    points: float
    seconds: float
    function: CheckFunction

    @classmethod
    def of(cls, function: CheckFunction, exercise: str, points: float, seconds: float) -> Check:
        """The check that `function` describes; its docstring becomes the sentence."""
        paragraph = cleandoc(function.__doc__ or "").split("\n\n")[0]
        return cls(exercise, function.__name__, " ".join(paragraph.split()), points, seconds, function)


def check(exercise: str, *, points: float, seconds: float = PATIENCE) -> Callable[[CheckFunction], CheckFunction]:
    """Declare a hidden check of `exercise`, worth `points`, stopped after `seconds` of CPU time.

    Used only in a unit's `checks.py`; `load_checks` collects what was declared.
    """

    def declare(function: CheckFunction) -> CheckFunction:
        registry: list[Check] = function.__globals__.setdefault(REGISTRY, [])
        registry.append(Check.of(function, exercise, points, seconds))
        return function

    return declare


def load_checks(source: str, filename: str) -> list[Check]:
    """Execute the source of a `checks.py` in a namespace of its own and return its checks in order.

    Whatever the source raises goes to the caller: a `checks.py` that cannot be loaded is its author's mistake.
    """
    namespace: dict[str, Any] = {"__name__": "ustod_checks", "__file__": filename}
    exec(compile(source, filename, "exec"), namespace)
    registry: list[Check] = namespace.get(REGISTRY, [])
    return registry


class Wrong(AssertionError):
    """The learner's answer does not have the property.

    Attributes:
        hint: where to look next, untranslated, with ``{name}`` fields for pieces of evidence.
        evidence: what was tried and what came back, by name.
    """

    def __init__(self, hint: str, evidence: dict[str, Any]) -> None:
        super().__init__(hint)
        self.hint = hint
        self.evidence = evidence


class NotAttempted(Exception):
    """The learner has not defined a name that the check needs."""


class TimeLimit(BaseException):
    """The time of a check is over; not an `Exception`, so that a learner's ``except Exception`` does not swallow it."""


def expect(holds: object, *, hint: str = "", **evidence: Any) -> None:
    """Fail the check unless `holds` is true.

    Args:
        holds: the property, as anything with a truth value.
        hint: where to look next; never the answer. May contain ``{name}`` for any piece of evidence.
        evidence: what the learner should see: usually ``input`` and ``got``. A name that starts with an underscore
            is for the hint only.

    Raises:
        Wrong: if `holds` is false.
    """
    if not bool(holds):
        raise Wrong(hint, evidence)


#: Caught by a wide kind, such as `RuntimeError` for a stub's `NotImplementedError`, but never what a check means by it.
_NEVER_MEANT = (Wrong, NotAttempted, TimeLimit, NotImplementedError, KeyboardInterrupt)


@contextmanager
def raises(*kinds: type[BaseException], hint: str = "", **evidence: Any) -> Iterator[None]:
    """Fail the check unless the body raises one of `kinds`; any other exception goes on as the learner's crash.

    Raises:
        Wrong: if the body ends without an exception.
    """
    try:
        yield
    except kinds as error:
        if isinstance(error, _NEVER_MEANT) and type(error) not in kinds:
            raise
        return
    raise Wrong(hint, evidence)

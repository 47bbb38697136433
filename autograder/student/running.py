"""Run one check and say, without mixing them up, which of six things happened."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from autograder.student.answers import Answers, is_students, students_traceback
from autograder.student.protocol import Check, NotAttempted, TimeLimit, Wrong
from autograder.student.rng import Rng, seeded_globals
from autograder.student.silence import silence

#: A check that sleeps uses no CPU time; it is stopped after this many times its CPU limit on the wall clock.
WALL_PER_CPU = 10
#: Seconds between one `TimeLimit` and the next, for code that swallows the first.
AGAIN = 0.5
UNUSABLE = "The check could not use what your code gave back: look at its type, and at what is in it."
SHOWN_CHARACTERS, CUT = 400, " … "


class State(StrEnum):
    """What happened to one check."""

    RIGHT = "right"
    WRONG = "wrong"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    NOT_ATTEMPTED = "not attempted"
    FAULT = "grader fault"


@dataclass(frozen=True)
class Outcome:
    """The result of one check, as plain data that can be written to JSON.

    Attributes:
        name, sentence, points: those of the check; `sentence` is untranslated.
        state: what happened. A grader fault costs the learner nothing.
        hint: where to look next, untranslated, with fields still open; empty unless `state` is wrong.
        evidence: what was tried and what came back, each shortened to a readable text.
        traceback: the learner's own traceback, or, for a fault, the check's.
        seed: `Rng` and the global generators were seeded from it; the same seed repeats the run.
        missing: the undefined name, if the exercise was not attempted for that reason.
    """

    name: str
    sentence: str
    points: float
    state: State
    hint: str = ""
    evidence: dict[str, str] = field(default_factory=dict)
    traceback: str = ""
    seed: int = 0
    missing: str = ""

    @property
    def score(self) -> float:
        """Points gained."""
        return self.points if self.state in (State.RIGHT, State.FAULT) else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the score."""
        return asdict(self) | {"score": self.score}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """The inverse of `as_dict`."""
        fields = {name: data[name] for name in cls.__dataclass_fields__} | {"state": State(data["state"])}
        return cls(**fields)


def run_check(check: Check, namespace: Mapping[str, Any], seed: int) -> Outcome:
    """Run `check` on the learner's `namespace`; never raises, except for an interrupt from the keyboard.

    What the learner's code prints is thrown away: a notebook's cell, and nbgrader's rule that text on stderr costs the
    points, must not depend on it.
    """
    rng = Rng(seed, check.exercise, check.name)
    found: dict[str, Any]
    try:
        with silence(), seeded_globals(rng.number), time_limit(check.seconds), _limited(namespace, check.seconds):
            found = _attempt(check, namespace, rng)
    except TimeLimit:
        found = {"state": State.TIMED_OUT}
    if found["state"] is State.FAULT and _holds_for_the_reference(check, namespace, seed):
        found = {"state": State.CRASHED, "traceback": f"{UNUSABLE}\n{found['traceback'].splitlines()[-1]}"}
    return Outcome(check.name, check.sentence, check.points, seed=seed, **found)


def _holds_for_the_reference(check: Check, namespace: Mapping[str, Any], seed: int) -> bool:
    """Whether the instructor's own answers, where they are at hand, do not make the check fail by itself.

    Then what the learner's code gave back did, and a fault that costs nothing would be there for the taking.
    """
    answers: Callable[[], Mapping[str, Any] | None] | None = getattr(namespace, "answers", None)
    reference = answers() if answers is not None else None
    return reference is not None and run_check(check, reference, seed).state is State.RIGHT


def _limited(namespace: Mapping[str, Any], seconds: float) -> AbstractContextManager[None]:
    """Limit the learner's code where it runs in another process, whose time `time_limit` does not see."""
    limited: Callable[[float], AbstractContextManager[None]] | None = getattr(namespace, "limited", None)
    return limited(seconds) if limited is not None else nullcontext()


def _attempt(check: Check, namespace: Mapping[str, Any], rng: Rng) -> dict[str, Any]:
    """Call `check` and describe what happened. Descriptions run the learner's code too, such as a `__repr__`."""
    file = check.function.__code__.co_filename
    try:
        check.function(Answers(namespace), rng)
    except (KeyboardInterrupt, TimeLimit):
        raise
    except NotAttempted as error:
        return {"state": State.NOT_ATTEMPTED, "missing": str(error)}
    except BaseException as error:
        if not is_students(error, namespace, file):
            if isinstance(error, AssertionError):
                wrong = error if isinstance(error, Wrong) else Wrong(str(error), {})
                evidence = {name: shown(value) for name, value in wrong.evidence.items()}
                return {"state": State.WRONG, "hint": wrong.hint, "evidence": evidence}
            return {"state": State.FAULT, "traceback": "".join(traceback.format_exception(error)).rstrip()}
        if isinstance(error, NotImplementedError):
            return {"state": State.NOT_ATTEMPTED}
        return {"state": State.CRASHED, "traceback": students_traceback(error, file)}
    return {"state": State.RIGHT}


def shown(value: object) -> str:
    """A text of at most `SHOWN_CHARACTERS` for a piece of evidence, cut in the middle if need be.

    Whatever the value's own `__repr__` raises is told rather than raised, but for an interrupt and the end of the time.
    """
    try:
        text = value if isinstance(value, str) and "\n" in value else repr(value)
    except (KeyboardInterrupt, TimeLimit):
        raise
    except BaseException as error:
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = (SHOWN_CHARACTERS - len(CUT)) // 2
    return text[:half] + CUT + text[-half:]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimit` in the body after `seconds` of CPU time, or `WALL_PER_CPU` times as long on the clock.

    Works where the system has interval timers and on the main thread (notebook cells run there); elsewhere, as on
    Windows, the body is not limited. Code that swallows the exception (a bare ``except:``) gains nothing by it: it is
    raised again while the body goes on, and once more at its end.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    armed, over = True, False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal over
        if armed:
            over = True
            raise TimeLimit

    timers = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, seconds * WALL_PER_CPU),
    )
    before = [(number, signal.signal(number, stop)) for number, _, _ in timers]
    outer = signal.getitimer(signal.ITIMER_REAL)
    started = time.monotonic()
    try:
        for _, timer, delay in timers:
            signal.setitimer(timer, delay, AGAIN)
        yield
    finally:
        armed = False
        for _, timer, _ in timers:
            signal.setitimer(timer, 0)
        for number, handler in before:
            signal.signal(number, handler)
        if outer[0]:  # an alarm that somebody else had set goes on
            signal.setitimer(signal.ITIMER_REAL, max(outer[0] - (time.monotonic() - started), 0.001), outer[1])
    if over:
        raise TimeLimit

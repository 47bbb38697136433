"""The judge's end of the conversation: ask, wait, answer the student's calls of the judge's own functions.

Whatever arrives here may have been made by an attacker. It is decoded to plain data and stand-ins, and every way in
which it can be wrong ends in `Misbehaved`.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary, finalize

from autograder.judge import generators
from autograder.judge.codec import CodecError, decode, encode
from autograder.judge.failures import MARK, Classes
from autograder.judge.inplace import copy_into
from autograder.judge.loans import first_picture, picture
from autograder.judge.proxy import Proxy, handle_of
from autograder.judge.wire import Channel, Misbehaved, Overdue
from autograder.student.protocol import TimeLimit

#: Seconds that an interrupted process has to come to an end of what it does.
GRACE = 2.0
#: Libraries whose modules stand for themselves when a student's name is bound to one; any other is the student's.
LIBRARIES = (
    *("numpy", "pandas", "torch", "scipy", "sklearn", "matplotlib", "transformers", "datasets", "tokenizers"),
    *("math", "cmath", "random", "statistics", "itertools", "functools", "operator", "collections", "string", "re"),
)


class NotJudgeable(TypeError):
    """A test does what cannot be done across two processes. The fault is the test's."""


class Link:
    """A conversation with one student's process.

    Args:
        channel: leads to the process.
        interrupt: interrupts what it is doing; without it a process that is too slow is given up.

    Attributes:
        deadline: `time.monotonic()` until which questions must be answered, or None.
        seconds: CPU seconds that the student's code may use for one question, or None.
        before: called before each question, to send what must be known by then.
        after: called after each question, to fetch what else has come of it.
    """

    def __init__(self, channel: Channel, interrupt: Callable[[], None] | None = None) -> None:
        self.deadline: float | None = None
        self.seconds: float | None = None
        self.before: Sequence[Callable[[], None]] = ()
        self.after: Sequence[Callable[[], None]] = ()
        self.classes = Classes()
        self.end = ""
        self._channel, self._interrupt = channel, interrupt
        self._number = self._pending = self._depth = 0
        self._proxies: WeakValueDictionary[int, Proxy] = WeakValueDictionary()
        self._received: dict[int, int] = {}
        self._released: list[tuple[int, int]] = []
        self._loans: dict[int, tuple[Any, bytes]] = {}
        self._backs: dict[int, Any] = {}
        self._tickets: dict[int, BaseException] = {}
        self._random: dict[str, Any] = {}

    def ask(self, operation: str, *args: Any) -> Any:
        """The answer of the student's process; an exception of the student's code is raised here.

        Raises:
            Misbehaved: if no proper answer comes. From then on every question ends so.
            NotJudgeable: if an argument cannot be sent.
        """
        if self._depth == 0:
            self._tickets.clear()
            for act in self.before:
                act()
        self._depth += 1
        try:
            return self._exchange(operation, args)
        except Misbehaved as error:
            if not isinstance(error, Overdue):
                self.end = self.end or str(error)
            error.__dict__[MARK] = True
            raise
        finally:
            self._depth -= 1
            if self._depth == 0:
                for act in self.after:
                    act()

    def settle(self) -> None:
        """A test cell is over: what it lent and handed out is taken back."""
        self._loans.clear()
        self._backs.clear()
        if not self.end:
            self.ask("settle")

    def close(self) -> None:
        """End the conversation."""
        self.end = self.end or "The conversation is over."
        self._channel.close()

    def unlend(self, told: Any) -> Any:
        """Data that the other side lends: the same object for the same loan, as long as the test cell lasts."""
        match told:
            case ("given", value):
                return value
            case ("lent", int(handle), value):
                self._loans[handle] = (value, first_picture(value))
                return value
            case ("again", int(handle)) if handle in self._loans:
                return self._loans[handle][0]
        raise Misbehaved("The student's process lent what it does not have.")

    def loan_of(self, value: Any) -> Any:
        """A stand-in for data that the other side has lent, so that its own object is meant; else the data."""
        for handle, (lent, _) in self._loans.items():
            if lent is value:
                return _Own(handle)
        return value

    # Questions

    def _exchange(self, operation: str, args: tuple[Any, ...]) -> Any:
        if self.end:
            raise Misbehaved(self.end)
        if self._pending:
            self._catch_up()
        self._number += 1
        number = self._number
        try:
            message = encode((number, operation, args, self._about()), self._refer)
        except CodecError as error:
            raise NotJudgeable(f"{error} Tag the cell ustod-in-kernel, or pass plain data.") from None
        self._pending = number
        self._channel.send(message, self.deadline)
        while (answer := self._next(number)) is None:
            pass
        self._pending = 0
        kind, value, about = answer
        return self._conclude(kind, value, about, args)

    def _next(self, number: int) -> tuple[Any, Any, Any] | None:
        """The answer to question `number`, or None if a call of one of the judge's functions came and was answered."""
        try:
            message = decode(self._channel.receive(self.deadline), self._resolve)
            if type(message) is not tuple or len(message) != 4 or type(message[3]) is not dict:
                raise CodecError("It has an unknown form.")
            given, kind, value, about = message
            if kind == "call":
                self._answer(value, about)
                return None
        except CodecError as error:
            raise Misbehaved(f"The student's process sent what is no message. {error}") from None
        if given != number:
            raise Misbehaved("The student's process answered a question that was not asked.")
        return kind, value, about

    def _conclude(self, kind: Any, value: Any, about: dict[str, Any], args: tuple[Any, ...]) -> Any:
        try:
            self._take(about, args)
            if kind == "return":
                return value
            if kind == "late" and self.seconds is not None:
                raise TimeLimit
            if kind == "again" and type(value) is int and value in self._tickets:
                raise self._tickets[value]
            if kind == "raise":
                error = self.classes.raised(value)
                raise error
        except CodecError as error:
            raise Misbehaved(f"The student's process sent what is no message. {error}") from None
        raise Misbehaved("The student's process gave an answer of no known kind.")

    def _answer(self, call: Any, about: dict[str, Any]) -> None:
        """Call one of the judge's own functions for the student, and tell what it gave."""
        match call:
            case (int(number), list(args), dict(kwargs)) if number in self._backs:
                function = self._backs[number]
            case _:
                raise CodecError("It calls a function that it was not given.")
        if self._depth > 40 or not all(type(name) is str for name in kwargs):
            raise CodecError("It calls in a circle.")
        self._take(about, ())
        pending, self._pending = self._pending, 0
        answer: tuple[str, Any]
        try:
            answer = "return", function(*args, **kwargs)
        except BaseException as error:
            ticket = len(self._tickets) + 1
            self._tickets[ticket] = error
            kind = type(error)
            text = str(error) if kind.__module__ == "builtins" else ""
            answer = "raise", (ticket, kind.__module__, kind.__qualname__, text)
        if self._pending:
            self._catch_up()
        try:
            message = encode((0, *answer, self._about()), self._refer)
        except CodecError as error:
            raise NotJudgeable(str(error)) from None
        self._channel.send(message, self.deadline)
        self._pending = pending

    def _catch_up(self) -> None:
        """An answer is still to come, because a limit of time ended the wait: interrupt, and drop what comes."""
        if self._interrupt is None:
            raise Misbehaved("The student's process took too long to answer.")
        self._interrupt()
        before, self.deadline = self.deadline, time.monotonic() + GRACE
        try:
            while self._next(self._pending) is None:
                pass
        except Overdue as error:
            raise Misbehaved(f"{error} It could not be interrupted.") from None
        finally:
            self.deadline = before
        self._pending = 0

    # What goes along with a message

    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = {}
        if self.seconds is not None:
            about["seconds"] = self.seconds
        if self._released:
            about["released"], self._released = self._released, []
        if (states := generators.states()) != self._random:
            about["random"] = self._random = states
        changed = [
            (handle, value) for handle, (value, before) in self._loans.items() if before and picture(value) != before
        ]
        if changed:
            about["loans"] = changed
            self._loans.update({handle: (value, picture(value)) for handle, value in changed})
        return about

    def _take(self, about: dict[str, Any], args: tuple[Any, ...]) -> None:
        if type(text := about.get("text", "")) is str and text:
            sys.stdout.write(text)
        if about.get("drawn"):
            generators.advance(about["drawn"])
            self._random = {}
        for handle, value in _pairs(about.get("loans")):
            if handle in self._loans:
                copy_into(self._loans[handle][0], value)
                self._loans[handle] = (self._loans[handle][0], picture(value))
        if len(args) == 3:
            for key, value in _pairs(about.get("changed")):
                given = args[1] if type(key) is int and 0 <= key < len(args[1]) else args[2]
                if type(key) is int or key in given:
                    copy_into(given[key], value)

    # What stands for objects

    def _refer(self, value: Any) -> Any:
        """What is sent for an object of the judge's that is no data."""
        if isinstance(type(value), type) and issubclass(type(value), Proxy):
            return ("own", handle_of(value))
        if type(value) is _Own:
            return ("own", value.handle)
        if isinstance(value, type) and value in self.classes.handles:
            return ("own", self.classes.handles[value])
        if (name := _importable(value)) is not None:
            return ("global", *name)
        if callable(value):
            return ("back", self._back(value), str(getattr(value, "__name__", type(value).__name__)))
        if isinstance(value, Iterator) and type(value).__module__ in ("builtins", "itertools"):
            return ("iterator", self._back(_step(value)), "iterator")
        try:
            return ("pickle", pickle.dumps(value))  # the student's process may unpickle what the judge has written
        except Exception:
            return None

    def _back(self, function: Any) -> int:
        for number, known in self._backs.items():
            if known == function:
                return number
        self._number += 1
        self._backs[self._number] = function
        return self._number

    def _resolve(self, payload: Any) -> Any:
        """What stands in the judge for an object of the student's."""
        match payload:
            case ("back", int(number)) if number in self._backs:
                return self._backs[number]
            case ("module", int(handle), str(name)):
                module = sys.modules.get(name)
                known = module is not None and name.partition(".")[0] in LIBRARIES
                return module if known else self._proxy(handle, [["types", "ModuleType"]])
            case ("exception", int(handle), list(names)):
                kind = self.classes.stand_in(names)
                if kind.__module__ == "__main__":
                    self.classes.handles[kind] = handle
                return kind
            case ("object", int(handle), list(names)):
                return self._proxy(handle, names)
        raise CodecError("It refers to an object that does not exist.")

    def _proxy(self, handle: int, names: list[Any]) -> Proxy:
        proxy = self._proxies.get(handle)
        if proxy is None:
            proxy = Proxy(self, handle, names)
            self._proxies[handle] = proxy
            self._received[handle] = 0
            finalize(proxy, self._forget, handle).atexit = False
        self._received[handle] += 1
        return proxy

    def _forget(self, handle: int) -> None:
        self._released.append((handle, self._received.pop(handle, 1)))


class _Own:
    """Stands, in a message, for an object that lives on the other side."""

    def __init__(self, handle: int) -> None:
        self.handle = handle


def _pairs(told: Any) -> list[tuple[Any, Any]]:
    if told is None:
        return []
    if type(told) is not list or any(type(pair) is not tuple or len(pair) != 2 for pair in told):
        raise CodecError("It has changes of an unknown form.")
    return told


def _step(iterator: Iterator[Any]) -> Callable[[], tuple[bool, Any]]:
    def step() -> tuple[bool, Any]:
        try:
            return True, next(iterator)
        except StopIteration:
            return False, None

    return step


def _importable(value: Any) -> tuple[str, str] | None:
    """Module and name under which the other side can import the very same thing: what a library defines."""
    if isinstance(value, ModuleType):
        return value.__name__, ""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if name is None:
        name = getattr(value, "__name__", None)
    if module is None and hasattr(value, "__name__") and "numpy" in sys.modules:
        module = "numpy"  # its universal functions name no module
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is value and found is not None else None

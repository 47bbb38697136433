"""The student's side: executes cells and answers the judge's questions about what they left behind.

Nothing here has to be trusted. The student's code shares this process and may answer in its place; the judge takes
every message for a student's own words.
"""

from __future__ import annotations

import builtins
import importlib
import operator
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from autograder.judge import generators
from autograder.judge.codec import CodecError, decode, encode
from autograder.judge.failures import describe, traceback_of
from autograder.judge.files import Snapshot, apply, changes, snapshot
from autograder.judge.inplace import copy_into, is_mutable
from autograder.judge.loans import UNWATCHED, first_picture, picture
from autograder.judge.shell import Collector, Shell, collecting
from autograder.judge.wire import Channel, Misbehaved
from autograder.kernel.limits import Limits, reason_of
from autograder.student.protocol import TimeLimit
from autograder.student.running import time_limit

#: What the judge may ask of an object besides calling it, by name.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "getattr": getattr, "setattr": setattr, "delattr": delattr, "getitem": operator.getitem,
    "setitem": operator.setitem, "delitem": operator.delitem, "len": len, "contains": operator.contains,
    "repr": repr, "str": str, "dir": dir, "iter": iter, "isinstance": isinstance, "issubclass": issubclass,
    "enter": lambda context: type(context).__enter__(context),
    "exit": lambda context, *error: type(context).__exit__(context, *error),
    **{name: getattr(operator, name) for name in (
        "eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul",
        "neg", "pos", "invert", "and_", "or_", "xor", "lshift", "rshift", "truth", "index",
    )},
    "abs": abs, "float": float, "int": int, "bool": bool, "hash": hash,
}  # fmt: skip
#: Under this name an exception carries the number of the judge's own exception that it stands for.
TICKET = "__ustod_ticket__"
OURS = os.path.dirname(os.path.abspath(__file__))


def serve(fd: int, limits: dict[str, Any] | None = None) -> None:
    """Answer the judge at the other end of the socket `fd` until it closes.

    Args:
        limits: those of this process, as `Limits.plain` gives them, for what is said of one that is hit.
    """
    channel = Channel(socket.socket(fileno=fd))
    Agent(channel, Limits(**limits or {})).run()


class _BackError(Exception):
    """Stands for an exception of the judge's own; it goes home as itself if nobody catches it."""


class Agent:
    """One notebook, and the conversation about it."""

    def __init__(self, channel: Channel, limits: Limits) -> None:
        self._channel, self._limits = channel, limits
        self._shell = Shell({}, self._remark)
        self._objects: dict[int, tuple[Any, int]] = {}
        self._handles: dict[int, int] = {}
        self._loans: dict[int, bytes] = {}
        self._last = 0
        self._depth = 0
        self._backs: dict[int, tuple[Any, int]] = {}
        self._random: dict[str, Any] = {}
        self._changed: list[tuple[Any, Any]] = []
        self._patched: list[tuple[Any, str, Any]] = []
        self._lock = threading.RLock()
        self._hidden: dict[str, Any] = {}
        self._folder = Path()
        self._files: Snapshot = {}
        builtins.input = _no_input
        signal.signal(signal.SIGINT, self._interrupt)

    def run(self) -> None:
        """Serve until the judge has gone."""
        try:
            while True:
                self._serve(self._receive())
        except Misbehaved:
            pass
        finally:
            self._channel.close()

    def _interrupt(self, _signal: int, _frame: object) -> None:
        if self._depth:
            raise KeyboardInterrupt

    def _receive(self) -> tuple[Any, ...]:
        message: tuple[Any, ...] = decode(self._channel.receive(), self._resolve)
        return message

    def _send(self, *message: Any) -> None:
        self._channel.send(encode(message, self._refer))

    # Requests

    def _serve(self, message: tuple[Any, ...]) -> None:
        number, operation, args, about = message
        collector = Collector()
        answer: tuple[Any, ...]
        try:
            with ExitStack() as stack:
                if about.get("seconds") and self._depth == 0:
                    stack.enter_context(time_limit(about["seconds"]))
                if operation != "execute":
                    stack.enter_context(collecting(collector))
                self._prepare(about)
                self._depth += 1
                try:
                    answer = "return", getattr(self, f"do_{operation}")(*args)
                finally:
                    self._depth -= 1
        except BaseException as error:
            answer = self._failure(error)
        texts = [output["text"] for output in collector.outputs if output["output_type"] == "stream"]
        try:
            self._send(number, *answer, {"text": "".join(texts), **self._after()})
        except CodecError as error:
            self._send(number, "raise", describe(TypeError(str(error)), ""), {"text": "".join(texts)})

    def _failure(self, error: BaseException) -> tuple[Any, ...]:
        if (ticket := BaseException.__dict__["__dict__"].__get__(error).get(TICKET)) is not None:
            return "again", ticket
        if isinstance(error, TimeLimit):
            return "late", None
        self._remark(error)
        return "raise", describe(error, traceback_of(error, OURS))

    def _remark(self, error: BaseException) -> None:
        """Note on an exception which limit is behind it, if one is; tracebacks show the note."""
        with suppress(BaseException):  # whatever the student's own class of exception does here
            if (reason := reason_of(error)) is not None:
                sentence = reason.sentence(self._limits)
                if sentence not in getattr(error, "__notes__", ()):
                    BaseException.add_note(error, sentence)

    def _prepare(self, about: dict[str, Any]) -> None:
        for handle, count in about.get("released", ()):
            self._release(handle, count)
        for handle, value in about.get("loans", ()):
            if handle in self._loans:
                copy_into(self._objects[handle][0], value)
                self._loans[handle] = picture(value)
        if "random" in about:
            generators.set_states(about["random"])
            self._random = generators.states()
        elif self._random:
            self._random = generators.states()

    def _after(self) -> dict[str, Any]:
        about: dict[str, Any] = {"drawn": generators.distances(self._random), "changed": self._changed}
        self._changed = []
        changed = []
        for handle, before in list(self._loans.items()):
            if before == UNWATCHED:
                continue
            value = self._objects[handle][0]
            try:
                now = picture(value)
            except CodecError:
                continue
            if now != before:
                changed.append((handle, value))
                self._loans[handle] = now
        if changed:
            about["loans"] = changed
        return about

    def do_execute(self, source: str) -> Any:
        """The outputs of a cell, and whether it raised."""
        outputs, error = self._shell.execute(source)
        if isinstance(error, TimeLimit):
            raise error
        return outputs, error is not None

    def do_lookup(self, name: str) -> Any:
        """Whether there is such a name, and its value."""
        namespace = self._shell.namespace
        return (True, self._lend(namespace[name])) if name in namespace else (False, None)

    def do_contains(self, name: str) -> bool:
        """Whether there is such a name."""
        return name in self._shell.namespace

    def do_call(self, function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """What the call gives, and those of its arguments that it has changed."""
        changeable: dict[Any, Any] = {place: value for place, value in enumerate(args) if is_mutable(value)}
        changeable |= {name: value for name, value in kwargs.items() if is_mutable(value)}
        before = {key: picture(value) for key, value in changeable.items()}
        try:
            result = function(*args, **kwargs)
        finally:
            self._changed = [(key, value) for key, value in changeable.items() if self._differs(value, before[key])]
        return result

    def _differs(self, value: Any, before: bytes) -> bool:
        try:
            return picture(value) != before
        except CodecError:
            return False

    def do_operate(self, name: str, args: list[Any]) -> Any:
        """One of the `OPERATIONS`; an attribute that is plain data is lent."""
        result = OPERATIONS[name](*args)
        return self._lend(result) if name in ("getattr", "getitem") else result

    def do_next(self, iterator: Any) -> Any:
        """Whether there is another item, and the item."""
        try:
            return True, next(iterator)
        except StopIteration:
            return False, None

    def do_patch(self, module: str, name: str, value: Any) -> None:
        """Set an attribute of a module or a class in it, until `unpatch`."""
        owner = sys.modules.get(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        if owner is not None:
            self._patched.append((owner, last, getattr(owner, last)))
            setattr(owner, last, value)

    def do_unpatch(self) -> None:
        """Undo every patch."""
        while self._patched:
            setattr(*self._patched.pop())

    def do_put_files(self, folder: str, update: list[Any]) -> None:
        """Make the judge's temporary folder and what is in it here too."""
        self._folder = Path(folder)
        self._folder.mkdir(exist_ok=True)
        apply(self._folder, update)
        self._files = snapshot(self._folder)

    def do_get_files(self) -> list[Any]:
        """What has changed in that folder since the last time."""
        before, self._files = self._files, snapshot(self._folder)
        return changes(self._folder, before, self._files)

    def do_hide(self, name: str) -> None:
        """Take `name` away from the student's code, as a test does with `del`."""
        self._hidden.setdefault(name, self._shell.namespace.pop(name))

    def do_rebind(self, name: str, value: Any) -> None:
        """Give a `name` of the student's another value, as a test does with an assignment."""
        if name in self._shell.namespace:
            self._hidden.setdefault(name, self._shell.namespace[name])
            self._shell.namespace[name] = value

    def do_show(self, name: str) -> None:
        """Give it back."""
        if name in self._hidden:
            self._shell.namespace[name] = self._hidden.pop(name)

    def do_settle(self) -> None:
        """A test cell is over: loans end, and the judge's callables are forgotten."""
        self.do_unpatch()
        for name in list(self._hidden):
            self.do_show(name)
        for handle in list(self._loans):
            self._release(handle, 1)
        self._loans.clear()

    def do_vjp(self, function: Any, inputs: list[Any], cotangents: Any) -> Any:
        """Gradients of `function` at `inputs`, weighted by `cotangents`, by torch."""
        import torch

        leaves = [value.detach().clone().requires_grad_(value.is_floating_point()) for value in inputs]
        output = function(*leaves)
        outputs = output if isinstance(output, tuple | list) else (output,)
        weights = cotangents if isinstance(cotangents, tuple | list) else (cotangents,)
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        found = iter(torch.autograd.grad(list(outputs), wanted, list(weights), allow_unused=True))
        return [next(found) if leaf.requires_grad else None for leaf in leaves]

    # Objects

    def _lend(self, value: Any) -> Any:
        """Plain data that can be changed, with a handle under which changes will be told; anything else as it is."""
        if not is_mutable(value) or type(value) is tuple:
            return ("given", value)
        try:
            taken = first_picture(value)
        except CodecError:
            return ("given", value)
        handle = self._keep(value, 0)
        if handle not in self._loans:
            self._loans[handle] = taken
            self._objects[handle] = (value, self._objects[handle][1] + 1)
            return ("lent", handle, value)
        return ("again", handle)

    def _keep(self, value: Any, count: int = 1) -> int:
        handle = self._handles.get(id(value))
        if handle is None:
            self._last += 1
            handle = self._handles[id(value)] = self._last
        _, known = self._objects.get(handle, (None, 0))
        self._objects[handle] = (value, known + count)
        return handle

    def _release(self, handle: int, count: int) -> None:
        value, known = self._objects.get(handle, (None, 0))
        if known > count:
            self._objects[handle] = (value, known - count)
        elif self._objects.pop(handle, None) is not None:
            self._handles.pop(id(value), None)

    def _refer(self, value: Any) -> Any:
        """What is told of an object that stays here."""
        if (back := self._backs.get(id(value))) is not None:
            return ("back", back[1])
        kind = type(value)
        if kind is type(sys):
            return ("module", self._keep(value), str(value.__name__))
        if isinstance(value, type) and issubclass(value, BaseException):
            return ("exception", self._keep(value), describe(value.__new__(value))[0])
        return ("object", self._keep(value), [[base.__module__, base.__qualname__] for base in type.mro(kind)])

    def _resolve(self, payload: Any) -> Any:
        """The object that the judge means. The judge is trusted, so it may name what is to be imported."""
        what, *rest = payload
        if what == "own":
            return self._objects[rest[0]][0]
        if what == "global":
            found: Any = importlib.import_module(rest[0])
            for part in rest[1].split(".") if rest[1] else ():
                found = getattr(found, part)
            return found
        if what == "pickle":
            import pickle

            return pickle.loads(rest[0])
        return self._back(what, *rest)

    def _back(self, what: str, number: int, name: str) -> Any:
        """A function, or an iterator, that asks the judge."""

        def function(*args: Any, **kwargs: Any) -> Any:
            return self._ask(number, args, kwargs)

        function.__name__ = function.__qualname__ = name
        made: Any = function if what == "back" else _iterate(function)
        self._backs[id(made)] = (made, number)
        return made

    def _ask(self, number: int, args: Any, kwargs: Any) -> Any:
        if not self._depth:
            raise RuntimeError("The test that gave you this function is over.")
        with self._lock:
            with _undisturbed():
                self._send(0, "call", (number, list(args), kwargs), {"drawn": generators.distances(self._random)})
            while True:
                with _undisturbed():
                    message = self._receive()
                if message[1] not in ("return", "raise"):
                    self._serve(message)
                    continue
                _, kind, value, about = message
                self._prepare(about)
                if kind == "return":
                    return value
                raise self._judges_error(*value)

    def _judges_error(self, ticket: int, module: str, name: str, text: str) -> BaseException:
        kind = getattr(sys.modules.get(module), name, None)
        error: BaseException
        try:
            error = kind(text) if isinstance(kind, type) and issubclass(kind, BaseException) else _BackError(text)
        except Exception:
            error = _BackError(text)
        error.__dict__[TICKET] = ticket
        return error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal tears a message apart; one that comes meanwhile is delivered afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGALRM, signal.SIGPROF))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _iterate(step: Callable[[], Any]) -> Iterator[Any]:
    while True:
        more, item = step()
        if not more:
            return
        yield item


def _no_input(*_: Any) -> str:
    raise RuntimeError("input() cannot be answered while a notebook is graded.")

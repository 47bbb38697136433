"""One life of a zygote, as the host sees it, and of the children that it forks."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.kernel import wire
from autograder.kernel.cgroup import Group, new_group, remove_late
from autograder.kernel.limits import Limits, Reason
from autograder.kernel.sandbox import PACKAGE, STEADY, Sandbox

#: Seconds within which the stack must be imported.
PATIENCE = 300.0
#: The exit codes of bubblewrap and of a process that are killed, by the system for want of memory or by somebody.
KILLED = (128 + 9, -9)

_PROGRAM = """
import json, sys
given = json.loads(sys.argv.pop())
sys.path[:0] = given.pop("paths")
from autograder.kernel.zygote import main
main(**given)
"""


@dataclass(frozen=True)
class Ending:
    """How a child ended.

    Attributes:
        reason: why.
        code: the exit code; a negative number is the signal that ended it.
        wall: seconds on the clock.
        cpu: seconds of processor time as last seen by the watcher, of the whole tree of processes.
        peak: bytes of resident memory at the most, shared pages included.
    """

    reason: Reason
    code: int
    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0


class Child:
    """A process that runs one notebook."""

    def __init__(self, zygote: Life, name: int, limits: Limits, group: Group | None) -> None:
        self.limits = limits
        self._group = group
        self._zygote = zygote
        self._name = name
        self._born = threading.Event()
        self._over = threading.Event()
        self._ending: Ending | None = None
        self._refusal = ""
        #: The pid that the zygote sees: no pid of the host.
        self.pid = 0
        #: Whether it has a control group, so that Linux itself keeps its limits on memory and processes.
        self.is_grouped = False

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it runs."""
        return self._ending

    @property
    def is_outdated(self) -> bool:
        """Whether Python or a package has changed since its zygote began: it may have imported some of each."""
        return self._zygote.python != python()

    def wait(self, timeout: float | None = None) -> Ending | None:
        """Wait until it has ended; None if it still runs after `timeout` seconds."""
        self._over.wait(timeout)
        return self._ending

    def signal(self, number: int) -> None:
        """Send a signal to the child's process group; nothing happens if it has ended.

        The child is the first process of its namespace: a signal that it does not handle is ignored. To end it, use
        `kill`.
        """
        self._zygote.tell({"do": "signal", "id": self._name, "signal": int(number)})

    def kill(self) -> None:
        """End the child and every process that it started."""
        self._zygote.tell({"do": "kill", "id": self._name})

    def hear(self, message: dict[str, Any]) -> None:
        """What the zygote says about this child."""
        if message["say"] == "forked":
            self.pid, self.is_grouped = message["pid"], message["grouped"]
        elif message["say"] == "refused":
            self._refusal = message["why"]
            self._ending = Ending(Reason.ZYGOTE, 1)
        else:
            self._ending = Ending(Reason(message["reason"]), *(message[key] for key in ("code", "wall", "cpu", "peak")))
        if self._ending is not None:
            if self._group is not None:
                self._group.remove()
            self._over.set()
        self._born.set()

    def wait_for_birth(self) -> None:
        self._born.wait()
        if self._refusal:
            raise UstodError(f"A process for a notebook could not be shut in: {self._refusal}; see ustod doctor.")


@dataclass(frozen=True)
class Twin:
    """A line to a process that was forked from a zygote, and obeys whoever has the line.

    It can be an argument of a process that is being started, and belongs to that process then.

    Attributes:
        end: this end of the line.
        python: what `python` gave when the zygote was started.
    """

    end: socket.socket
    python: tuple[object, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (DupFd(self.end.fileno()), self.python)


def _arrived(end: Any, python: tuple[object, ...]) -> Twin:
    return Twin(socket.socket(fileno=end.detach()), python)


class Life:
    """One life of a zygote. A thread starts it and hears it to its end, since bubblewrap dies with the thread.

    Args:
        twin: the zygote that there is already; None starts one.
    """

    def __init__(
        self, modules: list[str], sandbox: Sandbox | None, paths: list[Path], twin: Twin | None = None
    ) -> None:
        self.python = python() if twin is None else twin.python
        self.is_dead = False
        self.was_killed = False
        self.threads = 0
        self.pid: int | None = None
        self._children: dict[int, Child] = {}
        self._names = itertools.count()
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._trouble = ""
        self._retired = False
        self._end, theirs = wire.pair() if twin is None else (twin.end, None)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 closed by _bury
        arguments = (theirs, modules, sandbox, paths)
        self._thread = threading.Thread(target=self._live, args=arguments, name="zygote", daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        if not self._ready.wait(PATIENCE):
            self.close()
            self._trouble = self._trouble or f"it was not ready after {PATIENCE:.0f} seconds"
        if self._trouble:
            raise UstodError(f"The process that runs notebooks did not start: {self._trouble}; see ustod doctor.")

    def fork(self, message: dict[str, Any], fds: Sequence[int], limits: Limits) -> Child:
        group = new_group(limits)
        with self._lock:
            name = next(self._names)
            child = Child(self, name, limits, group)
            self._children[name] = child
        try:
            with contextlib.ExitStack() as stack:
                files = stack.enter_context(group.files()) if group is not None else {}
                special = [*files, *message["special"]]
                wire.send(self._end, {**message, "do": "fork", "id": name, "special": special}, [*files.values(), *fds])
        except OSError:
            self._lose(child)
        except BaseException:
            del self._children[name]
            if group is not None:
                group.remove()
            raise
        if self.is_dead:
            self._lose(child)
        return child

    def twin(self) -> Twin:
        """Another one, for another process; its line is dead if this one is."""
        ours, theirs = wire.pair()
        with theirs:
            self.tell({"do": "twin"}, [theirs.fileno()])
        return Twin(ours, self.python)

    def tell(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):  # a dead zygote's children are dead
            wire.send(self._end, message, fds)

    def retire(self) -> None:
        """Take no more orders; end when the last child has ended."""
        with self._lock:
            self._retired = True
            if not self._children:
                self._hang_up()

    def close(self) -> None:
        self._hang_up()
        self._thread.join()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def _live(
        self, theirs: socket.socket | None, modules: list[str], sandbox: Sandbox | None, paths: list[Path]
    ) -> None:
        process = None
        try:
            if theirs is not None:
                with theirs:
                    process = self._launch(theirs.fileno(), modules, sandbox, paths)
                    self.pid = process.pid
            while True:
                message, _ = wire.receive(self._end)
                self._hear(message)
        except EOFError:
            pass
        except (OSError, UstodError) as error:
            if theirs is not None and process is None:
                self._trouble = str(error).rstrip(".")
        finally:
            self._end.close()
            # A twin ends with the zygote that it was forked from, whatever became of that.
            self.was_killed = theirs is None or (process is not None and process.wait() in KILLED)
            self._bury()

    def _launch(
        self, fd: int, modules: list[str], sandbox: Sandbox | None, paths: list[Path]
    ) -> subprocess.Popen[bytes]:
        copied = [str(sandbox.cache.datasets)] if sandbox is not None and sandbox.cache.datasets is not None else []
        given = {
            "fd": fd,
            "modules": modules,
            "sandboxed": sandbox is not None,
            "copied": copied,
            "paths": [str(path) for path in [*paths, PACKAGE.parent]],
        }
        line = [sys.executable, "-I", "-X", "utf8", "-c", _PROGRAM, json.dumps(given)]
        fds: list[int] = []
        environment: Mapping[str, str] = os.environ
        if sandbox is None:
            environment = {**os.environ, **STEADY, **OFFLINE}
        else:
            line, fds = Sandbox((*sandbox.readable, *paths), sandbox.cache, sandbox.scratch).command(line)
        try:
            return subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[fd, *fds],
                env=environment,
                start_new_session=True,
            )
        finally:
            for one in fds:
                os.close(one)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["say"] == "ready":
            self.threads = message["threads"]
            self._ready.set()
        elif message["say"] == "broken":
            self._trouble = message["why"]
        else:
            name = message["id"]
            child = self._children[name]
            child.hear(message)
            if child.ending is not None:
                with self._lock:
                    del self._children[name]
                    if self._retired and not self._children:
                        self._hang_up()

    def _bury(self) -> None:
        with self._lock:
            self.is_dead = True
            lost = list(self._children.values())
        if not self._ready.is_set() and not self._trouble:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
            self._trouble = said[-1] if said else "it ended without a word"
        self._log.close()
        self._ready.set()
        for child in lost:
            self._lose(child)
        remove_late()

    def _lose(self, child: Child) -> None:
        if child.ending is None:
            child.hear({"say": "ended", "reason": Reason.ZYGOTE, "code": -9, "wall": 0.0, "cpu": 0.0, "peak": 0})


def python() -> tuple[object, ...]:
    """What changes when the interpreter is upgraded, or a package is installed, upgraded or removed."""
    places = (sys.executable, sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return tuple((place, _changed(place)) for place in places)


def _changed(place: str) -> int | None:
    try:
        return os.stat(place).st_mtime_ns
    except FileNotFoundError:  # for a moment, in the middle of an upgrade
        return None

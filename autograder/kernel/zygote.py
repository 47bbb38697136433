"""The process inside the sandbox: imports the stack once, then forks a child for every order.

It has one thread and no event loop, so that a fork copies nothing half-done. Learners' code never runs in it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from autograder.kernel import child, linux, tree, wire
from autograder.kernel.cgroup import Meter, enter
from autograder.kernel.limits import Limits, Reason

#: Seconds between two looks at what the children use.
TICK = 0.05

#: Seconds that a child may take to shut itself in, on a machine that is very busy.
PATIENCE = 30.0

#: Becoming this user gives up every right of root; Linux keeps the limit on processes for all users but root.
NOBODY = 65534


@dataclass
class _Child:
    """A child as the zygote knows it: the pid of its keeper and of its inmate, and what it has used so far.

    Where it has a control group, `meter` tells whether its limits on memory and processes are hit. `held` are the open
    files that are to be closed at its end.
    """

    keeper: int
    inmate: int
    limits: Limits
    console: int | None
    meter: Meter | None
    held: list[int]
    began: float = field(default_factory=time.monotonic)
    reason: Reason | None = None
    cpu: float = 0.0
    peak: int = 0
    weighed: float = 0.0
    allowance: int = 0


def main(fd: int, modules: list[str], sandboxed: bool, copied: list[str]) -> None:
    """Import `modules`, and serve on the control socket `fd` until its other end is closed.

    ``module:attribute`` stands for what may be missing: it is looked up, since some packages import their parts only
    then. `copied` are read-only folders in which each child may make files of its own.
    """
    control = socket.socket(fileno=fd)
    if sandboxed and os.getuid() == 0:
        _become_nobody()
    try:
        load(modules)
    except Exception as error:
        wire.send(control, {"say": "broken", "why": f"{type(error).__name__}: {error}"})
        return
    Zygote(control, sandboxed, copied).serve()


def load(modules: Iterable[str]) -> None:
    """Import `modules` as `main` does, and leave a process that is cheap to fork, in which no garbage is collected.

    Raises:
        Exception: whatever an import raises.
    """
    gc.disable()  # while the stack is imported, collections would find next to nothing and take a fifth of the time
    for module in modules:
        _import(module)
    gc.freeze()
    linux.collapse_memory()


def _import(what: str) -> None:
    module, colon, attribute = what.partition(":")
    with contextlib.suppress(*[Exception] if colon else []):
        getattr(importlib.import_module(module), attribute or "__name__")


class Zygote:
    """Forks children, watches what they use, and reports their ends; forks twins, which obey somebody else."""

    def __init__(self, control: socket.socket, sandboxed: bool, copied: list[str]) -> None:
        self._copied = copied
        self._control = control
        self._sandboxed = sandboxed
        self._children: dict[int, _Child] = {}
        self._twins: set[int] = set()
        self._bell, knocker = socket.socketpair()
        knocker.setblocking(False)
        self._bell.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(knocker.fileno(), warn_on_full_buffer=False)
        self._knocker = knocker

    def serve(self) -> None:
        """Say that all is ready, and do what the host asks until it hangs up; then end every child."""
        threads = [task for task in os.listdir("/proc/self/task") if int(task) != os.getpid()]
        wire.send(self._control, {"say": "ready", "threads": len(threads)})
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        looked = time.monotonic()
        while True:
            poll.poll(TICK * 1000 if self._children else None)
            self._answer_bell()
            if select.select([self._control], [], [], 0)[0]:
                try:
                    message, fds = wire.receive(self._control)
                except EOFError:
                    break
                self._obey(message, fds)
            if self._children and time.monotonic() - looked >= TICK:
                self._watch()
                looked = time.monotonic()
        for one in self._children.values():
            self._kill(one)

    def _obey(self, message: dict[str, Any], fds: list[int]) -> None:
        if message["do"] == "twin":
            self._fork_twin(*fds)
            return
        one = self._children.get(message["id"])
        if message["do"] == "fork":
            self._fork(message, fds)
        elif one is not None and message["do"] == "signal":
            self._signal(one, message["signal"])
        elif one is not None and message["do"] == "kill":
            one.reason = one.reason or Reason.KILLED
            self._kill(one)

    def _fork(self, message: dict[str, Any], fds: list[int]) -> None:
        given = dict(zip(message["special"], fds, strict=False))
        gate, opening = os.pipe()
        reading, writing = os.pipe()
        order = child.Order(
            call=message["call"],
            args=message["args"],
            fds=fds[len(given) :],
            limits=Limits(**message["limits"]),
            console=given.get("console"),
            gate=gate,
            files=given.get("files"),
            results=given.get("results"),
            sandboxed=self._sandboxed,
            copied=self._copied,
            hidden=message["hidden"],
        )
        try:
            keeper = os.fork()
        except OSError as error:
            _close([gate, opening, reading, writing, *fds])
            wire.send(self._control, {"say": "refused", "id": message["id"], "why": str(error)})
            return
        if keeper == 0:
            child.keep(order, writing)
        meter = enter(keeper, given)
        _close([gate, opening, writing])
        lines = _read_all(reading).splitlines()
        held = [fd for fd in (order.console, *(meter.files if meter else ())) if fd is not None]
        _close(set(fds).difference(held))
        pid = next((int(line) for line in lines if line.isdigit()), None)
        trouble = "; ".join(line for line in lines if not line.isdigit())
        if pid is None or trouble:
            trouble = trouble or "it did not become ready in time"
            os.kill(keeper, signal.SIGKILL)
            os.waitpid(keeper, 0)
            _close(held)
            wire.send(self._control, {"say": "refused", "id": message["id"], "why": trouble})
            return
        self._children[message["id"]] = _Child(keeper, pid, order.limits, order.console, meter, held)
        wire.send(self._control, {"say": "forked", "id": message["id"], "pid": pid, "grouped": meter is not None})

    def _fork_twin(self, control: int) -> None:
        """Fork a zygote that serves whoever has the other end of the open file `control`, and ends with this one.

        If Linux refuses, whoever asked finds the other end closed, as after the end of a twin.
        """
        try:
            pid = os.fork()
        except OSError:
            os.close(control)
            return
        if pid:
            self._twins.add(pid)
            os.close(control)
            return
        try:
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
            for end in (self._control, self._bell, self._knocker):
                end.close()
            for one in self._children.values():
                _close(one.held)
            Zygote(socket.socket(fileno=control), self._sandboxed, self._copied).serve()
        finally:
            os._exit(0)

    def _signal(self, one: _Child, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(one.inmate, number)

    def _kill(self, one: _Child) -> None:
        if self._sandboxed:
            self._signal(one, signal.SIGKILL)
        else:
            tree.kill(one.inmate)

    def _answer_bell(self) -> None:
        """Report the children that have ended, and let go of twins that have."""
        try:
            self._bell.recv(4096)
        except BlockingIOError:
            return
        for name, one in list(self._children.items()):
            pid, status = os.waitpid(one.keeper, os.WNOHANG)
            if pid:
                self._report(name, one, os.waitstatus_to_exitcode(status))
        self._twins -= {pid for pid in self._twins if os.waitpid(pid, os.WNOHANG)[0]}

    def _report(self, name: int, one: _Child, code: int) -> None:
        code = 128 - code if code > 128 else code
        if one.reason is None and self._overflows(one):
            one.reason = Reason.OUTPUT
        if one.reason is None and one.meter is not None:
            one.reason = one.meter.excess(one.limits)
        if one.reason is None:
            own = {-signal.SIGXCPU: Reason.CPU, -signal.SIGKILL: Reason.KILLED}
            one.reason = own.get(code, Reason.CRASH if code < 0 else Reason.EXIT)
        del self._children[name]
        _close(one.held)
        ending = {"reason": one.reason.value, "code": code, "cpu": one.cpu, "peak": one.peak}
        wire.send(self._control, {"say": "ended", "id": name, "wall": time.monotonic() - one.began, **ending})

    def _watch(self) -> None:
        everything = tree.processes()
        for one in self._children.values():
            processes = tree.descendants(one.keeper, everything)[1:]
            if processes and one.reason is None:
                one.reason = self._excess(one, processes)
                if one.reason is not None:
                    self._kill(one)

    def _excess(self, one: _Child, processes: list[tree.Process]) -> Reason | None:
        limits = one.limits
        one.cpu = max(one.cpu, sum(process.cpu for process in processes))
        one.peak = max(one.peak, resident := sum(process.resident for process in processes))
        if time.monotonic() - one.began > limits.wall:
            return Reason.WALL
        if one.cpu > limits.cpu:
            return Reason.CPU
        if self._overflows(one):
            return Reason.OUTPUT
        if one.meter is not None:
            return one.meter.excess(limits)
        if sum(process.tasks for process in processes) > limits.processes:
            return Reason.PROCESSES
        return Reason.MEMORY if self._weigh(one, processes, resident) > limits.memory else None

    def _weigh(self, one: _Child, processes: list[tree.Process], resident: int) -> int:
        """Bytes of memory, or 0 where it cannot be too much.

        Resident memory is quick to read, but counts shared pages once for each process. The fair share takes
        milliseconds, so it is read only if resident memory exceeds the limit and has grown, or a second has passed.
        """
        now = time.monotonic()
        if resident <= one.limits.memory or (resident <= one.allowance and now - one.weighed < 1):
            return 0
        memory = tree.proportional_memory(process.pid for process in processes)
        one.weighed = now
        one.allowance = resident + (one.limits.memory - memory) // 2
        return memory

    def _overflows(self, one: _Child) -> bool:
        return one.console is not None and os.fstat(one.console).st_size > one.limits.output


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def _read_all(fd: int) -> str:
    """What is written to the pipe `fd` until nobody can write any more, or patience ends; closes it."""
    parts = []
    end = time.monotonic() + PATIENCE
    while select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(fd, 65536)
        if not part:
            break
        parts.append(part)
    else:
        parts = []
    os.close(fd)
    return b"".join(parts).decode(errors="replace")


def _become_nobody() -> None:
    """Give up root, after giving this sandbox a /proc of its own that children may copy for their namespaces."""
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    linux.prctl(linux.PR_SET_DUMPABLE, 1)

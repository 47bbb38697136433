"""Who is at the other end of a line, as Linux tells it: nothing that they say is believed."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from autograder.kernel import cgroup, linux

#: Of socket(7), since Linux 6.5: an open file that stands for the process that connected.
SO_PEERPIDFD = 77

#: Namespaces that a kernel must share with the server that asks for it: those it enters, and those that it cannot.
ENTERED = {"mnt": linux.CLONE_NEWNS, "net": linux.CLONE_NEWNET, "ipc": linux.CLONE_NEWIPC, "uts": linux.CLONE_NEWUTS}
NEEDED = ("user", "pid")

#: By how much a kernel is likelier to be killed for want of memory than the server that shows its notebook.
OOM_STEP = 300


class NotServed(Exception):
    """Why a client gets no kernel."""


def owner(line: socket.socket) -> tuple[int, int]:
    """The user, by number, who opened `line`, and the process that did; 0 for one that cannot be seen from here."""
    pid, uid, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid, pid


@dataclass(frozen=True)
class Peer:
    """The process that opened a line. `pidfd` is an open file that stands for it, whatever becomes of its number."""

    uid: int
    pid: int
    pidfd: int

    @classmethod
    def of(cls, line: socket.socket) -> Self:
        """Raises NotServed if the process has ended."""
        uid, pid = owner(line)
        try:
            pidfd = line.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
        except OSError:
            pidfd = -1
        try:
            # Without the option, another process may have its number by now: then `check` asks whose that is.
            return cls(uid, pid, pidfd if pidfd >= 0 else os.pidfd_open(pid))
        except (OSError, ValueError):
            raise NotServed("the process that asked has ended") from None

    def check(self) -> None:
        """That all that was read about it was about it, and that it is what a student's server is.

        Raises:
            NotServed: if it has ended, is another user's, or is under a filter that a kernel would escape.
        """
        status = _status(self.pid)
        if status["Uid"].split() != [str(self.uid)] * 4:
            raise NotServed("the process that asked has changed its user")
        if status.get("Seccomp_filters", "0") != _status(os.getpid()).get("Seccomp_filters", "0"):
            raise NotServed("the process that asked is under a filter of system calls")
        if select.select([self.pidfd], [], [], 0)[0]:
            raise NotServed("the process that asked has ended")

    def hand_down(self) -> None:
        """Put this process, which is root's, under every limit that the peer is under: groups, limits, namespaces.

        Raises:
            NotServed: if one of them cannot be had.
        """
        try:
            root = os.open(f"/proc/{self.pid}/root", os.O_PATH | os.O_CLOEXEC)
            flags = self._namespaces()
            limits = _limits(self.pid)
            badness = int(_read(self.pid, "oom_score_adj"))
            niceness = os.getpriority(os.PRIO_PROCESS, self.pid)
            processors = os.sched_getaffinity(self.pid)
            cgroup.join(self.pid)
            self.check()
            with contextlib.suppress(OSError):  # where root is not quite root, in a container, it may only be less
                os.setpriority(os.PRIO_PROCESS, 0, niceness)
            with contextlib.suppress(OSError):
                Path("/proc/self/oom_score_adj").write_text(str(min(1000, max(0, badness) + OOM_STEP)))
            with contextlib.suppress(OSError):  # the control group has its own say, and comes first
                os.sched_setaffinity(0, processors)
            if flags:
                linux.setns(self.pidfd, flags)
            if not os.path.samestat(os.fstat(root), os.stat("/")):
                raise NotServed("the process that asked has a root folder of its own")
            os.close(root)
            for which, limit in limits.items():
                resource.setrlimit(which, limit)
        except (OSError, ValueError) as error:
            raise NotServed(f"the limits of the process that asked cannot be kept: {error}") from None

    def _namespaces(self) -> int:
        """Those to enter. A user who has made some of their own is another user there, and might fool root."""
        for name in NEEDED:
            if not self._shares(name):
                raise NotServed(f"the process that asked is in a {name} namespace of its own")
        return sum(flag for name, flag in ENTERED.items() if not self._shares(name))

    def _shares(self, name: str) -> bool:
        return os.path.samestat(os.stat(f"/proc/{self.pid}/ns/{name}"), os.stat(f"/proc/self/ns/{name}"))


def _limits(pid: int) -> dict[int, tuple[int, int]]:
    """The limits of a process by their numbers, as far as this process can have them.

    prlimit(2) would tell the same, but in a container root may not ask it about the processes of others.
    """
    limits = {}
    for which, line in enumerate(_read(pid, "limits").splitlines()[1:]):
        soft, hard = (-1 if word == "unlimited" else int(word) for word in line[25:].split()[:2])
        most = resource.getrlimit(which)[1]
        limits[which] = (_least(soft, most), _least(hard, most))
    return limits


def _least(one: int, other: int) -> int:
    """The lower of two limits, where -1 is no limit."""
    return min(one, other) if -1 not in (one, other) else max(one, other)


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="ascii")


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        raise NotServed("the process that asked has ended") from None
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}

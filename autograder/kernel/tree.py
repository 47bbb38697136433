"""What a tree of processes uses, read from /proc."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Process:
    """One line of /proc: times in seconds, with those of its reaped children; resident memory in bytes."""

    pid: int
    parent: int
    cpu: float
    tasks: int
    resident: int


def processes() -> dict[int, Process]:
    """Every process that can be seen here."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text(encoding="latin-1")
            except OSError:
                continue  # it has just ended
            fields = text[text.rindex(")") + 2 :].split()
            pid = int(entry.name)
            cpu = sum(int(field) for field in fields[11:15]) / _TICKS
            found[pid] = Process(pid, int(fields[1]), cpu, int(fields[17]), int(fields[21]) * _PAGE)
    return found


def start_time(pid: int) -> int | None:
    """When the process `pid` began, in clock ticks since the machine did; None if there is none. Pids come again."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return None
    return int(text[text.rindex(")") + 2 :].split()[19])


def descendants(root: int, everything: dict[int, Process]) -> list[Process]:
    """The process `root` and those below it; empty if it is gone."""
    children: dict[int, list[Process]] = {}
    for process in everything.values():
        children.setdefault(process.parent, []).append(process)
    tree = [everything[root]] if root in everything else []
    for process in tree:
        tree.extend(children.get(process.pid, ()))
    return tree


def proportional_memory(pids: Iterable[int]) -> int:
    """Bytes of memory of these processes, where a page that n processes share counts one n-th for each."""
    return sum(_rollup(pid, "Pss:") for pid in pids)


def private_memory(pid: int) -> int:
    """Bytes of memory that only this process has: what its end would give back."""
    return _rollup(pid, "Private_Clean:", "Private_Dirty:")


def _rollup(pid: int, *names: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0  # it has just ended
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(names))


def kill(root: int) -> None:
    """End the process `root` and those below it, however fast they multiply.

    The first process of a pid namespace takes all others along; where there is none, stop the tree before ending it.
    """
    seen: set[int] = set()
    while fresh := [p.pid for p in descendants(root, processes()) if p.pid not in seen]:
        for pid in fresh:
            _signal(pid, signal.SIGSTOP)
        seen.update(fresh)
    for pid in seen:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)

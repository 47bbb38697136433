"""The doctor's trials: each tries to break one guarantee in a throw-away sandbox."""

from __future__ import annotations

import os
import platform
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from autograder.kernel import seccomp
from autograder.kernel.cgroup import SYSTEMD
from autograder.kernel.client import Child, Zygote
from autograder.kernel.doctor import Finding
from autograder.kernel.limits import MIB, Limits, Reason
from autograder.kernel.sandbox import Sandbox

_PROBES = "autograder.kernel.probes"


def run() -> list[Finding]:
    """Try each guarantee that a sandbox can give.

    Raises:
        UstodError: if there can be no sandbox.
    """
    with Zygote(Sandbox(), []) as zygote:
        return [*(try_it(zygote) for try_it in _TRIALS), _filter()]


def _filter() -> Finding:
    if seccomp.available():
        return Finding("system calls", True, "System calls that no notebook needs are refused.")
    words = f"System calls are not filtered, since there is no filter for the processor {platform.machine()}."
    return Finding("system calls", False, words, "Grade on x86-64 or 64-bit ARM; the other guarantees still hold.")


def _host_files(zygote: Zygote) -> Finding:
    home = Path.home()
    with tempfile.NamedTemporaryFile(dir=home if os.access(home, os.W_OK) else None) as file:
        seen = _code(zygote.fork(f"{_PROBES}:can_read", file.name)) != 0
    return _finding("files", not seen, "Files of this machine cannot be read", "can be read")


def _host_network(zygote: Zygote) -> Finding:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reached = _code(zygote.fork(f"{_PROBES}:can_connect", server.getsockname()[1])) != 0
    return _finding("network", not reached, "The network cannot be reached, nor this machine's own services", "reached")


def _neighbours(zygote: Zygote) -> Finding:
    other = zygote.fork(f"{_PROBES}:wait_with_a_file")
    seen = _code(zygote.fork(f"{_PROBES}:can_see_others")) != 0
    other.kill()
    return _finding("neighbours", not seen, "One submission cannot see another's files or processes", "one did")


def _limit(name: str, probe: str, limits: Limits, reason: Reason) -> Callable[[Zygote], Finding]:
    def try_it(zygote: Zygote) -> Finding:
        child = zygote.fork(f"{_PROBES}:{probe}", limits=limits)
        ending = child.wait(limits.wall + 10)
        if ending is None:
            child.kill()
        holds = ending is not None and ending.reason is reason
        return _finding(name, holds, f"The limit on {name} ends a notebook that goes beyond it", "one went on")

    return try_it


def _process_cap(zygote: Zygote) -> Finding:
    """The instant cap: that of a control group, or by user, for which Linux counts by notebook since 5.14."""
    child = zygote.fork(f"{_PROBES}:fork_up_to", 5)
    if _code(child) == 0 or child.is_grouped:
        return Finding("process cap", True, "Linux refuses a notebook more processes the moment it asks.")
    words = f"Linux {platform.release()} does not count processes by notebook; the watcher still ends a fork bomb."
    return Finding("process cap", False, words, "Upgrade to Linux 5.14 or newer.")


def _keeper(zygote: Zygote) -> Finding:
    """Who keeps the limits on memory and processes."""
    child = zygote.fork(f"{_PROBES}:nothing")
    child.wait()
    if child.is_grouped:
        words = "Linux itself keeps the limits on memory and processes, in a control group for each notebook."
        return Finding("control groups", True, words)
    words = "A watcher keeps the limits on memory and processes: it looks twenty times a second."
    return Finding("control groups", True, words, _how_to_have_groups())


def _how_to_have_groups() -> str:
    if not SYSTEMD.exists():
        return "Linux itself does where this user may make control groups with controllers memory and pids."
    whose = "" if os.getuid() == 0 else "--user "
    return f"For Linux itself to keep them: systemd-run {whose}--scope -p Delegate=yes ustod grade …"


def _disk(zygote: Zygote) -> Finding:
    holds = _code(zygote.fork(f"{_PROBES}:fill_disk", 16 * MIB, limits=Limits(wall=60, disk=8 * MIB))) == 0
    return _finding("disk", holds, "A notebook can fill its own disk space only", "one went beyond")


_TRIALS: list[Callable[[Zygote], Finding]] = [
    _host_files,
    _host_network,
    _neighbours,
    _limit("time", "sleep_long", Limits(wall=0.3), Reason.WALL),
    _limit("processor time", "spin", Limits(wall=60, cpu=0.3), Reason.CPU),
    _limit("memory", "hoard", Limits(wall=60, memory=100 * MIB), Reason.MEMORY),
    _limit("processes", "start_threads", Limits(wall=60, processes=10), Reason.PROCESSES),
    _process_cap,
    _keeper,
    _disk,
]


def _code(child: Child) -> int:
    ending = child.wait(60)
    if ending is None:
        child.kill()
        return -1
    return ending.code


def _finding(guarantee: str, holds: bool, words: str, otherwise: str) -> Finding:
    if holds:
        return Finding(guarantee, True, f"{words}.")
    mend = "Do not grade untrusted notebooks here, and report it with the output of ustod doctor."
    return Finding(guarantee, False, f"{words}: that failed when it was tried; {otherwise}.", mend)

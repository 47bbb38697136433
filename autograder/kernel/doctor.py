"""What this machine can guarantee about learners' code, found out by trying it in a throw-away sandbox."""

from __future__ import annotations

import platform
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import UstodError
from autograder.kernel import seccomp
from autograder.kernel.client import Child, Zygote
from autograder.kernel.limits import MIB, Limits, Reason
from autograder.kernel.sandbox import Sandbox

#: Ubuntu since 23.10 lets AppArmor decide who may make user namespaces.
APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
DEBIAN = Path("/proc/sys/kernel/unprivileged_userns_clone")

#: Left by Docker and by Podman in their containers.
CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))

_PROBES = "autograder.kernel.probes"


@dataclass(frozen=True)
class Finding:
    """One guarantee.

    Attributes:
        guarantee: a short name.
        holds: whether it holds here.
        words: what that means, in a sentence.
        mend: what to do about it; empty if it holds.
    """

    guarantee: str
    holds: bool
    words: str
    mend: str = ""


def findings() -> list[Finding]:
    """Try each guarantee. Takes a second or two; changes nothing."""
    obstacle = _obstacle()
    if obstacle is not None:
        return [obstacle]
    with Zygote(Sandbox(), []) as zygote:
        try:
            zygote.fork(f"{_PROBES}:nothing").wait()
        except UstodError as error:
            return [_no_sandbox(str(error))]
        return [
            Finding("sandbox", True, "Learners' code is shut in by bubblewrap, each notebook by itself."),
            *(try_it(zygote) for try_it in _TRIALS),
            _filter(),
        ]


def _obstacle() -> Finding | None:
    """What can be said without starting anything."""
    words = "Learners' code cannot be shut in: "
    if platform.system() != "Linux":
        return Finding("sandbox", False, f"{words}this is not Linux.", "Grade on a Linux machine, or in a virtual one.")
    if shutil.which("bwrap") is None:
        return Finding(
            "sandbox", False, f"{words}the program bwrap is missing.", "Install the package bubblewrap, then try again."
        )
    return None


def _no_sandbox(error: str) -> Finding:
    """Why namespaces cannot be made, from what the system says about them."""
    words = "Learners' code cannot be shut in: "
    if _setting(DEBIAN) == 0:
        why, mend = "this system forbids user namespaces", "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    elif _setting(NAMESPACES) == 0:
        why, mend = "this system allows no user namespaces", "sudo sysctl -w user.max_user_namespaces=15000"
    elif _setting(APPARMOR) == 1:
        why = "AppArmor, as Ubuntu sets it up, keeps bubblewrap from making user namespaces"
        mend = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    elif any(path.exists() for path in CONTAINERS):
        why = "this is a container that may not make namespaces of its own"
        mend = "Start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined."
        return Finding("sandbox", False, f"{words}{why}.", mend)
    else:
        return Finding("sandbox", False, f"{words}{error}", "Run bwrap --ro-bind / / --unshare-all true to see more.")
    return Finding("sandbox", False, f"{words}{why}.", f"Run {mend} and write the setting to /etc/sysctl.d to keep it.")


def _setting(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _filter() -> Finding:
    if seccomp.available():
        return Finding("system calls", True, "System calls that no notebook needs are refused.")
    words = f"System calls are not filtered, since there is no filter for the processor {platform.machine()}."
    return Finding("system calls", False, words, "Grade on x86-64 or 64-bit ARM; the other guarantees still hold.")


def _host_files(zygote: Zygote) -> Finding:
    with tempfile.NamedTemporaryFile(dir=Path.home()) as file:
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
    """The instant cap, which needs Linux 5.14; the limit above is the watcher's, twenty times a second."""
    holds = _code(zygote.fork(f"{_PROBES}:fork_up_to", 5)) == 0
    if holds:
        return Finding("process cap", True, "Linux refuses a notebook more processes the moment it asks.")
    words = f"Linux {platform.release()} does not count processes by notebook; the watcher still ends a fork bomb."
    return Finding("process cap", False, words, "Upgrade to Linux 5.14 or newer.")


def _disk(zygote: Zygote) -> Finding:
    holds = _code(zygote.fork(f"{_PROBES}:fill_disk", 16 * MIB, limits=Limits(wall=20, disk=8 * MIB))) == 0
    return _finding("disk", holds, "A notebook can fill its own disk space only", "one went beyond")


_TRIALS: list[Callable[[Zygote], Finding]] = [
    _host_files,
    _host_network,
    _neighbours,
    _limit("time", "sleep_long", Limits(wall=0.3), Reason.WALL),
    _limit("processor time", "spin", Limits(wall=20, cpu=0.3), Reason.CPU),
    _limit("memory", "hoard", Limits(wall=20, memory=100 * MIB), Reason.MEMORY),
    _limit("processes", "start_threads", Limits(wall=20, processes=10), Reason.PROCESSES),
    _process_cap,
    _disk,
]


def _code(child: Child) -> int:
    ending = child.wait(30)
    if ending is None:
        child.kill()
        return -1
    return ending.code


def _finding(guarantee: str, holds: bool, words: str, otherwise: str) -> Finding:
    if holds:
        return Finding(guarantee, True, f"{words}.")
    mend = "Do not grade untrusted notebooks here, and report it with the output of ustod doctor."
    return Finding(guarantee, False, f"{words}: that failed when it was tried; {otherwise}.", mend)

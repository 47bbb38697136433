"""What a student tries against another's kernel and against the daemon. Each returns what stood in the way."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
PROCESS_VM_READV, PIDFD_GETFD, KEYCTL = (310, 438, 250) if os.uname().machine == "x86_64" else (270, 438, 219)


def call(function: Any, *arguments: Any) -> int:
    """Raises OSError, as Python's own functions do."""
    result = function(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def syscall(number: int, *arguments: int) -> int:
    return call(libc.syscall, *(ctypes.c_long(argument) for argument in (number, *arguments)))


def outcome(attack: Callable[[], Any]) -> str:
    try:
        return f"got {attack()!r}"
    except OSError as error:
        return type(error).__name__


def on_process(pid: int) -> dict[str, str]:
    """Against a process of somebody else."""

    def read(name: str) -> bytes:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read(1)

    def steal_file() -> int:
        return syscall(PIDFD_GETFD, os.pidfd_open(pid), 0, 0)

    def read_memory() -> int:
        class Region(ctypes.Structure):
            _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

        here = ctypes.create_string_buffer(8)
        local, remote = Region(ctypes.addressof(here), 8), Region(ctypes.addressof(here), 8)
        return syscall(PROCESS_VM_READV, pid, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)

    attacks: dict[str, Callable[[], Any]] = {
        "signal": lambda: os.kill(pid, signal.SIGCONT),
        "signal its group": lambda: os.killpg(os.getpgid(pid), signal.SIGCONT),
        "signal by pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGCONT),
        "attach": lambda: call(libc.ptrace, PTRACE_ATTACH, pid, 0, 0),
        "seize": lambda: call(libc.ptrace, PTRACE_SEIZE, pid, 0, 0),
        "read memory": read_memory,
        "steal file": steal_file,
        "list files": lambda: os.listdir(f"/proc/{pid}/fd"),
        "see folder": lambda: os.readlink(f"/proc/{pid}/cwd"),
        "enter root": lambda: os.listdir(f"/proc/{pid}/root/"),
        "set limits": lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)),
        "set priority": lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
        "set processors": lambda: os.sched_setaffinity(pid, {0}),
    }
    attacks |= {f"read {name}": lambda name=name: read(name) for name in ("mem", "environ", "maps", "auxv", "stack")}
    return {name: outcome(attack) for name, attack in attacks.items()}


def on_rights(suid_id: str) -> dict[str, str]:
    """To become somebody else. `suid_id` is a program that runs as root, whoever starts it."""
    attacks: dict[str, Callable[[], Any]] = {
        "setuid": lambda: os.setuid(0),
        "seteuid": lambda: os.seteuid(0),
        "saved": lambda: os.setresuid(-1, 0, -1),
        "another": lambda: os.setresuid(2001, 2001, 2001),
        "group": lambda: os.setgid(0),
        "groups": lambda: os.setgroups([0]),
        "chroot": lambda: os.chroot("/tmp"),
        "nice": lambda: os.nice(-5),
    }
    found = {name: outcome(attack) for name, attack in attacks.items()}
    found["set-user-id program"] = subprocess.run([suid_id, "-u"], capture_output=True, text=True).stdout.strip()
    return found


def foreign_files(given: list[list[int]]) -> list[str]:
    """Open files of this process that are not its user's, but for those that the server gave, by device and number."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            about, link = os.fstat(int(name)), os.readlink(f"/proc/self/fd/{name}")
            mine = about.st_uid == os.getuid() or stat.S_ISCHR(about.st_mode) or link.startswith("anon_inode:")
            if not mine and not link.startswith("/proc/") and [about.st_dev, about.st_ino] not in given:
                found.append(f"{name} {link} {about.st_uid}")
    return found


def find_in_memory(reversed_texts: list[str]) -> list[str]:
    """Which texts this process has somewhere in its memory. They are told backwards, so as not to be there already."""
    places = []
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if "r" not in rights or "[v" in line:
                continue
            for position in range(start, end, 16 << 20):
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    memory.seek(position)
                    backwards = memory.read(min(end - position, 16 << 20))[::-1]
                    places += [f"{text} {line}" for text in reversed_texts if text.encode() in backwards]
    return places


def wait_for_end(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
        time.sleep(0.05)
    return not os.path.exists(f"/proc/{pid}")

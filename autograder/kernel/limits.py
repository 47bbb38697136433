"""What a learner's processes may use, and why one was ended."""

from __future__ import annotations

import errno
import math
import resource
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

MIB = 1 << 20

#: Tasks that the kernel may still start between two looks of the watcher, above `Limits.processes`.
MARGIN_OF_PROCESSES = 32


@dataclass(frozen=True)
class Limits:
    """What one child, with every process that it starts, may use. The defaults suit a machine with 2 cores.

    Attributes:
        wall: seconds on the clock from the fork on; `math.inf` for none.
        cpu: seconds of processor time of the whole tree of processes; `math.inf` for none.
        memory: bytes of memory of the tree. What it shares with the zygote counts in a fair share where the watcher
            looks, and not at all where Linux counts; where that counts, `memory` and `disk` together are a wall that
            not even a moment's use gets over.
        processes: processes and threads at one time.
        open_files: file descriptors of one process.
        file_size: bytes of one file.
        disk: bytes in all files together: working folder, home, ``/tmp`` and ``/dev/shm``. They are held in memory,
            beside `memory`.
        files: files and folders together.
        output: bytes that the child may write to its console.
    """

    wall: float = 900.0
    cpu: float = 600.0
    memory: int = 2048 * MIB
    processes: int = 128
    open_files: int = 512
    file_size: int = 256 * MIB
    disk: int = 512 * MIB
    files: int = 20_000
    output: int = 16 * MIB

    def __post_init__(self) -> None:
        """Refuse what no process could live with.

        Raises:
            ValueError: if a limit is not positive.
        """
        for name, value in asdict(self).items():
            if not value > 0:
                raise ValueError(f"the limit {name} must be positive, not {value}")

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Limits:
        """The limits of which `settings` change some, by name; None for no limit on `wall` or `cpu`.

        Raises:
            ValueError: if there is no such limit, or a value is not one that it can have.
        """
        return cls(**{name: _number(name, value) for name, value in settings.items()})

    def plain(self) -> dict[str, Any]:
        """The settings as a dictionary of numbers; ``Limits(**limits.plain())`` is the same limits."""
        return asdict(self)


def _number(name: str, value: object) -> Any:
    kinds = {field.name: field.type for field in fields(Limits)}
    if name not in kinds:
        raise ValueError(f"there is no limit {name}, only {', '.join(kinds)}")
    if kinds[name] == "float":
        value = math.inf if value is None else value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise ValueError(f"the limit {name} must be a number of seconds or None, not {value!r}")
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value == int(value):
        return int(value)
    raise ValueError(f"the limit {name} must be a whole number, not {value!r}")


class Reason(StrEnum):
    """Why a child ended, or why something it tried was refused."""

    EXIT = "exit"
    CRASH = "crash"
    KILLED = "killed"
    WALL = "wall"
    CPU = "cpu"
    MEMORY = "memory"
    PROCESSES = "processes"
    OUTPUT = "output"
    OPEN_FILES = "open_files"
    FILE_SIZE = "file_size"
    DISK = "disk"
    ZYGOTE = "zygote"

    @property
    def is_limit(self) -> bool:
        """Whether a limit was hit."""
        return self not in (Reason.EXIT, Reason.CRASH, Reason.KILLED, Reason.ZYGOTE)

    def sentence(self, limits: Limits) -> str:
        """What happened and what to do, for the person whose code it was."""
        return SENTENCES[self].format(
            wall=f"{limits.wall:.0f}",
            cpu=f"{limits.cpu:.0f}",
            memory=limits.memory // MIB,
            processes=limits.processes,
            open_files=limits.open_files,
            file_size=limits.file_size // MIB,
            disk=limits.disk // MIB,
            files=limits.files,
            output=f"{limits.output / MIB:.0f}",
        )


#: What happened and what to do, with fields for the limits.
SENTENCES = {
    Reason.EXIT: "Your code ended the process that ran it; remove calls such as exit() or os._exit().",
    Reason.CRASH: "The process that ran your code crashed; look at the last cell that started.",
    Reason.KILLED: "The process that ran your code was stopped from outside; it can be run again.",
    Reason.WALL: "Your code ran for longer than {wall} seconds; look for a loop that does not end.",
    Reason.CPU: "Your code used more than {cpu} seconds of processor time; look for work that is done again and again.",
    Reason.MEMORY: "Your code used more than {memory} MiB of memory; work on smaller pieces of the data.",
    Reason.PROCESSES: "Your code ran more than {processes} processes and threads at a time; start fewer.",
    Reason.OUTPUT: "Your code printed more than {output} MiB; print less.",
    Reason.OPEN_FILES: "Your code had more than {open_files} files open at a time; close each one after use.",
    Reason.FILE_SIZE: "Your code wrote a file of more than {file_size} MiB; write less.",
    Reason.DISK: "Your code filled its {disk} MiB of disk space or made {files} files; delete what you do not need.",
    Reason.ZYGOTE: "The process that runs all notebooks ended, which is not your code's fault; it can be run again.",
}

_REFUSALS = {
    errno.ENOMEM: Reason.MEMORY,
    errno.EMFILE: Reason.OPEN_FILES,
    errno.EFBIG: Reason.FILE_SIZE,
    errno.ENOSPC: Reason.DISK,
    errno.EAGAIN: Reason.PROCESSES,
}


def reason_of(error: BaseException) -> Reason | None:
    """The limit behind an exception that a learner's code met while it went on running; None if there is none."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error)):
        return Reason.MEMORY  # the latter is PyTorch's
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return Reason.PROCESSES
    return _REFUSALS.get(error.errno or 0) if isinstance(error, OSError) else None


def apply(limits: Limits) -> None:
    """Put the limits that Linux itself keeps on this process and those it will start; they cannot be raised again.

    The others are kept by control groups and by the zygote's watcher. There is no cap on address space, of which torch
    reserves far more than it uses; instead private writable memory, which counts what may become resident, may grow by
    twice `memory`.
    """
    cpu = resource.RLIM_INFINITY if math.isinf(limits.cpu) else math.ceil(limits.cpu) + 2
    data = _private_bytes() + 2 * limits.memory
    for name, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_NPROC, limits.processes + MARGIN_OF_PROCESSES),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(name)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # Past the hard limit on time Linux says no more than SIGKILL; a second earlier, past the other, SIGXCPU.
        soft = allowed - 1 if name == resource.RLIMIT_CPU and not math.isinf(limits.cpu) else allowed
        resource.setrlimit(name, (soft, allowed))


def _private_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[5]) * resource.getpagesize()

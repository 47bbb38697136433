"""What students' programs may use of this machine, and what is kept back for the lab's own.

All students together are one control group, whose limit is the machine's memory less `lab.limits.reserve_memory`, and
whose share of the processors is small whenever the lab's own programs want them. Each student is a group in it, with
limits of their own on memory, processor time and processes. See cgroups(7).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.hub.lab import Lab
from autograder.hub.machine import FIRST_UID
from autograder.kernel import cgroup
from autograder.kernel.limits import MIB

CONTROLLERS = ("memory", "pids", "cpu")

#: Microseconds over which a limit on processor time is kept.
PERIOD = 100_000
#: Of each processor, beside one program of the lab that wants it too and whose share is 1024 (version 2: 100).
SHARES, WEIGHT = 512, 50
#: However large the reserve, students have this part of the memory.
LEAST_PART = 4
#: What a server takes until its notebooks do something, in bytes.
SERVER = 160 * MIB
#: Seconds in which what was told to end does so.
PATIENCE = 5.0


@dataclass(frozen=True)
class Student:
    """The control group of one student.

    Attributes:
        folders: its folder for each controller; in version 2 the same one for all.
    """

    folders: dict[str, Path]

    def enter(self, pid: int = 0) -> None:
        """Put the process `pid` into the group, with all its threads; by default this process.

        Raises:
            OSError: if Linux refuses, or the process has ended.
        """
        for folder in _each_once(self.folders.values()):
            _write(folder / "cgroup.procs", pid)

    def pids(self) -> list[int]:
        """The processes in the group."""
        return _numbers(self.folders["memory"] / "cgroup.procs")

    def memory(self) -> int:
        """Bytes of memory in use, without files that are merely kept for another read."""
        folder = self.folders["memory"]
        usage = _number(folder / "memory.usage_in_bytes", folder / "memory.current")
        stat = _table(folder / "memory.stat")
        return usage - stat.get("total_inactive_file", stat.get("inactive_file", 0))

    def killed(self) -> int:
        """How many processes Linux has ended here for want of memory."""
        folder = self.folders["memory"]
        return _table(folder / "memory.oom_control", folder / "memory.events").get("oom_kill", 0)

    def kill(self) -> bool:
        """End every process of the group, however fast they multiply; False if some are still there after a while."""
        _write(self.folders["pids"] / "pids.max", 0)  # `Reserve.student` sets it anew
        return kill(self.pids)

    def remove(self) -> None:
        """Remove the group, whose processes have ended; one that has not just ended keeps it."""
        for folder in _each_once(self.folders.values()):
            with contextlib.suppress(OSError):
                folder.rmdir()


@dataclass(frozen=True)
class Reserve:
    """The control group of all students.

    Attributes:
        folders: its folder for each controller; in version 2 the same one for all.
    """

    folders: dict[str, Path]

    @classmethod
    def of(cls, lab: Lab) -> Reserve | None:
        """The group of the students of `lab`, made if there is none; None where Linux lets this process make none."""
        try:
            places = _places()
            if places is None:
                return None
            reserve = cls({name: folder / _name(lab) for name, folder in places.items()})
            for folder in _each_once(reserve.folders.values()):
                folder.mkdir(exist_ok=True)
            reserve._set_limits(lab)
        except OSError:
            return None
        return reserve

    def student(self, account: str, *, memory: int, cpu: float, processes: int) -> Student:
        """The group of the student whose account is `account`, made if there is none yet, with these limits.

        Args:
            account: its name.
            memory: bytes.
            cpu: how many processors, such as 0.5.
            processes: processes and threads at one time.

        Raises:
            OSError: if Linux refuses.
        """
        student = Student({name: folder / account for name, folder in self.folders.items()})
        for folder in _each_once(student.folders.values()):
            folder.mkdir(exist_ok=True)
        _limit_memory(student.folders["memory"], memory)
        _write(student.folders["pids"] / "pids.max", processes)
        if "cpu" in student.folders:
            _limit_cpu(student.folders["cpu"], cpu)
        return student

    def find(self, account: str) -> Student | None:
        """The group of the student whose account is `account`; None if there is none."""
        student = Student({name: folder / account for name, folder in self.folders.items()})
        return student if all(folder.is_dir() for folder in student.folders.values()) else None

    def remove(self) -> None:
        """Remove the groups, whose processes have ended."""
        for folder in _each_once(self.folders.values()):
            with contextlib.suppress(OSError):
                for group in [path for path in folder.iterdir() if path.is_dir()]:
                    group.rmdir()
                folder.rmdir()

    def _set_limits(self, lab: Lab) -> None:
        if self.folders["memory"] == self.folders["pids"]:
            controllers = _words(self.folders["memory"] / "cgroup.controllers")
            cgroup.hand_on(self.folders["memory"], [name for name in CONTROLLERS if name in controllers])
        _limit_memory(self.folders["memory"], memory_for_students(lab))
        pids = min(_number(Path("/proc/sys/kernel") / name) for name in ("pid_max", "threads-max"))
        _write(self.folders["pids"] / "pids.max", pids * 3 // 4)
        if "cpu" in self.folders:
            _write_any(self.folders["cpu"], {"cpu.shares": SHARES * (os.cpu_count() or 1), "cpu.weight": WEIGHT})


def memory_for_students(lab: Lab) -> int:
    """Bytes of memory that all students together may use."""
    return machine_memory() - kept_back(lab)


def kept_back(lab: Lab) -> int:
    """Bytes of memory that are kept for the lab's own programs."""
    machine = machine_memory()
    return min(lab.limits.reserve_memory, machine - machine // LEAST_PART)


def machine_memory() -> int:
    """Bytes of memory of this machine, or of the container that the lab runs in."""
    return min([_meminfo("MemTotal"), *(limit for limit, _ in _container())])


def free_memory() -> int:
    """Bytes of memory that programs could have now, files that are merely kept for another read included."""
    return min([_meminfo("MemAvailable"), *(limit - usage for limit, usage in _container())])


def room_for_one(lab: Lab, starting: int = 0) -> str | None:
    """Why no other server should be started now, in a sentence; None if there is room for one.

    Args:
        lab: what is kept back in it is for the lab's own programs and for the students who are at work already.
        starting: how many servers are being started, and have not taken their memory yet.
    """
    wanted = kept_back(lab) + SERVER * (starting + 1)
    free = free_memory()
    if free >= wanted:
        return None
    return (
        f"The lab's computer has {max(free, 0) // MIB} MiB of memory left and starts another server from "
        f"{wanted // MIB} MiB on; try again when somebody has logged out."
    )


def account_pids(uid: int) -> list[int]:
    """The processes of an account, where there is no group that knows them; not those that have ended."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            status = _table(Path(entry.path, "status"))
            if status.get("Uid:") == uid and "VmSize:" in status:
                found.append(int(entry.name))
    return found


def kill_account(uid: int) -> None:
    """End every process of an account, where there is no group that knows them.

    It is Linux that goes through them, asked in the account's own name: a list of them would miss what they start
    meanwhile.

    Raises:
        OSError: if that cannot be asked.
        ValueError: if the account is one of the system's.
    """
    if uid < FIRST_UID:
        raise ValueError(f"the programs of uid {uid} are not a student's")
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "kill", "-KILL", "--", "-1"]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL, capture_output=True)


def kill(pids: Callable[[], Iterable[int]], patience: float = PATIENCE) -> bool:
    """End the processes that `pids` names, until it names none; False if some are still there after `patience` seconds.

    They are stopped first: what is stopped starts nothing new.
    """
    until = time.monotonic() + patience
    stopped: set[int] = set()
    while alive := set(pids()):
        for pid in alive - stopped:
            _signal(pid, signal.SIGSTOP)
        if alive <= stopped:
            for pid in alive:
                _signal(pid, signal.SIGKILL)
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        stopped |= alive
    return True


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _places() -> dict[str, Path] | None:
    """For each controller the folder in which groups may be made; without `cpu` where Linux has it not."""
    if not cgroup.SYSTEMD.exists():
        separate = {name: folder for name in CONTROLLERS if (folder := cgroup.own_folder(name))}
        if {"memory", "pids"} <= separate.keys():
            return separate
    own = cgroup.own_folder("")
    if own is None:
        return None
    folder = own.parent if own.name == cgroup.HOSTS else own
    present = [name for name in CONTROLLERS if name in _words(folder / "cgroup.controllers")]
    if not {"memory", "pids"} <= set(present) or not cgroup.is_delegated(folder):
        return None
    cgroup.hand_on(folder, present)
    return dict.fromkeys(present, folder)


def _name(lab: Lab) -> str:
    """Labs are told apart by their folder: two on one machine, as in tests, have students of the same names."""
    status = lab.storage.root.stat()
    return f"ustod-lab-{status.st_dev:x}-{status.st_ino:x}"


def _limit_memory(folder: Path, limit: int) -> None:
    """Limit memory, swapped-out memory included. What is above it already stays so until it is given back."""
    try:
        if (folder / "memory.max").exists():
            _write_any(folder, {"memory.max": limit, "memory.swap.max": 0})
            return
        _write_any(folder, {"memory.use_hierarchy": 1})
        with_swap = folder / "memory.memsw.limit_in_bytes"
        raised = limit > _number(folder / "memory.limit_in_bytes")
        if raised and with_swap.exists():  # it may not be the smaller one
            _write(with_swap, limit + MIB)
        _write(folder / "memory.limit_in_bytes", limit)
        if with_swap.exists():
            _write(with_swap, limit + MIB)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise


def _limit_cpu(folder: Path, processors: float) -> None:
    quota = max(int(processors * PERIOD), 1000)
    if (folder / "cpu.max").exists():
        _write(folder / "cpu.max", f"{quota} {PERIOD}")
    else:
        _write_any(folder, {"cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": quota})


def _container() -> Iterator[tuple[int, int]]:
    """Limit and use of memory, in bytes, of the group that this process is in and of those around it."""
    folder = cgroup.own_folder("memory") or cgroup.own_folder("")
    while folder is not None and (folder / "cgroup.procs").exists():
        student = Student({"memory": folder})
        limit = _number(folder / "memory.limit_in_bytes", folder / "memory.max")
        if 0 < limit < _meminfo("MemTotal"):
            yield limit, student.memory()
        folder = folder.parent


def _meminfo(name: str) -> int:
    return _table(Path("/proc/meminfo"))[f"{name}:"] << 10


def _number(*paths: Path) -> int:
    """The number in the first of `paths` that there is; 0 for none, or for the word `max`."""
    return next((number for path in paths for number in _numbers(path)), 0)


def _numbers(path: Path) -> list[int]:
    return [int(word) for word in _words(path) if word.isdigit()]


def _table(*paths: Path) -> dict[str, int]:
    """The numbers after the first word of each line in the first of `paths` that there is."""
    for path in paths:
        with contextlib.suppress(OSError):
            lines = (line.split() for line in path.read_text("utf-8", "replace").splitlines())
            return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
    return {}


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except OSError:
        return []


def _each_once(folders: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(folders))


def _write(path: Path, value: object) -> None:
    path.write_text(str(value), "ascii")


def _write_any(folder: Path, values: dict[str, int]) -> None:
    """Write those of the files that there are: versions and builds of Linux differ."""
    for name, value in values.items():
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if (folder / name).exists() and _number(folder / name) != value:
                _write(folder / name, value)

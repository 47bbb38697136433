"""Control groups: limits on memory and processes that Linux itself keeps, in a group of its own for each child.

They can be had where this process may make groups below its own: root can where each controller has a tree of its own
(version 1); in the one tree of version 2, whoever a part of it is delegated to. Elsewhere the zygote's watcher is all.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from autograder.kernel import tree
from autograder.kernel.limits import MIB, Limits, Reason

CONTROLLERS = ("memory", "pids")

#: The group of version 2 that takes the processes out of a group in which groups are to be made.
HOSTS = "ustod-hosts"

#: A group is named after its owner, by pid and start time: what a killed owner leaves can be told and swept.
_NAME = re.compile(r"ustod-(\d+)-(\d+)-\d+")

#: Where systemd runs, it alone makes groups, but in those that it marks as delegated.
SYSTEMD = Path("/run/systemd/system")
_DELEGATED = ("user.delegate", "trusted.delegate")

#: What versions 1 and 2 call the files from which a `Meter` reads.
_GAUGES = (
    {
        "usage": "memory.usage_in_bytes",
        "stat": "memory.stat",
        "full": "memory.failcnt",
        "killed": "memory.oom_control",
        "refused": "pids.events",
    },
    {
        "usage": "memory.current",
        "stat": "memory.stat",
        "full": "memory.events",
        "killed": "memory.events",
        "refused": "pids.events",
    },
)

_numbers = itertools.count()
_late: set[Group] = set()


@dataclass(frozen=True)
class Groups:
    """Where groups may be made: a folder for each controller, or the same one for both in version 2."""

    memory: Path
    processes: Path

    @property
    def version(self) -> int:
        """Of control groups: 1 or 2."""
        return 2 if self.memory == self.processes else 1

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders, each once."""
        return tuple(dict.fromkeys((self.memory, self.processes)))

    def make(self, limits: Limits) -> Group:
        """A group for one child.

        Its memory may grow to `limits.memory` and `limits.disk` together, since files are held in memory too; what of
        it is no file, the `Meter` tells. One process more than `limits.processes` is the child's keeper.

        Raises:
            OSError: if Linux refuses; nothing is left then.
        """
        name = f"ustod-{os.getpid()}-{tree.start_time(os.getpid())}-{next(_numbers)}"
        group = Group(tuple(folder / name for folder in self.folders))
        try:
            for folder in group.folders:
                folder.mkdir()
            self._set_limits(name, limits)
        except BaseException:
            group.remove()
            raise
        return group

    def _set_limits(self, name: str, limits: Limits) -> None:
        memory, processes, total = self.memory / name, self.processes / name, limits.memory + limits.disk
        if self.version == 1:
            _write(memory / "memory.limit_in_bytes", total)
            further = {"memory.memsw.limit_in_bytes": total + MIB}  # more, since hits of the other are counted
        else:
            _write(memory / "memory.max", total)
            further = {"memory.swap.max": 0, "memory.oom.group": 1}
        for file, value in further.items():  # not every Linux has these
            if (memory / file).exists():
                _write(memory / file, value)
        _write(processes / "pids.max", limits.processes + 1)

    def sweep(self) -> None:
        """Remove the groups of processes that have ended."""
        for folder in self.folders:
            for group in folder.iterdir():
                name = _NAME.fullmatch(group.name)
                if name is not None and tree.start_time(int(name[1])) != int(name[2]):
                    with contextlib.suppress(OSError):  # its last process is just ending
                        group.rmdir()


@dataclass(frozen=True)
class Group:
    """The group of one child.

    Attributes:
        folders: one for each controller, or the one that both share.
    """

    folders: tuple[Path, ...]

    @contextlib.contextmanager
    def files(self) -> Iterator[dict[str, int]]:
        """Open files by name: those through which `enter` goes, ``enter-…``, and those that a `Meter` reads.

        Raises:
            OSError: if Linux refuses.
        """
        memory, processes = self.folders[0], self.folders[-1]
        paths = {f"enter-{number}": folder / "cgroup.procs" for number, folder in enumerate(self.folders)}
        for name, file in _GAUGES[memory == processes].items():
            paths[name] = (processes if file.startswith("pids.") else memory) / file
        with contextlib.ExitStack() as stack:
            opened = {}
            for name, path in paths.items():
                opened[name] = os.open(path, os.O_CLOEXEC | (os.O_WRONLY if name.startswith("enter-") else os.O_RDONLY))
                stack.callback(os.close, opened[name])
            yield opened

    def remove(self) -> None:
        """Remove the group, whose processes have ended. If one of them is late, `remove_late` does it."""
        for folder in self.folders:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                _late.add(self)
                return
        _late.discard(self)


class Meter:
    """What a group tells about its limits, read through open files, for a process that sees no folder of groups."""

    def __init__(self, files: Mapping[str, int]) -> None:
        self._files = {name: files[name] for name in _GAUGES[0]}

    def excess(self, limits: Limits) -> Reason | None:
        """The limit that was hit; None if there is none. `Reason.KILLED`: it was others that left it no memory."""
        if self._count("killed", "oom_kill"):
            return Reason.MEMORY if self._count("full", "max") else Reason.KILLED
        if self._memory(limits) > limits.memory:
            return Reason.MEMORY
        return Reason.PROCESSES if self._count("refused", "max") else None

    @property
    def files(self) -> list[int]:
        """The open files, which are to be closed when nobody asks any more."""
        return list(self._files.values())

    def _memory(self, limits: Limits) -> int:
        """Bytes of memory that are no files, or what is used altogether where that is little."""
        usage = self._count("usage")
        return usage if usage <= limits.memory else self._count("stat", "anon") or self._count("stat", "rss")

    def _count(self, name: str, key: str = "") -> int:
        """The number after `key` in a file, or the only number there; 0 if there is none, or no group any more."""
        try:
            text = os.pread(self._files[name], 1 << 14, 0).decode("ascii")
        except OSError:
            return 0
        lines = (line.split() for line in text.splitlines())
        return next((int(number) for *words, number in lines if words in ([key], [])), 0)


def enter(pid: int, files: Mapping[str, int]) -> Meter | None:
    """Put the process `pid` into the group whose open files are among `files`; None if there is none, or on refusal.

    This takes 5 to 15 ms, in which Linux only waits; it puts off further forks meanwhile.
    """
    doors = [fd for name, fd in files.items() if name.startswith("enter-")]
    try:
        for fd in doors:
            os.write(fd, str(pid).encode())
    except OSError:
        return None
    return Meter(files) if doors else None


def new_group(limits: Limits) -> Group | None:
    """A group for one child; None where there are none."""
    remove_late()
    found = groups()
    try:
        return found.make(limits) if found is not None else None
    except OSError:
        return None


def remove_late() -> None:
    """Remove the groups of this process's children that could not be removed when these were said to have ended."""
    for group in list(_late):
        group.remove()


@lru_cache(maxsize=1)
def groups() -> Groups | None:
    """Where this process may make groups; None if nowhere. Sweeps what killed processes left there."""
    try:
        found = _separate() or _unified()
        if found is not None:
            found.sweep()
            found.make(Limits()).remove()
    except OSError:
        return None
    return found


def _separate() -> Groups | None:
    """Version 1."""
    memory, processes = (own_folder(controller) for controller in CONTROLLERS)
    return Groups(memory, processes) if memory and processes and not SYSTEMD.exists() else None


def _unified() -> Groups | None:
    """Version 2."""
    own = own_folder("")
    if own is None:
        return None
    folder = own.parent if own.name == HOSTS else own
    if not set(CONTROLLERS) <= set(_words(folder / "cgroup.controllers")) or not is_delegated(folder):
        return None
    hand_on(folder, CONTROLLERS)
    return Groups(folder, folder)


def hand_on(folder: Path, controllers: Iterable[str]) -> None:
    """Let the groups to be made in a group of version 2 have `controllers`; where that is in the way, `make_room`.

    Raises:
        OSError: if Linux refuses.
    """
    wanted = set(controllers)
    for attempts_left in (2, 1, 0):
        if wanted <= set(_words(folder / "cgroup.subtree_control")):
            return
        try:
            _write(folder / "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(wanted)))
        except OSError as error:
            if error.errno != errno.EBUSY or not attempts_left:
                raise
            make_room(folder)


def make_room(folder: Path) -> None:
    """Move the processes of a group of version 2 into one of their own: a group holds either processes or groups.

    Raises:
        OSError: if Linux refuses.
    """
    (folder / HOSTS).mkdir(exist_ok=True)
    for pid in _words(folder / "cgroup.procs"):
        with contextlib.suppress(ProcessLookupError):
            _write(folder / HOSTS / "cgroup.procs", pid)


def is_delegated(folder: Path) -> bool:
    """Whether groups may be made in `folder` without getting into systemd's way."""

    def mark(name: str) -> bytes:
        try:
            return os.getxattr(folder, name)
        except OSError:
            return b""

    return not SYSTEMD.exists() or any(mark(name) == b"1" for name in _DELEGATED)


def own_folder(controller: str) -> Path | None:
    """The folder of this process's own group in the tree of `controller`; of version 2 without one. See cgroups(7)."""
    path = next((path for names, path in memberships() if controller in names), None)
    return None if path is None else folder_of(controller, path)


def folder_of(controller: str, path: Path) -> Path | None:
    """The folder of the group `path` in the tree of `controller`; None if that part of the tree is not mounted."""
    for root, point, kind, options in _mounts():
        right = kind == "cgroup" and controller in options if controller else kind == "cgroup2"
        if right and path.is_relative_to(root):
            return point / path.relative_to(root)
    return None


def join(other: int) -> None:
    """Put this process into every group that the process `other` is in.

    Raises:
        OSError: if Linux refuses, or a tree in which their groups differ is not mounted here.
    """
    own = dict(_by_tree("self"))
    for tree_of, path in _by_tree(other):
        if own.get(tree_of) == path:
            continue
        folder = folder_of(tree_of, path)
        if folder is None or ".." in path.parts:
            raise OSError(errno.ENOENT, f"the control group {path} cannot be seen from here")
        _write(folder / "cgroup.procs", os.getpid())


def _by_tree(pid: int | str) -> Iterator[tuple[str, Path]]:
    """The group of a process in each tree, which one of its controllers stands for."""
    for names, path in memberships(pid):
        yield names[0], path


def memberships(pid: int | str = "self") -> Iterator[tuple[list[str], Path]]:
    """For each tree its controllers, which version 2 leaves empty, and the group of a process in it."""
    for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
        _, names, path = line.split(":", 2)
        yield names.split(","), Path(path)


def _mounts() -> Iterator[tuple[Path, Path, str, list[str]]]:
    """For each mount the folder that it shows of its file system, where, of what kind, and with which options."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        place, _, source = line.partition(" - ")
        root, point = place.split()[3:5]
        kind, _, options = source.split()[:3]
        yield Path(root), Path(point), kind, options.split(",")


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split()


def _write(path: Path, value: object) -> None:
    path.write_text(str(value), encoding="ascii")

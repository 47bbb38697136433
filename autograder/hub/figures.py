"""What can be measured of a lab from outside, whether its programs run or not. All sizes are bytes."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import stat
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from autograder.files import write_text
from autograder.hub.authority import ca_certificate
from autograder.hub.lab import Lab

#: Seconds for which the sizes of homes are remembered; and for which one look at them may go on.
KEPT, PATIENCE = 900.0, 5.0
#: Files in one home that are counted; more make it "at least".
MOST_FILES = 200_000
#: What a process is called, in its command line or by `ps`, that is a kernel.
_KERNELS = (b"ipykernel_launcher", b"ustod-kernel")


@dataclass(frozen=True)
class Use:
    """What the programs of one account use: memory, of which what is shared counts in part, and notebooks' kernels."""

    memory: int = 0
    kernels: int = 0
    processes: int = 0


@dataclass(frozen=True)
class Waiting:
    """What waits in a course: submissions that nobody has collected, and collected ones that are not graded."""

    course: str
    uncollected: int
    ungraded: int


@dataclass(frozen=True)
class Machine:
    """The machine: memory and disk, and how many processors are wanted, on average over a minute."""

    memory: int
    memory_free: int
    disk: int
    disk_free: int
    load: float
    processors: int


def machine(lab: Lab) -> Machine:
    """How the machine fares; the disk is the one with the lab's storage."""
    import psutil

    memory = psutil.virtual_memory()
    place = next(folder for folder in (lab.storage.root, *lab.storage.root.parents) if folder.is_dir())
    disk = os.statvfs(place)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    return Machine(memory.total, memory.available, total, free, os.getloadavg()[0], os.cpu_count() or 1)


def uses() -> dict[str, Use]:
    """What the programs of each account use now, by the account's name."""
    found: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                found[entry.stat().st_uid].append((_memory(entry.path), _is_kernel(entry.path)))
    return {
        _account(uid): Use(sum(memory for memory, _ in all_), sum(kernel for _, kernel in all_), len(all_))
        for uid, all_ in found.items()
    }


def _memory(process: str) -> int:
    """Bytes of a process's own memory, and its part of what it shares."""
    try:
        for line in Path(process, "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except PermissionError:  # not ours to see in full
        return int(Path(process, "statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _is_kernel(process: str) -> bool:
    said = Path(process, "cmdline").read_bytes() + Path(process, "comm").read_bytes()
    return any(name in said for name in _KERNELS)


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def homes(lab: Lab, measure: bool = True) -> dict[str, int]:
    """What each home takes on the disk, as of at most a quarter of an hour ago.

    Args:
        lab: whose.
        measure: False: only what is remembered, however old; that takes no time.
    """
    memory = lab.storage.run / "homes.json"
    known: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = {str(name): int(size) for name, size in json.loads(memory.read_text("utf-8")).items()}
        if not measure or time.time() - memory.stat().st_mtime < KEPT:
            return known
    if not measure:
        return known
    deadline = time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):
        for home in sorted(os.listdir(lab.storage.homes), key=lambda name: name in known):
            if time.monotonic() < deadline and not home.startswith("."):
                known[home] = size(lab.storage.homes / home)
    with contextlib.suppress(OSError, UnicodeError):
        write_text(memory, json.dumps(known), mode=0o600)
    return known


def size(folder: Path) -> int:
    """What `folder` takes on the disk; of `MOST_FILES` files at most. Links are not followed."""
    total, count, left = 0, 0, [os.fspath(folder)]
    while left and count < MOST_FILES:
        with contextlib.suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                count += 1
                with contextlib.suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    total += about.st_blocks * 512
                    if stat.S_ISDIR(about.st_mode):
                        left.append(entry.path)
    return total


def waiting(lab: Lab) -> list[Waiting]:
    """What waits in each course."""
    return [Waiting(course.name, _uncollected(lab, course.name), _ungraded(lab, course.name)) for course in lab.courses]


def _uncollected(lab: Lab, course: str) -> int:
    """Pairs of a student and an assignment whose newest submission is not the one that was collected."""
    count = 0
    for student in (lab.storage.exchange / "courses" / course).glob("*/submissions/*"):
        newest = max(student.glob("[0-9]*/receipt.json"), key=lambda path: path.parent.name, default=None)
        if newest is not None:
            assignment = student.parent.parent.name
            collected = lab.storage.courses / course / "submitted" / student.name / assignment
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                count += _timestamp(collected) != json.loads(newest.read_text("utf-8"))["received"]
    return count


def _ungraded(lab: Lab, course: str) -> int:
    """Collected submissions that were never graded, or replaced since."""
    folder = lab.storage.courses / course
    count = 0
    for submitted in (folder / "submitted").glob("*/*"):
        graded = folder / "autograded" / submitted.parent.name / submitted.name
        count += submitted.is_dir() and (not graded.is_dir() or _timestamp(submitted) != _timestamp(graded))
    return count


def _timestamp(folder: Path) -> str:
    try:
        return (folder / "timestamp.txt").read_text("utf-8").strip()
    except (OSError, UnicodeError):
        return ""


def certificate_end(lab: Lab) -> datetime | None:
    """When the certificate that browsers are shown ends; None without one."""
    if lab.tls.mode == "off":
        return None
    named = lab.tls.certificate
    path = lab.path.parent / named if named and lab.tls.mode == "files" else ca_certificate(lab).with_name("server.crt")
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def clock_is_sane(lab: Lab, now: datetime | None = None) -> bool:
    """Whether the clock is not behind what was written already, as after an empty battery."""
    now = now or datetime.now(UTC)
    written = [Path(__file__), lab.path, lab.storage.hub / "jupyterhub.sqlite"]
    times = [path.stat().st_mtime for path in written if path.exists()]
    return now.timestamp() + 3600 > max(times, default=0)

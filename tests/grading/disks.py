"""Small disks in a mount namespace of their own, to be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disks:
    """Small disks that are seen by programs started with `prefix` alone.

    Attributes:
        inside: where such programs see the disks, each a folder there.
        outside: where this process sees them.
        prefix: the beginning of a command line.
    """

    inside: Path
    outside: Path
    prefix: tuple[str, ...]

    def fill(self, disk: str, room: int) -> None:
        """Leave `room` bytes of it."""
        about = os.statvfs(self.outside / disk)
        free = about.f_bavail * about.f_frsize
        (self.outside / disk / "filler").write_bytes(bytes(free - room))

    def empty(self, disk: str) -> None:
        """Make room again."""
        (self.outside / disk / "filler").unlink()


@contextmanager
def small_disks(course: Path, folder: Path) -> Iterator[Disks]:
    """The disks "course", with a copy of `course`, "gradebook", with its gradebook, and "temporary"."""
    inside = folder / "disks"
    for disk in ("course", "gradebook", "temporary"):
        (inside / disk).mkdir(parents=True)
    mounts = " && ".join(
        f"mount -t tmpfs -o size=8m small '{inside / disk}'" for disk in ("course", "gradebook", "temporary")
    )
    as_root = os.geteuid() == 0
    holder = subprocess.Popen(
        ["unshare", "-m" if as_root else "-rm", "sh", "-c", f"{mounts} && echo ready && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout and holder.stdout.readline() == "ready\n"
        outside = Path(f"/proc/{holder.pid}/root{inside}")
        shutil.copytree(course, outside / "course", dirs_exist_ok=True)
        shutil.move(outside / "course" / "gradebook.db", outside / "gradebook" / "gradebook.db")
        with (outside / "course" / "nbgrader_config.py").open("a") as config:
            config.write(f"\nc.CourseDirectory.db_url = 'sqlite:///{inside}/gradebook/gradebook.db'\n")
        user = () if as_root else ("-U", "--preserve-credentials")
        here = ("env", "-C", os.getcwd())  # entering leads to the root of the file system
        yield Disks(inside, outside, ("nsenter", "-t", str(holder.pid), "-m", *user, *here))

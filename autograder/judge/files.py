"""Files that a test makes for the student's code, and what that code makes of them, carried between the processes.

A test makes them in a temporary folder, which has the same path in both processes. Only that folder is carried.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from autograder.judge.link import Link
from autograder.judge.wire import Misbehaved

#: What may be carried at a time.
MOST_BYTES, MOST_FILES = 64 * 2**20, 5_000

#: Kind, time, size and inode of a file; the target of a link; the kind of a folder.
Stamp = tuple[Any, ...]
Snapshot = dict[str, Stamp]


class Scratch:
    """The judge's temporary folder while one test cell runs. Use it as a context manager."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: Snapshot = {}
        self._busy = False

    def __enter__(self) -> Scratch:
        self._folder = Path(tempfile.mkdtemp(prefix="ustod-test-"))
        self._before, tempfile.tempdir = tempfile.tempdir, str(self._folder)
        return self

    def __exit__(self, *exception: object) -> None:
        tempfile.tempdir = self._before
        shutil.rmtree(self._folder, ignore_errors=True)

    def send(self) -> None:
        """Make the student's process have the files as they are now."""
        if self._busy:
            return
        now = snapshot(self._folder)
        if now == self._known:
            return
        update = changes(self._folder, self._known, now)
        self._known = now
        self._busy = True
        try:
            self._link.ask("put_files", str(self._folder), update)
        finally:
            self._busy = False

    def fetch(self) -> None:
        """Make the files be as the student's code has left them.

        Raises:
            Misbehaved: if what is told is no proper list of changes.
        """
        if self._busy or not self._known or self._link.end:
            return
        self._busy = True
        try:
            apply(self._folder, self._link.ask("get_files"))
            self._known = snapshot(self._folder)
        finally:
            self._busy = False


def snapshot(folder: Path) -> Snapshot:
    """What is below `folder`, by its path in there, with a stamp that changes whenever the thing does."""
    return dict(_walk(folder, ""))


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, Stamp]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # removed, or made unreadable
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        try:
            about = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(about.st_mode):
                yield name, ("link", os.readlink(entry.path))
            elif stat.S_ISDIR(about.st_mode):
                yield name, ("folder",)
                yield from _walk(folder / entry.name, f"{name}/")
            elif stat.S_ISREG(about.st_mode):
                yield name, ("file", about.st_mtime_ns, about.st_size, about.st_ino, about.st_mode & 0o777)
        except OSError:
            continue


def changes(folder: Path, before: Snapshot, now: Snapshot) -> list[tuple[Any, ...]]:
    """What leads from `before` to `now`: first what is gone, innermost first, then what is new, outermost first."""
    update: list[tuple[Any, ...]] = [("gone", name) for name in reversed(before) if now.get(name) != before[name]]
    room = MOST_BYTES
    for name, stamp in list(now.items())[:MOST_FILES]:
        if before.get(name) == stamp:
            continue
        if stamp[0] == "file":
            room -= stamp[2]
            if room >= 0:
                update.append(("file", name, stamp[4], (folder / name).read_bytes()))
        else:
            update.append((stamp[0], name, *stamp[1:]))
    return update


def apply(folder: Path, update: Any) -> None:
    """Make the changes of `update` below `folder`, and nowhere else.

    Raises:
        Misbehaved: if `update` is no proper list of changes, or leads out of the folder.
    """
    try:
        for change in update:
            path = _place(folder, change[1])
            match change:
                case ("gone", _):
                    _remove(path)
                case ("folder", _):
                    path.mkdir(exist_ok=True)
                case ("link", _, str(target)):
                    _remove(path)
                    path.symlink_to(target)
                case ("file", _, int(mode), bytes(content)):
                    _remove(path)
                    path.write_bytes(content)
                    path.chmod(mode & 0o777)
                case _:
                    raise ValueError(f"no change is called {change[0]}")
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise Misbehaved(f"The student's process told of files that cannot be: {error}.") from None


def _place(folder: Path, name: Any) -> Path:
    """Where `name` lies below `folder`, with no link on the way."""
    if type(name) is not str or not name:
        raise ValueError("a file has no name")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or name != str(PurePosixPath(name)):
        raise ValueError(f"the name {name!r} is not allowed")
    path = folder
    for part in parts[:-1]:
        path /= part
        if path.is_symlink() or not path.is_dir():
            raise ValueError(f"{name!r} lies in no folder")
    return path / parts[-1]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

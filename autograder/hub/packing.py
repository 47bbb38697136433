"""A backup is written: trees whose owners may put anything into them, or change them meanwhile."""

from __future__ import annotations

import contextlib
import grp
import gzip
import io
import json
import os
import pwd
import sqlite3
import stat
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from autograder.hub.archive import DEEPEST, FORMAT, LONGEST, MANIFEST, Hashing, Manifest, leads_out

#: Files up to so many bytes are held in memory, so that one that changes while it is read can be read again.
SMALL = 16 << 20
#: Seconds to wait for a database that a program keeps locked.
PATIENCE = 60.0


@dataclass(frozen=True)
class Rules:
    """How a tree is packed.

    Attributes:
        leaves_out: told the name in the archive, says what is not even mentioned.
        databases: says which files are copied through SQLite, so that the copy is whole although others write to them.
            Not for files that a student made: SQLite is not to be pointed at them by root.
        keeps_links: links are packed as links, wherever they lead. Otherwise those that lead out are passed over.
        largest: larger files are passed over, and so are large ones that are mostly holes; None: none is.
    """

    leaves_out: Callable[[str], bool] = lambda name: False
    databases: Callable[[str], bool] = lambda name: False
    keeps_links: bool = False
    largest: int | None = None


class Writer:
    """Writes an archive into an open file."""

    def __init__(self, file: BinaryIO, manifest: Manifest) -> None:
        self.manifest = manifest
        self._gzip = gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape")  # noqa: SIM115

    def add_tree(self, folder: Path, name: str, rules: Rules) -> None:
        """Everything in `folder`, which is called `name` in the archive; nothing if there is no such folder.

        Links are never followed, also not if somebody puts one where a folder was a moment ago.

        Raises:
            OSError: if the archive cannot be written.
        """
        try:
            inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            self._add_folder(inside, folder, name, rules)
        finally:
            os.close(inside)

    def add_file(self, content: bytes, path: Path, name: str) -> None:
        """The `content` of the file `path`; the folders that `name` stands in come before it.

        Raises:
            OSError: if the archive cannot be written.
        """
        about = self._about(name, path.stat())
        about.size = len(content)
        self._put(about, io.BytesIO(content))

    def add_folder(self, name: str) -> None:
        """An empty folder of root's."""
        about = tarfile.TarInfo(name)
        about.type, about.mode, about.uname, about.gname, about.mtime = (
            tarfile.DIRTYPE,
            0o755,
            "root",
            "root",
            time.time(),
        )
        self._add(about)

    def close(self) -> None:
        """Write the manifest and the end.

        Raises:
            OSError: if the archive cannot be written.
        """
        content = json.dumps({"format": FORMAT, **vars(self.manifest)}).encode("ascii")
        about = tarfile.TarInfo(MANIFEST)
        about.size, about.mode, about.mtime = len(content), 0o600, time.time()
        self._add(about, io.BytesIO(content))
        self._tar.close()
        self._gzip.close()

    def abandon(self) -> None:
        """Write nothing more, also not when this is forgotten: the file is closed, or its disk is full."""
        self._gzip.fileobj = None  # type: ignore[assignment]

    def _add_folder(self, folder: int, path: Path, name: str, rules: Rules) -> None:
        self._add(self._about(name, os.fstat(folder)))
        for entry in self._entries(folder, name):
            inner = f"{name}/{entry}"
            if rules.leaves_out(inner):
                continue
            try:
                self._add_entry(folder, entry, path / entry, inner, rules)
            except _Passed as reason:
                if reason.args[0]:
                    self.manifest.pass_over(inner, reason.args[0])

    def _entries(self, folder: int, name: str) -> list[str]:
        try:
            return sorted(os.listdir(folder))
        except OSError as error:
            self.manifest.pass_over(name, f"what is in it cannot be listed: {error.strerror}")
            return []

    def _add_entry(self, folder: int, entry: str, path: Path, name: str, rules: Rules) -> None:
        if name.count("/") > DEEPEST or len(os.fsencode(name)) > LONGEST:
            raise _Passed("its folder is too deep")
        with _reading():
            status = os.stat(entry, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            with _reading():
                target = os.readlink(entry, dir_fd=folder)
            if not rules.keeps_links and leads_out(name, target):
                raise _Passed("it is a link that leads elsewhere")
            about = self._about(name, status)
            about.linkname = target
            self._add(about)
        elif stat.S_ISDIR(status.st_mode):
            with _reading():
                inside = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                self._add_folder(inside, path, name, rules)
            finally:
                os.close(inside)
        elif stat.S_ISREG(status.st_mode):
            if rules.largest is not None:
                _refuse_giant(status, rules.largest)
            if not (rules.databases(name) and self._add_database(path, name, status)):
                self._add_regular(folder, entry, name)
        else:
            raise _Passed("it is neither a file nor a folder")

    def _add_database(self, path: Path, name: str, status: os.stat_result) -> bool:
        """A copy of the database as of one moment; False if it is none, or damaged."""
        try:
            content = snapshot(path)
        except sqlite3.Error as error:
            self.manifest.pass_over(name, f"it is copied as a file, since SQLite says: {error}")
            return False
        about = self._about(name, status)
        about.size = len(content)
        self._put(about, io.BytesIO(content))
        return True

    def _add_regular(self, folder: int, entry: str, name: str) -> None:
        with _reading():
            opened = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with open(opened, "rb", buffering=0) as file:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode):
                raise _Passed("it is neither a file nor a folder")
            about = self._about(name, status)
            if status.st_size > SMALL:
                source = _Exactly(file, status.st_size)
                self._put(about, source)
                after = os.fstat(opened)
                if source.torn or (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                    self.manifest.torn.append(name)
                return
            with _reading():
                content, still = _read_at_rest(file)
            about.size, about.mtime = len(content), os.fstat(opened).st_mtime
            self._put(about, io.BytesIO(content))
            if not still:
                self.manifest.torn.append(name)

    def _about(self, name: str, status: os.stat_result) -> tarfile.TarInfo:
        about = tarfile.TarInfo(name)
        about.mode, about.mtime = stat.S_IMODE(status.st_mode), status.st_mtime
        about.uid, about.gid = status.st_uid, status.st_gid
        about.uname, about.gname = _user(status.st_uid), _group(status.st_gid)
        if stat.S_ISDIR(status.st_mode):
            about.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(status.st_mode):
            about.type = tarfile.SYMTYPE
        else:
            about.size = status.st_size
        return about

    def _put(self, about: tarfile.TarInfo, source: BinaryIO | _Exactly) -> None:
        hashing = Hashing(source)
        self._add(about, hashing)
        self.manifest.files[about.name] = hashing.digest.hexdigest()
        self.manifest.bytes += about.size

    def _add(self, about: tarfile.TarInfo, source: BinaryIO | Hashing | None = None) -> None:
        self._tar.addfile(about, source)
        vars(self._tar)["members"].clear()  # which would hold every name until the end


class _Passed(Exception):
    """The reason why something is not packed; empty if it has vanished."""


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """What cannot be read is passed over; what cannot be written is another matter."""
    try:
        yield
    except FileNotFoundError:
        raise _Passed("") from None
    except OSError as error:
        raise _Passed(f"it cannot be read: {error.strerror}") from None


class _Exactly:
    """A file that gives as many bytes as it had when it was opened; zeros, if it has become shorter."""

    def __init__(self, file: io.FileIO, size: int) -> None:
        self._file, self._left, self.torn = file, size, False

    def read(self, size: int = -1, /) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        content = b""
        if not self.torn:
            with contextlib.suppress(OSError):
                content = self._file.read(size) or b""
            self.torn = not content and size > 0
        if self.torn:
            content = bytes(size)
        self._left -= len(content)
        if len(content) < size:
            content += self.read(size - len(content))
        return content


def snapshot(path: Path) -> bytes:
    """The SQLite database `path` as of one moment, while others read and write it.

    Raises:
        sqlite3.Error: if it is no database, is damaged, or stays locked for longer than `PATIENCE` seconds.
    """
    deadline = time.monotonic() + PATIENCE

    def wait(status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(f"a program keeps it locked for over {PATIENCE:.0f} seconds")

    with (
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as source,
        contextlib.closing(sqlite3.connect(":memory:")) as copy,
    ):
        source.backup(copy, pages=-1, progress=wait, sleep=0.01)
        verdict = copy.execute("pragma quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        return copy.serialize()


def _read_at_rest(file: io.FileIO) -> tuple[bytes, bool]:
    """The content of a small file, and whether nobody changed it while it was read."""
    content = b""
    for _ in range(3):
        before = os.fstat(file.fileno())
        file.seek(0)
        content = file.read(2 * SMALL)
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) and len(content) == after.st_size:
            return content, True
    return content, False


def _refuse_giant(status: os.stat_result, largest: int) -> None:
    if status.st_size > largest:
        raise _Passed("it is larger than a student's file may be")
    if status.st_size > SMALL and status.st_blocks * 512 < status.st_size // 2:
        raise _Passed("it is large and mostly empty")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""

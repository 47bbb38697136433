"""Contents by their SHA-256: each is on the disk once, whole, whatever repositories hold it.

blobs/ab/abcdef…      never written again
incoming/<random>     on its way; its writer holds a lock on it, and what nobody holds is swept at a start
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from autograder.errors import UstodError
from autograder.files import sync

PIECE = 1 << 20
#: Bytes of the disk that stay free whatever is sent.
RESERVE = 64 << 20


@dataclass(frozen=True)
class Content:
    """What a file holds: `size` in bytes, and its names in hexadecimal (`oid` is git's name of such a blob)."""

    sha256: str
    size: int
    oid: str


class Blobs:
    """The contents below the folder `root`."""

    def __init__(self, root: Path, reserve: int = RESERVE) -> None:
        self._blobs, self._incoming, self.reserve = root / "blobs", root / "incoming", reserve
        for folder in (self._blobs, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the content of that name is, or would be."""
        return self._blobs / sha256[:2] / sha256

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Whether it is here, whole."""
        try:
            found = self.path(sha256).stat().st_size
        except OSError:
            return False
        return size is None or size == found

    def writer(self, expected: int = 0) -> Writer:
        """Takes new content, of `expected` bytes as far as is known.

        Raises:
            OSError: ENOSPC, if there is no room for as many.
        """
        self.check_room(expected)
        return Writer(self, self._incoming)

    def check_room(self, size: int) -> None:
        """Raise OSError (ENOSPC) if the disk has no room for `size` bytes more."""
        if shutil.disk_usage(self._blobs).free < size + self.reserve:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._blobs))

    def place(self, ready: Path, sha256: str) -> None:
        """Move the file `ready`, which is on the disk and holds what is called `sha256`, among the contents."""
        target = self.path(sha256)
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            sync(self._blobs)
        os.chmod(ready, 0o444)
        os.replace(ready, target)
        sync(target.parent)

    def adopt(self, file: Path) -> Content:
        """The content of `file`, which stays where it is; on the same disk both names are of one copy."""
        content = describe(file)
        if self.has(content.sha256, content.size):
            return content
        target = self.path(content.sha256)
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(file.resolve(), target)
        except OSError:  # another disk, or one that knows no links
            return self.copy(file, content.sha256)
        sync(target.parent)
        return content

    def copy(self, file: Path, sha256: str) -> Content:
        """Take a copy of `file`, which must hold what is called `sha256`.

        Raises:
            UstodError: if it does not.
        """
        with self.writer(file.stat().st_size) as writer, file.open("rb") as source:
            while piece := source.read(PIECE):
                writer.write(piece)
            if writer.sha256 != sha256:
                raise UstodError(f"{file} is damaged: what it holds is not what it was; copy it again from its source.")
            return writer.keep()

    def sweep(self) -> int:
        """Remove what writers that were killed have left; returns how many files."""
        swept = 0
        for path in self._incoming.iterdir():
            try:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    swept += 1
            except (BlockingIOError, FileNotFoundError):
                continue
        return swept

    def all(self) -> list[str]:
        """The names of all contents."""
        return [path.name for path in self._blobs.glob("??/*")]

    def remove(self, sha256: str) -> int:
        """Remove a content that nothing names any longer; returns its size."""
        path = self.path(sha256)
        size = path.stat().st_size
        path.unlink()
        return size


class Writer:
    """Content on its way to the disk. At the end of the ``with`` block nothing is left of it unless it was kept."""

    def __init__(self, blobs: Blobs, incoming: Path) -> None:
        self._blobs, self.size = blobs, 0
        self._sha256 = hashlib.sha256()
        self._file, self.path = _locked(incoming)

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(piece)
        self._file.write(piece)
        self.size += len(piece)

    @property
    def sha256(self) -> str:
        """The name of what came so far."""
        return self._sha256.hexdigest()

    def flush(self) -> Path:
        """The file, with all that came so far in it, to be looked at."""
        self._file.flush()
        return self.path

    def keep(self) -> Content:
        """What came becomes a content, on the disk when this returns."""
        self._file.flush()
        content = Content(self.sha256, self.size, _git_name(self.path, self.size))
        os.fsync(self._file.fileno())
        if not self._blobs.has(content.sha256, content.size):
            self._blobs.place(self.path, content.sha256)
        return content

    def move(self, path: Path) -> None:
        """What came becomes the file `path`, on the disk when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self.path, path)
        sync(path.parent)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """Close it; what was not kept is gone."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # the disk was full, and what is left in the buffer is not wanted
            self._file.close()


def _locked(folder: Path) -> tuple[IO[bytes], Path]:
    """A new file that a sweep leaves alone while it is open."""
    while True:
        path = folder / secrets.token_hex(16)
        file = path.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():  # no sweep came between
            return file, path
        file.close()


def describe(path: Path) -> Content:
    """The content of the file `path`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    return Content(digest, size, _git_name(path, size))


def _git_name(path: Path, size: int) -> str:
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()

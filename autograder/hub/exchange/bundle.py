"""A folder on its way: one line that lists the files, then the bytes of each.

The line is JSON: ``{"files": [[path, size, sha256], ...]}``, sorted by path, with no blank that could be left out. Its
own SHA-256 is the hash of the whole folder, which both ends work out and a receipt names. There is no way to say link,
device, owner, mode or compression here, so nothing of that kind has to be looked for; what is left to refuse are names
and sizes.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from autograder.errors import UstodError, one_line
from autograder.files import sync

#: Of the line that lists the files, in bytes.
LONGEST_LIST = 1 << 20
MOST_FILES = 5000
#: Of a path in a bundle, and of one name in it, in bytes of UTF-8; the second is the file systems' own limit.
LONGEST_PATH, LONGEST_NAME, DEEPEST = 1000, 255, 32
#: Bytes that are held in memory at a time.
PIECE = 256 << 10
#: Letters that make a name look like another: marks of the direction of text.
_DIRECTIONS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: Which of the names in a folder to leave out.
Leave = Callable[[str, list[str]], "list[str] | set[str]"]


@dataclass(frozen=True)
class Entry:
    """A file: its path from the top of the folder, its bytes and their SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """The files of a folder. `line` is what stands first in a bundle; its hash is that of the folder."""

    entries: tuple[Entry, ...]

    @property
    def line(self) -> bytes:
        """The list as both ends write it."""
        files = [[entry.path, entry.size, entry.sha256] for entry in self.entries]
        return json.dumps({"files": files}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @property
    def sha256(self) -> str:
        """The hash of the folder."""
        return hashlib.sha256(self.line).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    @classmethod
    def read(cls, line: bytes) -> Listing:
        """The list that `line` writes.

        Raises:
            UstodError: if it is no list, or names a file that no folder of ours may hold.
        """
        try:
            files = json.loads(line)["files"]
            listing = cls(tuple(Entry(path, size, digest) for path, size, digest in files))
            _check(listing)
            if listing.line != line:
                raise ValueError("it is not written as it should be")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise UstodError(
                f"What was sent does not begin with a list of files: {one_line(str(error))[:200]}."
            ) from None
        return listing


def _check(listing: Listing) -> None:
    if len(listing.entries) > MOST_FILES:
        raise UstodError(f"A folder of {len(listing.entries)} files was sent; at most {MOST_FILES} are taken.")
    paths: set[str] = set()
    folders: set[str] = set()
    for entry in listing.entries:
        check_path(entry.path)
        if type(entry.size) is not int or entry.size < 0:
            raise ValueError(f"the size of {entry.path} is no number")
        if len(entry.sha256) != 64 or set(entry.sha256) - set("0123456789abcdef"):
            raise ValueError(f"the hash of {entry.path} is none")
        paths.add(entry.path)
        parts = entry.path.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    order = [entry.path.encode() for entry in listing.entries]
    if len(paths) != len(order) or order != sorted(order) or paths & folders:
        raise ValueError("a name stands in it twice, or it is not sorted")


def check_path(path: str) -> None:
    """Refuse a path that is not to be made on somebody else's disk.

    Raises:
        UstodError: if it leaves the folder, is too long, or its letters are not for names.
    """
    shown = one_line(path)[:120]
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in path:
        raise UstodError(f"The file {shown!r} is not inside the folder; rename it.")
    if bad := next((letter for letter in path if not _is_for_names(letter)), None):
        raise UstodError(f"The name of the file {shown!r} holds {bad!r}; rename it.")
    if len(path.encode()) > LONGEST_PATH or len(parts) > DEEPEST or max(len(p.encode()) for p in parts) > LONGEST_NAME:
        raise UstodError(f"The name of the file {shown!r} is too long; give it a shorter one.")


def _is_for_names(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") and letter not in _DIRECTIONS


@dataclass(frozen=True)
class Bundle:
    """A folder that is ready to be sent. `content` is the bytes of its files, one after another."""

    listing: Listing
    content: IO[bytes]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.listing.line) + self.listing.size

    def pieces(self) -> Iterator[bytes]:
        """The bytes to send; may be asked for again."""
        yield self.listing.line
        self.content.seek(0)
        while piece := self.content.read(PIECE):
            yield piece


def pack(folder: Path, leave: Leave = lambda folder, names: [], limit: int | None = None) -> Bundle:
    """The files of `folder`, but for those that `leave` names, as they are at this moment.

    Each is read once, into a file without a name, so that what is sent is what was hashed even while somebody saves.
    Links are refused: a folder that is handed in must not bring along what lies elsewhere.

    Raises:
        UstodError: if there is a link or something else that is no file, a name that cannot be sent, or more than
            `limit` bytes or `MOST_FILES` files.
    """
    content: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (the bundle keeps it open)
    entries, total = [], 0
    for path, name in sorted(
        _files(folder, folder, leave), key=lambda found: found[1].encode("utf-8", "surrogateescape")
    ):
        check_path(name)
        digest, size = hashlib.sha256(), 0
        for piece in _read(path):
            content.write(piece)
            digest.update(piece)
            size += len(piece)
            if limit is not None and total + size > limit:
                content.close()
                raise UstodError(
                    f"The folder {folder} holds more than {limit >> 20} MB; take out what need not be handed in."
                )
        total += size
        entries.append(Entry(name, size, digest.hexdigest()))
    if len(entries) > MOST_FILES:
        raise UstodError(f"The folder {folder} holds {len(entries)} files; at most {MOST_FILES} can be sent.")
    listing = Listing(tuple(entries))
    if len(listing.line) > LONGEST_LIST:
        raise UstodError(f"The names of the files in {folder} are too long together; take out what need not be sent.")
    return Bundle(listing, content)


def _files(top: Path, folder: Path, leave: Leave) -> Iterator[tuple[Path, str]]:
    names = os.listdir(folder)
    for name in sorted(set(names) - set(leave(str(folder), names))):
        path = folder / name
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield from _files(top, path, leave)
        elif stat.S_ISREG(mode):
            yield path, path.relative_to(top).as_posix()
        else:
            what = "a link; put the file itself there" if stat.S_ISLNK(mode) else "no file; take it out"
            raise UstodError(f"{one_line(str(path))} is {what}.")


def _read(path: Path) -> Iterator[bytes]:
    """The bytes of the file at `path`, even if somebody puts a link or a pipe in its place right now."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        while piece := file.read(PIECE):
            yield piece


class Reader:
    """Follows a bundle that comes in pieces and checks every byte of it.

    `put` is given the content of each file as it comes; it is told the file first. What is longer than `limit` bytes is
    refused as soon as that is known.
    """

    def __init__(self, limit: int, put: Callable[[Entry, bytes], None] | None = None) -> None:
        self._limit, self._put = limit, put
        self._line = bytearray()
        self._listing: Listing | None = None
        self._rest: Iterator[Entry] = iter(())
        self._entry: Entry | None = None
        self._left = 0
        self._digest = hashlib.sha256()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            UstodError: if they cannot belong to a bundle that is taken here.
        """
        if self._listing is None:
            line, end, piece = piece.partition(b"\n")
            self._line += line + end
            if len(self._line) > LONGEST_LIST:
                raise UstodError(f"The list of files is longer than {LONGEST_LIST >> 10} kB.")
            if not end:
                return
            self._listing = Listing.read(bytes(self._line))
            if self._listing.size > self._limit:
                raise UstodError(
                    f"The files have {self._listing.size} bytes together; at most {self._limit}"
                    f" ({self._limit >> 20} MB) are taken."
                )
            self._rest = iter(self._listing.entries)
            self._next()
        view = memoryview(piece)
        while view:
            if self._entry is None:
                raise UstodError("More bytes were sent than the list of files says.")
            part = view[: self._left]
            view = view[len(part) :]
            self._left -= len(part)
            self._digest.update(part)
            if self._put:
                self._put(self._entry, bytes(part))
            if not self._left:
                self._close()
                self._next()

    def end(self) -> Listing:
        """There is no more.

        Raises:
            UstodError: if there should be.
        """
        if self._listing is None or self._entry is not None:
            raise UstodError("What was sent broke off before its end; send it again.")
        return self._listing

    def _next(self) -> None:
        """Go to the next file that has bytes; empty ones are there at once."""
        for entry in self._rest:
            self._entry, self._left, self._digest = entry, entry.size, hashlib.sha256()
            if self._put:
                self._put(entry, b"")
            if entry.size:
                return
            self._close()
        self._entry = None

    def _close(self) -> None:
        if self._entry and self._digest.hexdigest() != self._entry.sha256:
            raise UstodError(f"The file {self._entry.path} is not the one that the list describes; send it again.")


def unpack(pieces: Iterator[bytes], folder: Path, limit: int) -> Listing:
    """Write the files of a bundle into the empty `folder`, checked, and on the disk when this returns.

    Raises:
        UstodError: if the bundle is not whole and sound.
    """
    current: list[tuple[str, IO[bytes]]] = []

    def close() -> None:
        for _, file in current:
            file.flush()
            os.fsync(file.fileno())
            file.close()
        current.clear()

    def put(entry: Entry, piece: bytes) -> None:
        if not current or current[0][0] != entry.path:
            close()
            path = folder / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            current.append((entry.path, path.open("xb")))
        current[0][1].write(piece)

    reader = Reader(limit, put)
    try:
        for piece in pieces:
            reader.feed(piece)
        listing = reader.end()
    finally:
        close()
    for parent, _, _ in os.walk(folder):
        sync(Path(parent))
    return listing

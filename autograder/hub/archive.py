"""The file that a backup is: a compressed tar with, as its last member, a manifest of the SHA-256 of every file.

Read here, on guard: a file on a stick may be damaged, or made to harm whoever restores it. `packing` writes it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from autograder.errors import UstodError, one_line

MANIFEST = "MANIFEST.json"
FORMAT = 1

#: Deeper folders and longer names are somebody's mischief, and could not be put back.
DEEPEST = 64
LONGEST = 3000
#: How many names of what was passed over are told.
NAMED = 50
#: A manifest larger than so many bytes is none of ours.
LARGEST_MANIFEST = 256 << 20

_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


@dataclass
class Manifest:
    """What a backup holds.

    Attributes:
        lab: its name.
        made: when, in UTC, ISO 8601.
        files: the SHA-256 of every file, by its name in the archive.
        bytes: of all files together.
        torn: files that kept changing while they were read, or could not be read to the end.
        passed_over: what is not in the backup although it stood there, with the reason; at most `NAMED` of them.
        passed_over_count: how many there were.
    """

    lab: str
    made: str
    files: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    torn: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    passed_over_count: int = 0

    def pass_over(self, name: str, why: str) -> None:
        """Remember that `name` is not in the backup."""
        self.passed_over_count += 1
        if len(self.passed_over) < NAMED:
            self.passed_over.append(f"{one_line(name)}: {why}")


class Source(Protocol):
    """Whatever bytes are read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Hashing:
    """A source that is hashed while it is read."""

    def __init__(self, source: Source) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        content = self._source.read(size)
        self.digest.update(content)
        return content


def leads_out(name: str, target: str) -> bool:
    """Whether a link called `name` leads out of its tree, whose folder is the first part of the name."""
    if target.startswith("/"):
        return True
    depth = name.count("/") - 1
    for part in target.split("/"):
        if part not in ("", "."):
            depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def read(path: Path, take: Callable[[tarfile.TarInfo, Source], None], free: str) -> Manifest:
    """Hand every folder, file and link in the archive `path` to `take`, folders before what is in them.

    Args:
        path: the archive.
        take: told the member, and its content, which it reads or leaves.
        free: the one tree, such as "homes", in which links may lead anywhere.

    Returns:
        the manifest, with which every file agrees.

    Raises:
        UstodError: if the archive cannot be read, is damaged or not whole, or holds what no backup does.
    """
    try:
        with open(path, "rb") as file, gzip.GzipFile(fileobj=file, mode="rb") as plain:
            return _read(plain, take, free)
    except _Damaged as error:
        raise UstodError(f"The backup {path} is not to be trusted: {error}; use another one.") from None
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        gzip.BadGzipFile,
        UnicodeError,
        ValueError,
        RecursionError,
    ) as error:
        raise UstodError(f"The backup {path} is damaged ({one_line(str(error))}); use another one.") from None


class _Damaged(Exception):
    """What is wrong with an archive."""


def _read(plain: gzip.GzipFile, take: Callable[[tarfile.TarInfo, Source], None], free: str) -> Manifest:
    found: dict[str, str] = {}
    seen: set[str] = set()
    folders: set[str] = set()
    with tarfile.open(fileobj=plain, mode="r|", errors="surrogateescape") as tar:
        while (member := tar.next()) is not None:
            vars(tar)["members"].clear()  # which would hold every name until the end
            if member.name == MANIFEST:
                manifest = _manifest(tar, member)
                break
            _check(member, seen, folders, free)
            seen.add(member.name)
            source = tar.extractfile(member) if member.type in _PLAIN else None
            hashing = Hashing(source or io.BytesIO())
            if source is None and member.isdir():
                folders.add(member.name)
            take(member, hashing)
            if source is not None:
                while hashing.read(1 << 20):
                    pass
                found[member.name] = hashing.digest.hexdigest()
        else:
            raise _Damaged("its end is missing")
        if tar.next() is not None:
            raise _Damaged("something follows its manifest")
    while plain.read(1 << 20):
        pass  # to the checksum at its end
    if differing := sorted(
        name for name in found.keys() | manifest.files.keys() if found.get(name) != manifest.files.get(name)
    ):
        raise _Damaged(f"{one_line(differing[0])} is not as the manifest says")
    return manifest


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Manifest:
    source = tar.extractfile(member) if member.type in _PLAIN and member.size <= LARGEST_MANIFEST else None
    if source is None:
        raise _Damaged("its manifest is none")
    content = json.loads(source.read())
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise _Damaged("it was made by another version of Ustod")
    try:
        manifest = Manifest(**content)
    except TypeError:
        raise _Damaged("its manifest is none") from None
    if not (isinstance(manifest.files, dict) and isinstance(manifest.bytes, int) and isinstance(manifest.made, str)):
        raise _Damaged("its manifest is none")
    return manifest


def _check(member: tarfile.TarInfo, seen: set[str], folders: set[str], free: str) -> None:
    """Let only pass what `Writer` writes.

    Raises:
        _Damaged: for anything else.
    """
    name, shown = member.name, one_line(member.name)
    parts = name.split("/")
    if name.startswith("/") or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise _Damaged(f"it holds a file with the name {shown}, which leads elsewhere")
    if len(parts) > DEEPEST + 2 or len(os.fsencode(name)) > LONGEST + 1000:
        raise _Damaged(f"it holds a file whose folder is too deep, {shown[:100]}")
    if name in seen:
        raise _Damaged(f"it holds {shown} twice")
    parent = str(PurePosixPath(name).parent)
    if len(parts) > 1 and parent not in folders:
        raise _Damaged(f"it holds {shown} without the folder that it stands in")
    if len(parts) == 1 and not member.isdir():
        raise _Damaged(f"it holds {shown}, which belongs to no lab")
    if member.type == tarfile.SYMTYPE:
        if parts[0] != free and leads_out(name, member.linkname):
            raise _Damaged(f"it holds a link that leads elsewhere, {shown}")
    elif not (member.isdir() or (member.type in _PLAIN and not member.issparse())):
        raise _Damaged(f"it holds something that is neither file, folder nor link, {shown}")

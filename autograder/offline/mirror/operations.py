"""What a client sends to make a version: lines of JSON, in which whole files may stand as base64.

They are read from the disk, one at a time: of a long line, what a file holds goes to the disk again piece by piece.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from autograder.offline.mirror.blobs import PIECE, Blobs, Writer
from autograder.offline.mirror.names import Refused, check_file_name

#: A line that is longer is not read into memory.
_LONG = 1 << 20
_CONTENT = re.compile(rb'"content"\s*:\s*"')


@dataclass(frozen=True)
class Header:
    """Why the version is made, and of which one, if its maker cares."""

    title: str
    message: str
    parent: str | None


@dataclass(frozen=True)
class Add:
    """A file that was sent along."""

    path: str
    writer: Writer


@dataclass(frozen=True)
class AddLarge:
    """A file that was sent before."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Delete:
    """A file, or a folder with all in it, that is no longer wanted."""

    path: str
    folder: bool


Operation = Header | Add | AddLarge | Delete


def read_operations(path: Path, blobs: Blobs) -> Iterator[Operation]:
    """The operations in the file `path`. The caller closes the writers that come with them.

    Raises:
        Refused: if the file does not say what it should.
    """
    with path.open("rb") as file:
        while start := file.readline(_LONG):
            if start.strip():
                long = not start.endswith(b"\n") and len(start) == _LONG
                yield _read_long(start, file, blobs) if long else _read(start, blobs)


def _read(line: bytes, blobs: Blobs, writer: Writer | None = None) -> Operation:
    try:
        given = json.loads(line)
        key, value = given["key"], given["value"]
        return _operation(key, value, blobs, writer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused(400, "A line of the commit is not one that the hub understands") from None


def _operation(key: str, value: dict[str, Any], blobs: Blobs, writer: Writer | None) -> Operation:
    match key:
        case "header":
            parent = value.get("parentCommit")
            title = str(value.get("summary") or "")[:500] or "No title"
            return Header(title, str(value.get("description") or "")[:20_000], str(parent) if parent else None)
        case "file":
            path = check_file_name(str(value["path"]))
            if writer is None:
                content = str(value.get("content", ""))
                data = _decoded(content.encode()) if value.get("encoding") == "base64" else content.encode()
                writer = blobs.writer(len(data))
                writer.write(data)
            return Add(path, writer)
        case "lfsFile":
            sha256 = str(value["oid"])
            if value.get("algo", "sha256") != "sha256" or not re.fullmatch(r"[0-9a-f]{64}", sha256):
                raise ValueError
            return AddLarge(check_file_name(str(value["path"])), sha256)
        case "deletedFile" | "deletedFolder":
            return Delete(str(value["path"]).strip("/"), key == "deletedFolder")
    raise ValueError


def _read_long(start: bytes, file: IO[bytes], blobs: Blobs) -> Operation:
    """A line that begins with `start` and goes on in `file`: its content is decoded on the way."""
    begin = _CONTENT.search(start)
    if not begin:
        raise Refused(400, "A line of the commit is longer than any that the hub understands")
    writer = blobs.writer(len(start))
    try:
        piece, left = start[begin.end() :], b""
        while (end := piece.find(b'"')) < 0:
            whole = len(left + piece) // 4 * 4
            writer.write(_decoded((left + piece)[:whole]))
            left = (left + piece)[whole:]
            piece = file.read(PIECE)
            if not piece:
                raise Refused(400, "The commit was cut off")
        writer.write(_decoded(left + piece[:end]))
        rest = piece[end:]
        if b"\n" not in rest:
            rest += file.readline(_LONG)
        line, _, after = rest.partition(b"\n")
        if after:
            file.seek(-len(after), 1)
        return _read(start[: begin.end()] + line, blobs, writer)
    except BaseException:
        writer.discard()
        raise


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused(400, "The content of a file is not base64") from None

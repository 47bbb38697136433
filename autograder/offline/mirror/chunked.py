"""Files as the clients' xet protocol sends them: chunks, packed together, and lists of which chunks make which file.

The format is that of the protocol's public description (https://huggingface.co/docs/xet). Packs are kept for as long as
their sender may refer to them; the files are put together at once, and are from then on like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from autograder.offline.mirror.blobs import Blobs, Writer
from autograder.offline.mirror.names import Refused

#: Bytes of a pack, and of a list; and of one chunk: the protocol allows no more.
LARGEST_PACK, LARGEST_LIST, LARGEST_CHUNK = 65 << 20, 65 << 20, 128 << 10
_TAG = b"HFRepoMetaData\0UigEj{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9"
_ENTRY = 48
_VERIFIED, _EXTENDED = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Span:
    """Chunks of one pack, from `start` to before `end`, which have `size` bytes when unpacked."""

    pack: str
    size: int
    start: int
    end: int


def read_list(data: bytes) -> list[list[Span]]:
    """The files that a list describes, each as the spans that make it.

    Raises:
        Refused: if it is no such list.
    """
    if data[:32] != _TAG or len(data) < 48 or struct.unpack_from("<Q", data, 32)[0] != 2:
        raise Refused(400, "What was sent is no list of chunks that this hub knows")
    files, position = [], 48
    try:
        while data[position : position + 32] != b"\xff" * 32:
            flags, count = struct.unpack_from("<32xII8x", data, position)
            position += _ENTRY
            if count * _ENTRY > len(data) - position:
                raise Refused(400, "The list of chunks is cut off")
            files.append([_span(data, position + number * _ENTRY) for number in range(count)])
            position += count * _ENTRY * (2 if flags & _VERIFIED else 1) + (_ENTRY if flags & _EXTENDED else 0)
    except struct.error:
        raise Refused(400, "The list of chunks is cut off") from None
    return files


def join(spans: list[Span], packs: Path, blobs: Blobs) -> Writer:
    """The file that `spans` make, of packs in the folder `packs`. The caller closes the writer.

    Raises:
        Refused: if a pack is not there, or does not hold what it should.
    """
    writer = blobs.writer(sum(span.size for span in spans))
    try:
        for span in spans:
            before = writer.size
            path = packs / span.pack
            if not path.is_file():
                raise Refused(400, "A pack of chunks was not sent, or too long ago: start the upload again")
            with path.open("rb") as file:
                for chunk in _chunks(file, span.start, span.end):
                    writer.write(chunk)
                    if writer.size - before > span.size:
                        break
            if writer.size - before != span.size:
                raise Refused(400, "A pack of chunks does not hold what it should")
    except BaseException:
        writer.discard()
        raise
    return writer


def _span(data: bytes, position: int) -> Span:
    pack, size, start, end = struct.unpack_from("<32s4xIII", data, position)
    return Span(hexadecimal(pack), size, start, end)


def hexadecimal(name: bytes) -> str:
    """A name as addresses write it: four numbers of eight bytes."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", name))


def _chunks(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    for number in range(end):
        head = file.read(8)
        if len(head) < 8 or head[0] != 0:
            return
        packed, way, size = int.from_bytes(head[1:4], "little"), head[4], int.from_bytes(head[5:8], "little")
        if packed > 2 * LARGEST_CHUNK or size > LARGEST_CHUNK:
            return
        if number < start:
            file.seek(packed, 1)
        else:
            yield _unpacked(file.read(packed), way, size)


def _unpacked(data: bytes, way: int, size: int) -> bytes:
    if way == 0:
        return data
    try:
        plain = pa.decompress(data, decompressed_size=size, codec="lz4", asbytes=True)
    except (OSError, ValueError, pa.ArrowInvalid):
        raise Refused(400, "A chunk cannot be unpacked") from None
    if way == 1:
        return bytes(plain)
    if way != 2:
        raise Refused(400, "A chunk is packed in a way that this hub does not know")
    grouped, result = np.frombuffer(plain, np.uint8), np.empty(size, np.uint8)
    position = 0
    for first in range(4):
        count = len(result[first::4])
        result[first::4] = grouped[position : position + count]
        position += count
    return result.tobytes()

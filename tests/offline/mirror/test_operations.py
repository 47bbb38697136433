"""What clients send to make a version is read piece by piece, and comes out as it was sent."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograder.offline.mirror import chunked, operations
from autograder.offline.mirror.blobs import Blobs
from autograder.offline.mirror.names import Refused
from autograder.offline.mirror.operations import Add, AddLarge, Delete, Header, read_operations
from autograder.offline.mirror.sending import NoSuchPart, Part, part_of

HEADER = {"key": "header", "value": {"summary": "s", "description": "d", "parentCommit": "1" * 40}}


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    return Blobs(tmp_path_factory.mktemp("blobs"), reserve=0)


@pytest.fixture(scope="module")
def small_lines() -> object:
    """Lines count as long from 300 bytes, and pieces are of 64, so that small examples meet every seam."""
    patch = pytest.MonkeyPatch()
    patch.setattr(operations, "_LONG", 300)
    patch.setattr(operations, "PIECE", 64)
    yield
    patch.undo()


def sent(lines: list[object]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@given(files=st.lists(st.binary(max_size=700), max_size=6), gap=st.sampled_from([", ", ","]))
@example(files=[b"x" * 48, b"y" * 3000, b""], gap=", ")
def test_files_come_out_as_they_were_sent(blobs: Blobs, small_lines: object, files: list[bytes], gap: str) -> None:
    lines = [HEADER]
    for number, content in enumerate(files):
        value = {"content": base64.b64encode(content).decode(), "path": f"{number}", "encoding": "base64"}
        lines.append({"key": "file", "value": value})
    path = blobs.path("sent").parents[1] / "sent"
    path.write_bytes(b"".join(json.dumps(line, separators=(gap, ": ")).encode() + b"\n" for line in lines))
    header, *adds = read_operations(path, blobs)
    assert header == Header("s", "d", "1" * 40)
    for number, (add, content) in enumerate(zip(adds, files, strict=True)):
        assert isinstance(add, Add) and add.path == str(number)
        assert add.writer.flush().read_bytes() == content
        add.writer.discard()


@given(st.binary(max_size=400))
def test_whatever_is_sent_is_read_or_refused(blobs: Blobs, small_lines: object, content: bytes) -> None:
    path = blobs.path("sent").parents[1] / "any"
    for prefix in (b"", b'{"key": "file", "value": {"content": "', sent([HEADER])):
        path.write_bytes(prefix + content)
        try:
            for operation in read_operations(path, blobs):
                if isinstance(operation, Add):
                    operation.writer.discard()
        except Refused:
            pass
        assert not list(blobs.path("x").parents[1].with_name("incoming").iterdir())


def test_other_operations(blobs: Blobs, tmp_path: Path) -> None:
    lines = [
        {"key": "lfsFile", "value": {"path": "a", "algo": "sha256", "oid": "0" * 64, "size": 1}},
        {"key": "deletedFile", "value": {"path": "b"}},
        {"key": "deletedFolder", "value": {"path": "c/"}},
    ]
    (tmp_path / "sent").write_bytes(sent(lines))
    found = list(read_operations(tmp_path / "sent", blobs))
    assert found == [AddLarge("a", "0" * 64), Delete("b", False), Delete("c", True)]


# The xet protocol


def packed(chunks: list[bytes], way: int) -> bytes:
    out = b""
    for chunk in chunks:
        plain = chunk
        if way == 2:
            plain = b"".join(np.frombuffer(chunk, np.uint8)[first::4].tobytes() for first in range(4))
        data = pa.compress(plain, codec="lz4", asbytes=True) if way else chunk
        out += b"\0" + len(data).to_bytes(3, "little") + bytes([way]) + len(chunk).to_bytes(3, "little") + data
    return out


def listed(files: list[list[tuple[bytes, int, int, int]]]) -> bytes:
    out = chunked._TAG + struct.pack("<QQ", 2, 0)
    for spans in files:
        out += b"\1" * 32 + struct.pack("<IIQ", (1 << 31) | (1 << 30), len(spans), 0)
        out += b"".join(struct.pack("<32sIIII", pack, 0, size, start, end) for pack, size, start, end in spans)
        out += b"\0" * 48 * (len(spans) + 1)
    return out + b"\xff" * 32 + b"\0" * 16


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=500), min_size=1, max_size=8),
    way=st.sampled_from([0, 1, 2]),
    data=st.data(),
)
def test_files_are_put_together_of_their_chunks(
    blobs: Blobs, tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], way: int, data: st.DataObject
) -> None:
    packs = tmp_path_factory.getbasetemp()
    name = hashlib.sha256(packed(chunks, way)).digest()
    (packs / chunked.hexadecimal(name)).write_bytes(packed(chunks, way))
    start = data.draw(st.integers(0, len(chunks) - 1))
    end = data.draw(st.integers(start + 1, len(chunks)))
    content = b"".join(chunks[start:end])
    spans = [(name, len(content), start, end), (name, len(chunks[0]), 0, 1)]
    (file,) = chunked.read_list(listed([spans]))
    with chunked.join(file, packs, blobs) as writer:
        assert writer.flush().read_bytes() == content + chunks[0]
    with pytest.raises(Refused):
        wrong = chunked.read_list(listed([[(name, len(content) + 1, start, end)]]))
        chunked.join(wrong[0], packs, blobs)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_a_list_of_chunks_that_is_none_is_refused(noise: bytes, keep: int) -> None:
    whole = listed([[(b"\2" * 32, 5, 0, 1)]])
    for data in (noise, whole[:keep], chunked._TAG + struct.pack("<QQ", 2, 0) + noise):
        with pytest.raises(Refused):
            chunked.read_list(data)


# Parts of files


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), st.integers(0, 10**6))
def test_a_part_is_within_the_file(header: str, size: int) -> None:
    try:
        part = part_of(header, size)
    except NoSuchPart:
        return
    assert part is None or (part.length > 0 and part.start >= 0 and part.start + part.length <= size)


@given(st.integers(1, 1000), st.data())
def test_every_part_can_be_asked_for(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start, size - 1))
    assert part_of(f"bytes={start}-{end}", size) == Part(start, end - start + 1)
    assert part_of(f"bytes={start}-", size) == Part(start, size - start)
    assert part_of(f"bytes=-{size - start}", size) == Part(start, size - start)

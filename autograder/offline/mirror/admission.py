"""What may be published: files that can be read without running anything, and are what they say they are."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import math
import os
import pickletools
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from autograder.errors import UstodError

#: Bytes of the list of tensors at the head of a safetensors file; more is no list.
_LONGEST_HEADER = 100 << 20
_DTYPE_BITS = {
    **{"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16},
    **{"BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64},
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8},
}
#: Endings of names under which programs look for pickles.
_PICKLE_NAMES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".mar", ".nemo"}
#: How much of a file, or of what is compressed in it, is looked at first.
_HEAD = 64 << 10
#: Members of a zip that are looked at.
_MOST_MEMBERS = 10_000
#: Instructions of a pickle that name something to be called, and that call it; how many of them, and bytes of one, are
#: looked at; and with which a pickle may begin.
_NAMES = {"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"}
_CALLS = {"REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"}
_MOST_INSTRUCTIONS, _LONGEST_PART = 200_000, 16 << 20
_FIRST = b"(]})cIFLSVNKMJGXTU\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95"


class NotAdmitted(UstodError):
    """A file is not taken; says why."""


def admit(name: str, path: Path, *, pickle: bool) -> None:
    """Look at the file `path`, which is to be published as `name`; `pickle` says whether pickles are allowed there.

    Raises:
        NotAdmitted: if it is not to be published.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if name.lower().endswith(".safetensors"):
            try:
                read_safetensors(file)
            except NotAdmitted as error:
                raise NotAdmitted(f"{name} is no whole safetensors file: {error}") from None
        elif name.lower().endswith(".gguf") or head[:4] == b"GGUF":
            try:
                _check_gguf(file)
            except NotAdmitted as error:
                raise NotAdmitted(f"{name} is no whole GGUF file: {error}") from None
        elif not pickle and (PurePosixPath(name).suffix.lower() in _PICKLE_NAMES or is_pickle(head, path)):
            raise NotAdmitted(
                f"{name} is or may be a pickle, and loading one can run anything. Publish safetensors, GGUF, Parquet, "
                "CSV or JSON instead (save_pretrained writes safetensors), or ask an instructor to allow it for this "
                "repository."
            )


def is_pickle(head: bytes, path: Path) -> bool:
    """Whether the file `path`, which begins with `head`, is a pickle, one that is compressed, or a zip with one."""
    if head[:4] == b"PK\x03\x04":
        return _zip_has_pickle(path)
    if inner := _unpacked(head):
        return _begins_pickle(inner) or _calls_something(io.BytesIO(inner), len(inner))
    if _begins_pickle(head):
        return True
    if not head or head[0] not in _FIRST:
        return False
    with path.open("rb") as file:
        return _calls_something(file, path.stat().st_size)


def read_safetensors(file: IO[bytes]) -> dict[str, dict[str, Any]]:
    """The tensors that a safetensors file lists: `dtype`, `shape` and `data_offsets` by name.

    Raises:
        NotAdmitted: if the list is not well formed, or is not of what follows it, each byte of it once.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size < 8:
        raise NotAdmitted("it has no header.")
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(_LONGEST_HEADER, size - 8):
        raise NotAdmitted(f"its header is said to have {length} bytes, of {size} in all.")
    try:
        header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise NotAdmitted(f"its header cannot be read ({error}).") from None
    if not isinstance(header, dict):
        raise NotAdmitted("its header is no list of tensors.")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
        raise NotAdmitted("its __metadata__ is not of texts.")
    spans = sorted(_span(name, tensor) for name, tensor in header.items())
    end = 0
    for begin, after, name in spans:
        if begin != end:
            what = "shares bytes with another" if begin < end else "does not follow the one before it"
            raise NotAdmitted(f"the tensor {name[:100]} {what}.")
        end = after
    if end != size - 8 - length:
        raise NotAdmitted(f"its tensors have {end} bytes, and {size - 8 - length} follow the header.")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _span(name: str, tensor: Any) -> tuple[int, int, str]:
    """From where to where the bytes of a tensor are, after the header."""
    try:
        bits, shape, (begin, end) = _DTYPE_BITS[tensor["dtype"]], tensor["shape"], tensor["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise NotAdmitted(f"the tensor {name[:100]} is not described as it should be.") from None
    if (math.prod(shape) * bits + 7) // 8 != end - begin:
        raise NotAdmitted(f"the tensor {name[:100]} has not as many bytes as its shape says.")
    return begin, end, name


def _check_gguf(file: IO[bytes]) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(24)
    if len(head) < 24 or head[:4] != b"GGUF":
        raise NotAdmitted("it does not begin as one.")
    version, tensors, values = struct.unpack("<IQQ", head[4:])
    if version not in (2, 3):
        raise NotAdmitted(f"its version is {version}, and 2 and 3 are known.")
    if tensors * 24 + values * 12 > size - 24:
        raise NotAdmitted(f"it is said to hold {tensors} tensors and {values} values, and has {size} bytes.")


def _begins_pickle(head: bytes) -> bool:
    """Whether it begins as pickles of all but the oldest protocols do."""
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def _calls_something(file: IO[bytes], size: int) -> bool:
    """Whether a program that takes the `file` for a pickle would call something before it notices that it is none."""
    names, count = False, 0
    try:
        for instruction, _, _ in pickletools.genops(cast(IO[bytes], _Sparing(file, size))):
            names, count = names or instruction.name in _NAMES, count + 1
            if (names and instruction.name in _CALLS) or count > _MOST_INSTRUCTIONS:
                return True
    except _TooLong:
        return True
    except Exception:  # it is none, and has called nothing so far
        return False
    return names


class _TooLong(Exception):
    """A part of a pickle is longer than is looked at."""


class _Sparing:
    """Reads a file for `pickletools`, and nothing into memory because a few bytes of it say so."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self.tell = file.tell

    def read(self, count: int) -> bytes:
        if count > self._size - self._file.tell():
            raise ValueError("there is not so much")
        if count > _LONGEST_PART:
            raise _TooLong
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline(_LONGEST_PART)
        if len(line) == _LONGEST_PART:
            raise _TooLong
        return line


def _unpacked(head: bytes) -> bytes:
    """The beginning of what is compressed in a file that begins with `head`."""
    try:
        if head[:2] == b"\x1f\x8b":
            return zlib.decompressobj(31).decompress(head, _HEAD)
        if head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0:
            return zlib.decompressobj().decompress(head, _HEAD)
        if head[:3] == b"BZh":
            return bz2.BZ2Decompressor().decompress(head, _HEAD)
        if head[:6] == b"\xfd7zXZ\x00" or head[:3] == b"\x5d\x00\x00":
            return lzma.LZMADecompressor(memlimit=256 << 20).decompress(head, _HEAD)
    except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError):
        pass
    return b""


def _zip_has_pickle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                return True  # too many to look at
            for member in members:
                if PurePosixPath(member.filename).suffix.lower() in (".pkl", ".pickle"):
                    return True
                with archive.open(member) as inner:
                    start = inner.read(_HEAD)
                    if _begins_pickle(start) or _calls_something(io.BytesIO(start), len(start)):
                        return True
    except Exception:  # damaged, encrypted or of an unknown kind: programs that load pickles may still read it
        return True
    return False

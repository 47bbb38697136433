"""Plain data as bytes, and back: the only form in which anything of a student's reaches the judge.

A message is a flat row of msgpack scalars. Every whole number in the row is a tag, which says what the scalars after
it mean; numbers of the data themselves follow a tag. Nothing in a row can name code to be run: there is no pickle, no
import by name, and a type that is not in the tables below does not exist. Only exact types are data. An instance of
a subclass would bring methods that the student wrote; it crosses as a *reference*, or not at all.

Sharing is not kept (a list that stands twice arrives as two lists), and a cycle is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgpack

#: What `refer` gives for an object that is no data: plain data from which the other side's `resolve` makes a stand-in.
Refer = Callable[[Any], Any]
Resolve = Callable[[Any], Any]


class CodecError(Exception):
    """Something cannot be written as plain data, or bytes are not a message. The text is one sentence."""


@dataclass(frozen=True)
class Limits:
    """What one message may hold.

    Attributes:
        size: bytes in all.
        scalars: msgpack scalars, which are what costs memory beyond the bytes.
        depth: levels of nesting.
        integer: bytes of one whole number.
    """

    size: int = 256 * 2**20
    scalars: int = 4_000_000
    depth: int = 64
    integer: int = 2**16


LIMITS = Limits()
#: Tags. They may be added to, never renumbered, while two versions can meet.
INT, BIG, SURROGATES, COMPLEX, LIST, TUPLE, DICT, SET, FROZENSET, RANGE, SLICE, BYTEARRAY, ELLIPSIS, INTS, REFERENCE = (
    range(15)
)
#: What libraries raise when they are to make something that cannot be.
_UNREADABLE = (
    *(ValueError, TypeError, ArithmeticError, LookupError, AttributeError, AssertionError),
    *(MemoryError, RuntimeError, SystemError, OSError),
)
#: More of a dictionary's keys than this share a hash only if somebody made them so, to make building it slow.
MAX_COLLISIONS = 1000


class Writer:
    """Collects the scalars of one message."""

    def __init__(self, refer: Refer | None, limits: Limits) -> None:
        self.row: list[Any] = []
        self._refer, self._limits = refer, limits
        self._open: set[int] = set()
        self._size = 0

    def bytes(self, data: bytes) -> None:
        """Add raw bytes; counted here, so that a message that grows too large stops early."""
        self._size += len(data)
        self.check_size()
        self.row.append(data)

    def value(self, value: Any) -> None:
        """Add any value.

        Raises:
            CodecError: if it is no plain data and cannot be referred to, holds itself, or is too large or deep.
        """
        kind = type(value)
        if value is None or kind is bool or kind is float:
            self.row.append(value)
        elif kind is str:
            self._text(value)
        elif kind is bytes:
            self.bytes(value)
        elif kind is int:
            self._integer(value)
        else:
            self._compound(value, WRITERS.get(kind) or _late_writer(kind))

    def values(self, values: Iterable[Any]) -> None:
        """Add values one after the other."""
        for value in values:
            self.value(value)

    def count(self, number: int) -> None:
        """Add a length or another small number that the tag before it announces."""
        self.row.append(number)

    def refer(self, value: Any) -> None:
        """Add a reference to what is no data."""
        payload = self._refer(value) if self._refer is not None else None
        if payload is None:
            raise CodecError(f"A {type(value).__qualname__} is no plain data and cannot be sent.")
        self.row.append(REFERENCE)
        self.value(payload)

    def _compound(self, value: Any, write: Callable[[Writer, Any], None] | None) -> None:
        if write is None:
            self.refer(value)
            return
        if id(value) in self._open:
            raise CodecError(f"A {type(value).__qualname__} that holds itself cannot be sent.")
        if len(self._open) >= self._limits.depth:
            raise CodecError(f"Data nested more than {self._limits.depth} levels deep cannot be sent.")
        self.check_size()
        self._open.add(id(value))
        try:
            write(self, value)
        finally:
            self._open.discard(id(value))

    def _text(self, text: str) -> None:
        self._size += len(text)
        try:
            if not text.isascii():
                text.encode()
            self.row.append(text)
        except UnicodeEncodeError:
            self.row.append(SURROGATES)
            self.bytes(text.encode("utf-8", "surrogatepass"))

    def _integer(self, number: int) -> None:
        if -(2**63) <= number < 2**64:
            self.row += (INT, number)
            return
        length = number.bit_length() // 8 + 1
        if length > self._limits.integer:
            raise CodecError(f"A whole number of {length} bytes cannot be sent.")
        self.row.append(BIG)
        self.bytes(number.to_bytes(length, "little", signed=True))

    def check_size(self) -> None:
        """Raise an error as soon as the message is too large."""
        if len(self.row) > self._limits.scalars or self._size > self._limits.size:
            raise CodecError(
                f"Data of more than {self._limits.size} bytes or {self._limits.scalars} values is not sent."
            )


class Reader:
    """Takes the scalars of one message apart."""

    def __init__(self, row: list[Any], resolve: Resolve | None, limits: Limits) -> None:
        self._row, self._resolve, self.limits = row, resolve, limits
        self._place = self._depth = 0

    @property
    def left(self) -> int:
        """How many scalars have not been read: no honest length is greater."""
        return len(self._row) - self._place

    def scalar(self, kind: type) -> Any:
        """The next scalar, which must be exactly of this type."""
        if self._place >= len(self._row):
            raise CodecError("The message ends too early.")
        found = self._row[self._place]
        if type(found) is not kind:
            raise CodecError(f"The message has a {type(found).__name__} where a {kind.__name__} belongs.")
        self._place += 1
        return found

    def count(self) -> int:
        """The number of values that follow."""
        number: int = self.scalar(int)
        if not 0 <= number <= self.left:
            raise CodecError("The message announces more values than it holds.")
        return number

    def value(self) -> Any:
        """The next value."""
        if self._place >= len(self._row):
            raise CodecError("The message ends too early.")
        found = self._row[self._place]
        self._place += 1
        if type(found) is not int:
            return found
        if found == INT:
            return self.scalar(int)
        read = READERS.get(found) or _late_reader(found)
        if read is None:
            raise CodecError(f"The message has an unknown tag {found}.")
        self._depth += 1
        if self._depth > self.limits.depth:
            raise CodecError(f"The message is nested more than {self.limits.depth} levels deep.")
        value = read(self)
        self._depth -= 1
        return value

    def values(self) -> list[Any]:
        """As many values as the count that comes first."""
        return [self.value() for _ in range(self.count())]

    def typed(self, kind: type) -> Any:
        """The next value, which must be exactly of this type."""
        value = self.value()
        if type(value) is not kind:
            raise CodecError(f"The message has a {type(value).__name__} where a {kind.__name__} belongs.")
        return value

    def hashed(self) -> list[Any]:
        """Values for a set, or keys of a dictionary: hashable, and without more equal hashes than chance gives."""
        keys = self.values()
        hashes = set(map(hash, keys))
        if len(keys) - len(hashes) > MAX_COLLISIONS:
            raise CodecError("The message has a dictionary or set whose keys were made to collide.")
        return keys

    def integers(self) -> list[int]:
        """As many bare whole numbers as the count that comes first."""
        number = self.count()
        found = self._row[self._place : self._place + number]
        if any(type(item) is not int for item in found):
            raise CodecError("The message has something else among whole numbers.")
        self._place += number
        return found

    def reference(self) -> Any:
        """What stands here for an object of the other side."""
        payload = self.value()
        if self._resolve is None:
            raise CodecError("The message refers to an object where only data belongs.")
        return self._resolve(payload)


def encode(value: Any, refer: Refer | None = None, limits: Limits = LIMITS) -> bytes:
    """`value` as a message.

    Args:
        refer: gives plain data that stands for an object that is no data, or None if there is no such thing.
        limits: what the message may hold.

    Raises:
        CodecError: if the value cannot be sent.
    """
    writer = Writer(refer, limits)
    try:
        writer.value(value)
        writer.check_size()
    except RecursionError:
        raise CodecError("Data nested too deeply cannot be sent.") from None
    packer = msgpack.Packer(autoreset=False)
    for scalar in writer.row:
        packer.pack(scalar)
    message: bytes = packer.bytes()
    if len(message) > limits.size:
        raise CodecError(f"Data of more than {limits.size} bytes cannot be sent.")
    return message


def decode(message: bytes, resolve: Resolve | None = None, limits: Limits = LIMITS) -> Any:
    """The value of a message; the inverse of `encode`.

    Args:
        resolve: makes a stand-in from what the other side's `refer` gave; without it a reference is an error.
        limits: as for `encode`.

    Raises:
        CodecError: if the bytes are not one whole message, for whatever reason.
    """
    if len(message) > limits.size:
        raise CodecError(f"The message has {len(message)} bytes; {limits.size} are permitted.")
    try:
        reader = Reader(_scalars(message, limits), resolve, limits)
        value = reader.value()
    except CodecError:
        raise
    except _UNREADABLE as error:
        raise CodecError(f"The message cannot be read: {type(error).__name__}.") from None
    if reader.left:
        raise CodecError("The message goes on behind its value.")
    return value


def _scalars(message: bytes, limits: Limits) -> list[Any]:
    """The row of scalars; a container among them is refused, so nothing is ever allocated on a promise of length."""
    unpacker = msgpack.Unpacker(
        raw=False,
        max_buffer_size=max(len(message), 1),
        max_array_len=0,
        max_map_len=0,
        max_ext_len=0,
    )
    unpacker.feed(message)
    row = []
    plain = (type(None), bool, int, float, str, bytes)
    try:
        for scalar in unpacker:
            if type(scalar) not in plain:
                raise CodecError("The message holds a container.")
            row.append(scalar)
            if len(row) > limits.scalars:
                raise CodecError(f"The message holds more than {limits.scalars} values.")
    except (msgpack.UnpackException, ValueError) as error:
        raise CodecError(f"The message is not msgpack: {type(error).__name__}.") from None
    if unpacker.tell() != len(message):
        raise CodecError("The message ends too early.")
    return row


def _write_items(tag: int) -> Callable[[Writer, Any], None]:
    def write(writer: Writer, items: Any) -> None:
        if tag == LIST and items and all(type(item) is int and -(2**63) <= item < 2**64 for item in items):
            writer.row += (INTS, len(items), *items)
            return
        writer.row += (tag, len(items))
        writer.values(items)

    return write


def _write_dict(writer: Writer, items: dict[Any, Any]) -> None:
    writer.row += (DICT, len(items))
    writer.values(items)
    writer.values(items.values())


def read_dict(reader: Reader) -> dict[Any, Any]:
    """The keys, then as many values."""
    keys = reader.hashed()
    items = {key: reader.value() for key in keys}
    return items


def _write_parts(tag: int, *names: str) -> Callable[[Writer, Any], None]:
    def write(writer: Writer, value: Any) -> None:
        writer.row.append(tag)
        writer.values(getattr(value, name) for name in names)

    return write


def _write_buffer(writer: Writer, value: bytearray) -> None:
    writer.row.append(BYTEARRAY)
    writer.bytes(bytes(value))


def _read_big(reader: Reader) -> int:
    data = reader.scalar(bytes)
    if len(data) > reader.limits.integer:
        raise CodecError(f"The message has a whole number of {len(data)} bytes.")
    return int.from_bytes(data, "little", signed=True)


WRITERS: dict[type, Callable[[Writer, Any], None]] = {
    complex: _write_parts(COMPLEX, "real", "imag"),
    list: _write_items(LIST),
    tuple: _write_items(TUPLE),
    dict: _write_dict,
    set: _write_items(SET),
    frozenset: _write_items(FROZENSET),
    range: _write_parts(RANGE, "start", "stop", "step"),
    slice: _write_parts(SLICE, "start", "stop", "step"),
    bytearray: _write_buffer,
    type(...): lambda writer, _: writer.row.append(ELLIPSIS),
}
READERS: dict[int, Callable[[Reader], Any]] = {
    BIG: _read_big,
    SURROGATES: lambda reader: reader.scalar(bytes).decode("utf-8", "surrogatepass"),
    COMPLEX: lambda reader: complex(reader.typed(float), reader.typed(float)),
    LIST: lambda reader: reader.values(),
    INTS: lambda reader: reader.integers(),
    TUPLE: lambda reader: tuple(reader.values()),
    DICT: read_dict,
    SET: lambda reader: set(reader.hashed()),
    FROZENSET: lambda reader: frozenset(reader.hashed()),
    RANGE: lambda reader: range(reader.typed(int), reader.typed(int), reader.typed(int)),
    SLICE: lambda reader: slice(reader.value(), reader.value(), reader.value()),
    BYTEARRAY: lambda reader: bytearray(reader.scalar(bytes)),
    ELLIPSIS: lambda _: ...,
    REFERENCE: lambda reader: reader.reference(),
}
#: Modules of this package that add types to the tables, by the library whose types they are; imported when it is there.
_LATE = {"numpy": "codec_numpy", "torch": "codec_torch", "pandas": "codec_pandas", "": "codec_standard"}
#: The first tag of each of these modules.
NUMPY, TORCH, PANDAS, STANDARD = 32, 48, 64, 80


def _late_writer(kind: type) -> Callable[[Writer, Any], None] | None:
    """The writer of a type whose library's module was not needed so far."""
    load_known()
    return WRITERS.get(kind)


def _late_reader(tag: int) -> Callable[[Reader], Any] | None:
    """The reader of a tag; the library that it belongs to is imported for it, one of the few named above."""
    first = {"numpy": NUMPY, "torch": TORCH, "pandas": PANDAS, "": STANDARD}
    _load(library for library in list(_LATE) if first[library] <= tag < first[library] + 16)
    return READERS.get(tag)


def load_known() -> None:
    """Learn the types of the libraries that have been imported, before they are needed."""
    _load(library for library in list(_LATE) if library in sys.modules or not library)


def _load(libraries: Iterable[str]) -> None:
    from importlib import import_module

    for library in libraries:
        import_module(f"autograder.judge.{_LATE.pop(library)}")

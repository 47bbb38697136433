"""Data types of the standard library: collections, dates, exact numbers, paths, and the names of built-in types."""

from __future__ import annotations

import builtins
import re
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from autograder.judge.codec import READERS, STANDARD, WRITERS, CodecError, Reader, Writer, read_dict

COUNTER, ORDERED, DEFAULT, DEQUE, DATE, DATETIME, TIME, DELTA, ZONE, REGION, DECIMAL, FRACTION, PATH, UUID_, TYPE = (
    range(STANDARD, STANDARD + 15)
)
#: Built-in types that may be values themselves: ``defaultdict(list)``, ``dtype=float``.
_NAMES = "bool int float complex str bytes bytearray list tuple dict set frozenset range slice object"
TYPES = {name: getattr(builtins, name) for name in _NAMES.split()}
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?([Ee][+-]?\d{1,9})?|Infinity|s?NaN\d*)")
_EXACT_BYTES = 4096


def _items(writer: Writer, tag: int, items: dict[Any, Any]) -> None:
    writer.row += (tag, len(items))
    writer.values(items)
    writer.values(items.values())


def _write_default(writer: Writer, items: defaultdict[Any, Any]) -> None:
    if items.default_factory is not None and items.default_factory not in TYPES.values():
        writer.refer(items)
        return
    writer.row.append(DEFAULT)
    writer.value(items.default_factory)
    writer.value(dict(items))


def _read_default(reader: Reader) -> defaultdict[Any, Any]:
    factory = reader.value()
    if factory is not None and type(factory) is not type:
        raise CodecError("The message has a defaultdict with an unknown factory.")
    return defaultdict(factory, reader.typed(dict))


def _write_deque(writer: Writer, items: deque[Any]) -> None:
    writer.row.append(DEQUE)
    writer.value(items.maxlen)
    writer.value(list(items))


def _read_deque(reader: Reader) -> deque[Any]:
    longest = reader.value()
    return deque(reader.typed(list), longest)


def _write_moment(tag: int) -> Any:
    def write(writer: Writer, moment: Any) -> None:
        writer.row.append(tag)
        writer.value(moment.replace(tzinfo=None).isoformat())
        writer.value(moment.tzinfo)
        writer.value(moment.fold)

    return write


def _read_moment(kind: Any) -> Any:
    def read(reader: Reader) -> Any:
        text, zone, fold = reader.typed(str), reader.value(), reader.typed(int)
        if not (zone is None or type(zone) in (timezone, ZoneInfo)):
            raise CodecError("The message has a time in something that is no time zone.")
        return kind.fromisoformat(text).replace(tzinfo=zone, fold=fold)

    return read


def _write_delta(writer: Writer, delta: timedelta) -> None:
    writer.row += (DELTA,)
    writer.values((delta.days, delta.seconds, delta.microseconds))


def _write_region(writer: Writer, zone: ZoneInfo) -> None:
    if zone.key is None:
        writer.refer(zone)
        return
    writer.row.append(REGION)
    writer.value(zone.key)


def _read_region(reader: Reader) -> ZoneInfo:
    key = reader.typed(str)
    if not re.fullmatch(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}", key):
        raise CodecError("The message has a time zone with no such name.")
    try:
        return ZoneInfo(key)
    except OSError:
        raise CodecError("The message has a time zone that is not known here.") from None


def _write_text(tag: int) -> Any:
    def write(writer: Writer, value: Any) -> None:
        writer.row.append(tag)
        writer.value(str(value))

    return write


def _read_decimal(reader: Reader) -> Decimal:
    text = reader.typed(str)
    if len(text) > _EXACT_BYTES or not _DECIMAL.fullmatch(text):
        raise CodecError("The message has a decimal number that is none.")
    return Decimal(text)


def _write_fraction(writer: Writer, number: Fraction) -> None:
    writer.row.append(FRACTION)
    writer.values((number.numerator, number.denominator))


def _read_fraction(reader: Reader) -> Fraction:
    over, under = reader.typed(int), reader.typed(int)
    if max(over.bit_length(), under.bit_length()) > 8 * _EXACT_BYTES:
        raise CodecError("The message has a fraction that is too long.")
    return Fraction(over, under)


def _write_path(writer: Writer, path: PurePosixPath) -> None:
    writer.row.append(PATH)
    writer.values((type(path) is PosixPath, str(path)))


def _read_path(reader: Reader) -> PurePosixPath:
    return (PosixPath if reader.scalar(bool) else PurePosixPath)(reader.typed(str))


def _write_type(writer: Writer, kind: type) -> None:
    if TYPES.get(kind.__name__) is not kind:
        writer.refer(kind)
        return
    writer.row.append(TYPE)
    writer.value(kind.__name__)


def _write_timezone(writer: Writer, zone: timezone) -> None:
    writer.row.append(ZONE)
    writer.value(zone.utcoffset(None))


def _read_timezone(reader: Reader) -> timezone:
    return timezone(reader.typed(timedelta))


def _read_counter(reader: Reader) -> Counter[Any]:
    counter: Counter[Any] = Counter()
    dict.update(counter, read_dict(reader))
    return counter


WRITERS.update(
    {
        Counter: lambda writer, items: _items(writer, COUNTER, items),
        OrderedDict: lambda writer, items: _items(writer, ORDERED, items),
        defaultdict: _write_default,
        deque: _write_deque,
        date: lambda writer, day: writer.row.extend((DATE, day.isoformat())),
        datetime: _write_moment(DATETIME),
        time: _write_moment(TIME),
        timedelta: _write_delta,
        timezone: _write_timezone,
        ZoneInfo: _write_region,
        Decimal: _write_text(DECIMAL),
        Fraction: _write_fraction,
        PosixPath: _write_path,
        PurePosixPath: _write_path,
        UUID: _write_text(UUID_),
        type: _write_type,
    }
)
READERS.update(
    {
        COUNTER: _read_counter,
        ORDERED: lambda reader: OrderedDict(read_dict(reader)),
        DEFAULT: _read_default,
        DEQUE: _read_deque,
        DATE: lambda reader: date.fromisoformat(reader.typed(str)),
        DATETIME: _read_moment(datetime),
        TIME: _read_moment(time),
        DELTA: lambda reader: timedelta(reader.typed(int), reader.typed(int), reader.typed(int)),
        ZONE: _read_timezone,
        REGION: _read_region,
        DECIMAL: _read_decimal,
        FRACTION: _read_fraction,
        PATH: _read_path,
        UUID_: lambda reader: UUID(reader.typed(str)),
        TYPE: lambda reader: TYPES[reader.typed(str)],
    }
)

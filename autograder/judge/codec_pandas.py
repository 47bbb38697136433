"""pandas' frames, series and indexes as data: column by column, each an array of numpy or a list of values.

Arrow's IPC format would do as well, but it hands a student's bytes to a parser written for trusted ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from autograder.judge.codec import PANDAS, READERS, WRITERS, CodecError, Reader, Writer

FRAME, SERIES, INDEX, RANGE, MULTI, STAMP, DELTA, MISSING, NOT_A_TIME, CATEGORY = range(PANDAS, PANDAS + 10)
#: Extension types whose values cross as a list; what else pandas knows crosses as a reference.
_NAMES = "str string Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64 boolean"
NAMED = {str(pd.Series([], dtype=name).dtype): name for name in _NAMES.split()}


def _write_values(writer: Writer, values: Any) -> None:
    """The values of a column or an index: kind, then what makes it up."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        writer.value("numpy")
        writer.value(np.asarray(values))
    elif isinstance(dtype, pd.CategoricalDtype):
        codes = values.cat.codes if isinstance(values, pd.Series) else values.codes
        writer.value("category")
        writer.values((np.asarray(codes), pd.Index(dtype.categories), bool(dtype.ordered)))
    elif isinstance(dtype, pd.DatetimeTZDtype):
        writer.value("zone")
        naive = values.dt.tz_convert(None) if isinstance(values, pd.Series) else values.tz_convert(None)
        writer.values((np.asarray(naive), str(dtype.tz)))
    elif str(dtype) in NAMED:
        writer.value(str(dtype))
        missing = np.asarray(pd.isna(values))
        writer.value([None if gone else _plain(item) for item, gone in zip(values, missing, strict=True)])
    else:
        raise CodecError(f"A column of {dtype} cannot be sent.")


def _plain(item: Any) -> Any:
    return item.item() if isinstance(item, np.generic) else item


def _read_values(reader: Reader) -> Any:
    kind = reader.typed(str)
    if kind == "numpy":
        return _column(reader)
    if kind == "category":
        codes, categories, ordered = _column(reader), reader.value(), reader.typed(bool)
        if codes.dtype.kind != "i" or not isinstance(categories, pd.Index):
            raise CodecError("The message has categories that are none.")
        return pd.Categorical.from_codes(codes, categories=categories, ordered=ordered)
    if kind == "zone":
        stamps, zone = _column(reader), reader.typed(str)
        return pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(zone)
    if kind in NAMED:
        return pd.array(reader.typed(list), dtype=NAMED[kind])
    raise CodecError("The message has a column of an unknown type.")


def _column(reader: Reader) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = reader.typed(np.ndarray)
    if array.ndim != 1:
        raise CodecError("The message has a column that is no column.")
    return array


def _write_index(writer: Writer, index: Any) -> None:
    writer.row.append(INDEX)
    writer.value(index.name)
    _write_values(writer, index)


def _read_index(reader: Reader) -> Any:
    name = reader.value()
    return pd.Index(_read_values(reader), name=name)


def _write_range(writer: Writer, index: pd.RangeIndex) -> None:
    writer.row.append(RANGE)
    writer.values((index.start, index.stop, index.step, index.name))


def _read_range(reader: Reader) -> pd.RangeIndex:
    start, stop, step = (reader.typed(int) for _ in range(3))
    return pd.RangeIndex(start, stop, step, name=reader.value())


def _write_multi(writer: Writer, index: pd.MultiIndex) -> None:
    writer.row.append(MULTI)
    writer.values((list(index.names), [np.asarray(codes) for codes in index.codes], list(index.levels)))


def _read_multi(reader: Reader) -> pd.MultiIndex:
    names, codes, levels = reader.typed(list), reader.typed(list), reader.typed(list)
    if not all(isinstance(level, pd.Index) for level in levels):
        raise CodecError("The message has an index without levels.")
    return pd.MultiIndex(levels=levels, codes=codes, names=names, verify_integrity=True)


def _write_series(writer: Writer, series: pd.Series[Any]) -> None:
    writer.row.append(SERIES)
    writer.values((series.name, series.index))
    _write_values(writer, series)


def _read_series(reader: Reader) -> pd.Series[Any]:
    name, index = reader.value(), _index(reader)
    values = _read_values(reader)
    if len(values) != len(index):
        raise CodecError("The message has a series that does not fit its index.")
    return pd.Series(values, index=index, name=name)


def _index(reader: Reader) -> Any:
    index = reader.value()
    if not isinstance(index, pd.Index):
        raise CodecError("The message has a table without an index.")
    if len(index) > 2**26:
        raise CodecError("The message has an index that is too long.")
    return index


def _write_frame(writer: Writer, frame: pd.DataFrame) -> None:
    writer.row.append(FRAME)
    writer.values((frame.columns, frame.index))
    for place in range(len(frame.columns)):
        _write_values(writer, frame.iloc[:, place])


def _read_frame(reader: Reader) -> pd.DataFrame:
    columns, index = _index(reader), _index(reader)
    if len(columns) > reader.left:
        raise CodecError("The message announces more columns than it holds.")
    made = [_read_values(reader) for _ in range(len(columns))]
    if any(len(values) != len(index) for values in made):
        raise CodecError("The message has a column that does not fit its index.")
    frame = pd.DataFrame(dict(enumerate(made)), index=index)
    frame.columns = columns
    return frame


def _moment(tag: int) -> Callable[[Writer, Any], None]:
    def write(writer: Writer, moment: Any) -> None:
        writer.row.append(tag)
        writer.values((moment.isoformat(), moment.unit, str(moment.tz) if getattr(moment, "tz", None) else None))

    return write


def _read_stamp(reader: Reader) -> Any:
    text, unit, zone = reader.typed(str), reader.typed(str), reader.value()
    stamp = pd.Timestamp(text)
    if zone is not None:
        stamp = stamp.tz_convert(zone if type(zone) is str else "UTC")
    return stamp.as_unit(unit)


def _read_delta(reader: Reader) -> Any:
    text, unit, _ = reader.typed(str), reader.typed(str), reader.value()
    return pd.Timedelta(text).as_unit(unit)


_WRITERS: dict[Any, Callable[[Writer, Any], None]] = {
    pd.DataFrame: _write_frame,
    pd.Series: _write_series,
    pd.RangeIndex: _write_range,
    pd.MultiIndex: _write_multi,
    pd.Timestamp: _moment(STAMP),
    pd.Timedelta: _moment(DELTA),
    type(pd.NA): lambda writer, _: writer.row.append(MISSING),
    type(pd.NaT): lambda writer, _: writer.row.append(NOT_A_TIME),
    **{kind: _write_index for kind in (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex)},
}
WRITERS.update(_WRITERS)
READERS.update(
    {
        FRAME: _read_frame,
        SERIES: _read_series,
        INDEX: _read_index,
        RANGE: _read_range,
        MULTI: _read_multi,
        STAMP: _read_stamp,
        DELTA: _read_delta,
        MISSING: lambda _: pd.NA,
        NOT_A_TIME: lambda _: pd.NaT,
    }
)

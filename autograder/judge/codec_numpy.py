"""numpy's arrays, scalars and dtypes as data. An array of objects crosses element by element."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from autograder.judge.codec import NUMPY, READERS, WRITERS, CodecError, Reader, Writer

ARRAY, OBJECTS, SCALAR, DTYPE, RECORD = range(NUMPY, NUMPY + 5)
_FORMAT = re.compile(r"[<>|][?biufcSUVmM]\d{1,9}(\[\d{0,9}[A-Za-zμ]{1,2}\])?")
_SCALARS = sorted({kind for kind in np.sctypeDict.values() if kind is not np.object_}, key=lambda kind: kind.__name__)


def _write_dtype(writer: Writer, dtype: np.dtype[Any]) -> None:
    """As its format, or for a structured one as names, offsets, titles, then formats and size."""
    if dtype.fields is not None:
        names = list(dtype.names or ())
        writer.value([[name, dtype.fields[name][1], (*dtype.fields[name], None)[2]] for name in names])
        for name in names:
            _write_dtype(writer, dtype.fields[name][0])
        writer.value(dtype.itemsize)
    elif dtype.subdtype is not None:
        writer.value(dtype.subdtype[1])
        _write_dtype(writer, dtype.subdtype[0])
    elif dtype.kind in "?biufcSUVmM" and _FORMAT.fullmatch(dtype.str):
        writer.value(dtype.str)
    else:
        raise CodecError(f"An array of {dtype} cannot be sent.")


def read_dtype(reader: Reader, depth: int = 0) -> np.dtype[Any]:
    """A dtype that holds numbers, texts, bytes or times, and never objects."""
    form = reader.value()
    if depth > 8:
        raise CodecError("The message has a dtype that is nested too deeply.")
    if type(form) is str and _FORMAT.fullmatch(form):
        return np.dtype(form)
    if type(form) is tuple:
        return np.dtype((read_dtype(reader, depth + 1), _shape(form)))
    if type(form) is list and all(type(item) is list and len(item) == 3 for item in form):
        formats = [read_dtype(reader, depth + 1) for _ in form]
        names, offsets, titles = ([item[part] for item in form] for part in range(3))
        size = reader.typed(int)
        if size > 2**24 or any(type(name) is not str for name in [*names, *filter(None, titles)]):
            raise CodecError("The message has a dtype of nothing known.")
        about: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
        if any(titles):
            about["titles"] = titles
        made: np.dtype[Any] = np.dtype(about)
        return made
    raise CodecError("The message has a dtype of nothing known.")


def _shape(numbers: Any) -> tuple[int, ...]:
    """A shape, checked."""
    if type(numbers) is not tuple or len(numbers) > 32 or any(type(n) is not int or n < 0 for n in numbers):
        raise CodecError("The message has an array with an impossible shape.")
    return numbers


def _write_array(writer: Writer, array: np.ndarray[Any, Any]) -> None:
    if array.dtype == object:
        writer.row.append(OBJECTS)
        writer.value(array.shape)
        writer.value(list(array.ravel()))
        return
    if array.dtype.hasobject or array.dtype.kind == "T":
        writer.refer(array)
        return
    writer.row.append(ARRAY)
    _write_dtype(writer, array.dtype)
    writer.value(array.shape)
    writer.value(bool(array.flags.f_contiguous and not array.flags.c_contiguous))
    writer.bytes(array.tobytes("A"))


def _read_array(reader: Reader) -> np.ndarray[Any, Any]:
    dtype = read_dtype(reader)
    shape = _shape(reader.value())
    fortran = reader.scalar(bool)
    return _array(dtype, shape, reader.scalar(bytes), "F" if fortran else "C")


def _array(dtype: np.dtype[Any], shape: tuple[int, ...], data: bytes, order: Any = "C") -> np.ndarray[Any, Any]:
    size = math.prod(shape)
    if size * dtype.itemsize != len(data) or size > 2**40 or (dtype.itemsize == 0 and size > 2**20):
        raise CodecError("The message has an array whose shape does not fit its bytes.")
    if 0 in shape:
        return np.empty(shape, dtype, order)
    array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, bytearray(data), order=order)
    _check(array)
    return array


def _check(array: np.ndarray[Any, Any]) -> None:
    """Make truth values 0 or 1, and refuse characters that do not exist: numpy believes the bytes."""
    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check(array[name])
    elif array.dtype.kind == "b":
        array[...] = array.view(np.uint8) != 0
    elif array.dtype.kind == "U" and array.dtype.itemsize:
        points = np.frombuffer(array.astype(array.dtype.newbyteorder("="), order="C").tobytes(), np.uint32)
        if points.size and points.max() > 0x10FFFF:
            raise CodecError("The message has an array with characters that do not exist.")


def _read_objects(reader: Reader) -> np.ndarray[Any, Any]:
    shape, items = _shape(reader.value()), reader.typed(list)
    if math.prod(shape) != len(items):
        raise CodecError("The message has an array whose shape does not fit its elements.")
    array = np.empty(len(items), object)
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(shape)


def _write_scalar(writer: Writer, scalar: np.generic) -> None:
    array = np.asarray(scalar)
    if array.dtype.hasobject:
        writer.refer(scalar)
        return
    writer.row.append(SCALAR)
    _write_dtype(writer, array.dtype)
    writer.bytes(array.tobytes())


def _read_scalar(reader: Reader) -> Any:
    dtype = read_dtype(reader)
    return _array(dtype, (), reader.scalar(bytes))[()]


def _write_dtype_value(writer: Writer, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject or dtype.kind == "T":
        writer.refer(dtype)
        return
    writer.row.append(DTYPE)
    _write_dtype(writer, dtype)


WRITERS[np.ndarray] = _write_array
WRITERS.update({kind: _write_scalar for kind in _SCALARS})
WRITERS.update({type(np.dtype(kind)): _write_dtype_value for kind in _SCALARS})
READERS.update({ARRAY: _read_array, OBJECTS: _read_objects, SCALAR: _read_scalar, DTYPE: read_dtype})

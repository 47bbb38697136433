"""Plain data crosses unchanged; anything else is refused with one kind of error."""

from __future__ import annotations

import enum
import math
import pickle
import struct
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.extra.numpy as hnp
import msgpack
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.judge.codec import CodecError, Limits, decode, encode

texts = st.text(st.characters(exclude_categories=[]), max_size=20)  # lone surrogates too
keys = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
scalars = keys | st.floats() | st.complex_numbers() | st.decimals() | st.fractions() | st.datetimes() | st.timedeltas()
data = st.recursive(
    scalars | st.builds(range, st.integers(), st.integers(), st.integers(1)) | st.builds(slice, scalars, scalars),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(keys, inner, max_size=5),
        st.dictionaries(keys, inner, max_size=5).map(OrderedDict),
        st.sets(keys, max_size=5),
        st.dictionaries(keys, st.integers(), max_size=5).map(Counter),
        st.lists(inner, max_size=5).map(deque),
    ),
    max_leaves=20,
)
arrays = hnp.arrays(
    hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes() | hnp.array_dtypes(max_size=3),
    hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
)


def _typed(value: Any) -> str:
    """A text for a member of a set that tells True from 1, whatever the order of sets inside."""
    return type(value).__name__ if isinstance(value, tuple | frozenset) else repr(value)


def same(a: Any, b: Any) -> bool:
    """Equal in type and value, all the way down; a number that is none equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, set | frozenset):
        return a == b and sorted(map(_typed, a)) == sorted(map(_typed, b))
    if isinstance(a, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    if isinstance(a, float):
        return (
            math.isnan(a) == math.isnan(b) and (a == b or math.isnan(a)) and math.copysign(1, a) == math.copysign(1, b)
        )
    return repr(a) == repr(b)


@given(data)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    assert same(decode(encode(value)), value)


@given(arrays)
def test_arrays_keep_dtype_shape_and_every_bit(array: np.ndarray[Any, Any]) -> None:
    back = decode(encode(array))
    assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == array.tobytes()
    assert back.flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        2**64, -(2**63) - 1, 2**500, bytearray(b"ab"), ..., defaultdict(list, {1: [2]}), deque([1, 2], 5), Path("a/b"),
        date(2027, 3, 21), time(9), timezone(timedelta(hours=5)), Decimal("-0.10"), Decimal("sNaN"), Fraction(-1, 3),
        datetime(2027, 3, 21, 9, tzinfo=ZoneInfo("Asia/Dushanbe")), datetime(2027, 1, 1, tzinfo=UTC), int, list,
        np.float32(1.5), np.datetime64("2027-03-21"), np.dtype("f4"), np.dtype([("a", "i4"), ("b", "f8", (2, 3))]),
        torch.Size([2, 3]), torch.bfloat16, torch.device("cpu"), pd.Timestamp("2027-03-21", tz="Asia/Dushanbe"),
        pd.Timedelta(5, "s"), pd.NA, pd.NaT,
    ],
    ids=repr,
)  # fmt: skip
def test_values_of_the_libraries_come_back(value: Any) -> None:
    back = decode(encode(value))
    assert type(back) is type(value) and repr(back) == repr(value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).reshape(2, 3).T, torch.tensor(5), torch.zeros(0, 2), torch.ones(2, dtype=torch.bfloat16),
        torch.tensor([True, False]), torch.ones(2, requires_grad=True), torch.nn.Parameter(torch.ones(2)),
        torch.ones(2, dtype=torch.complex64).conj(),
    ],
    ids=str,
)  # fmt: skip
def test_tensors_keep_dtype_values_and_the_wish_for_a_gradient(tensor: torch.Tensor) -> None:
    back = decode(encode(tensor))
    assert type(back) is type(tensor) and back.requires_grad == tensor.requires_grad and back.is_contiguous()
    assert back.dtype == tensor.dtype and torch.equal(back, tensor)


def test_frames_and_series_keep_index_names_and_types() -> None:
    frame = pd.DataFrame(
        {
            "number": [1, 2],
            "text": ["ҷ", None],
            "kind": pd.Categorical(["u", "v"]),
            "day": pd.to_datetime(["2027-01-01", "2027-01-02"]),
            "hour": pd.to_datetime(["2027-01-01", "2027-01-02"]).tz_localize("Asia/Dushanbe"),
            "gaps": pd.array([1, None], dtype="Int64"),
            "mixed": [1, "a"],
        },
        index=pd.Index(["p", "q"], name="field"),
    )
    pd.testing.assert_frame_equal(decode(encode(frame)), frame)
    pd.testing.assert_frame_equal(
        decode(encode(frame.set_index(["number", "text"]))), frame.set_index(["number", "text"])
    )
    pd.testing.assert_series_equal(decode(encode(frame["gaps"])), frame["gaps"])
    pd.testing.assert_frame_equal(decode(encode(frame[[]])), frame[[]])


def test_an_array_of_objects_crosses_element_by_element() -> None:
    array = np.array([1, "a", None, [2]], object)
    assert decode(encode(array)).tolist() == array.tolist()


class Colour(enum.IntEnum):
    RED = 1


Point = namedtuple("Point", "x y")


class Always(float):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = float.__hash__


@pytest.mark.parametrize(
    "thing",
    [Always(2), Colour.RED, Point(1, 2), len, object(), Always, np.ma.masked_array([1]), enum],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_no_exact_type_is_never_sent_as_data(thing: Any) -> None:
    with pytest.raises(CodecError):
        encode(thing)
    told = decode(encode([thing], lambda other: type(other).__name__), lambda payload: ("stand-in", payload))
    assert told == [("stand-in", type(thing).__name__)]


def test_a_stand_in_is_made_only_where_references_are_expected() -> None:
    message = encode([object()], lambda _: 7)
    with pytest.raises(CodecError, match="only data"):
        decode(message)


def test_what_holds_itself_is_refused() -> None:
    knot: list[Any] = []
    knot.append({"inside": knot})
    with pytest.raises(CodecError, match="holds itself"):
        encode(knot)


def test_the_same_list_twice_is_no_cycle() -> None:
    once = [1]
    assert decode(encode([once, once])) == [[1], [1]]


def test_limits_of_size_depth_and_number_hold_in_both_directions() -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    cases = [
        (b"x" * 1000, Limits(size=500)),
        ([b"x" * 100] * 10, Limits(size=500)),
        (["a"] * 1000, Limits(scalars=500)),
        (deep, Limits(depth=50)),
        (1 << 8000, Limits(integer=500)),
    ]
    for value, limits in cases:
        with pytest.raises(CodecError):
            encode(value, limits=limits)
        with pytest.raises(CodecError):
            decode(encode(value, limits=Limits(depth=500)), limits=limits)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_the_one_error(noise: bytes) -> None:
    with suppress(CodecError):
        decode(noise)


scalar_rows = st.lists(
    st.integers(0, 100) | st.none() | st.booleans() | st.integers().filter(lambda n: -(2**63) <= n < 2**64)
    | st.floats() | st.text(max_size=5) | st.binary(max_size=20)
    | st.sampled_from(["<f8", "|b1", "<U3", "|V0", "<M8[s]", "float32", "numpy", "str", "2027-01-01", "UTC"]),
    max_size=20,
)  # fmt: skip


@given(st.integers(0, 100), scalar_rows)
def test_rows_of_the_right_form_and_the_wrong_sense_raise_nothing_else(tag: int, row: list[Any]) -> None:
    with suppress(CodecError):
        decode(b"".join(map(msgpack.packb, [tag, *row])))


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])})


@given(
    data | arrays | st.sampled_from([torch.ones(2, 3), FRAME, FRAME["c"], pd.Timestamp("2027", tz="UTC")]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 10**6),
)
def test_messages_with_changed_bytes_raise_nothing_else(value: Any, changes: Any, cut: int) -> None:
    message = bytearray(encode(value))
    for place, byte in changes:
        message[place % len(message)] = byte
    for candidate in (bytes(message), bytes(message[: cut % len(message)])):
        with suppress(CodecError):
            decode(candidate)


@pytest.mark.parametrize(
    "message",
    [
        b"\xdd\xff\xff\xff\xff",  # an array of 2**32 elements
        b"\xdf\xff\xff\xff\xff" * 50,
        b"\xc6\xff\xff\xff\xff",  # as many bytes
        b"\x04\xce\xff\xff\xff\xff",  # a list of as many values
        b"\xdd\x00\x0f\xff\xff" * 500,
        b"".join(map(msgpack.packb, [32, "|V0", 5, 2, 0, 2**40, 0, 2**40, False, b""])),
        b"".join(map(msgpack.packb, [9, 0, 0, 2**62, 0, 0, 1])),
    ],
)
def test_a_short_message_costs_little_memory_whatever_it_promises(message: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode(message)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_keys_that_collide_are_refused_before_a_dictionary_is_built() -> None:
    prime = 2**61 - 1
    message = encode([number * prime for number in range(5000)])
    as_set = bytes([7]) + b"".join(map(msgpack.packb, [5000]))
    for number in range(5000):
        as_set += encode(number * prime)
    assert len(decode(message)) == 5000
    with pytest.raises(CodecError, match="collide"):
        decode(as_set)


def test_a_pickle_is_only_bytes(tmp_path: Path) -> None:
    class Makes:
        def __reduce__(self) -> Any:
            return Path.mkdir, (tmp_path / "ran",)

    pickled = pickle.dumps(Makes())
    with pytest.raises(CodecError):
        decode(pickled)
    assert decode(encode(pickled)) == pickled
    assert not (tmp_path / "ran").exists()


def test_truth_values_in_arrays_are_true_or_false_whatever_their_bytes() -> None:
    array = encode(np.array([True, False, True])).replace(b"\x01\x00\x01", b"\x02\x00\x03")
    assert decode(array).view("u1").tolist() == [1, 0, 1]
    tensor = encode(torch.tensor([True, False, True])).replace(b"\x01\x00\x01", b"\x02\x00\x03")
    assert decode(tensor).view(torch.uint8).tolist() == [1, 0, 1]


def test_characters_that_do_not_exist_are_refused() -> None:
    message = encode(np.array(["a"])).replace(struct.pack("<I", 97), struct.pack("<I", 0x110000))
    with pytest.raises(CodecError, match="characters"):
        decode(message)

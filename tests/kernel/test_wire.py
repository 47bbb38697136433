"""Messages arrive whole, with their files, or the end of the line is said."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.kernel import wire

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), plain, max_size=5))
def test_plain_data_crosses_unchanged(message):
    here, there = wire.pair()
    with here, there:
        wire.send(here, message)
        assert wire.receive(there) == (message, [])


def test_messages_keep_their_borders():
    here, there = wire.pair()
    with here, there:
        for number in range(3):
            wire.send(here, {"number": number})
        assert [wire.receive(there)[0]["number"] for _ in range(3)] == [0, 1, 2]


def test_open_files_cross_as_copies():
    here, there = wire.pair()
    reading, writing = os.pipe()
    with here, there:
        wire.send(here, {}, [writing])
        os.close(writing)
        _, (copy,) = wire.receive(there)
    assert not os.get_inheritable(copy)
    os.write(copy, b"through")
    os.close(copy)
    with os.fdopen(reading, "rb") as end:
        assert end.read() == b"through"


def test_what_is_too_large_is_refused():
    here, there = wire.pair()
    with here, there, pytest.raises(ValueError, match="bytes and 64 files at most"):
        wire.send(here, {"text": "x" * wire.LARGEST_MESSAGE})


def test_a_closed_line_is_an_end():
    here, there = wire.pair()
    here.close()
    with there, pytest.raises(EOFError):
        wire.receive(there)

"""Data that one process lends the other: both take its picture, and tell each other when it has changed."""

from __future__ import annotations

from typing import Any

from autograder.judge.codec import encode

#: Bytes up to which lent data is watched for changes, on either side; what is larger crosses once and stays.
LARGEST_LOAN = 2 * 2**20
#: The picture of data that is not watched.
UNWATCHED = b""


def picture(value: Any) -> bytes:
    """What differs whenever `value` does; objects that are no data are told apart by their identity.

    Raises:
        CodecError: if the data cannot cross.
    """
    return encode(value, lambda other: ("id", id(other)))


def first_picture(value: Any) -> bytes:
    """The picture of data that is lent now, or `UNWATCHED` if it is too large.

    Raises:
        CodecError: if the data cannot cross.
    """
    taken = picture(value)
    return taken if len(taken) <= LARGEST_LOAN else UNWATCHED

"""``python -m attacks.fuzz_codec SECONDS``: messages that a hostile process may send, led by the coverage of the codec.

Whatever the bytes, decoding gives plain data that can be sent on, or raises `CodecError`, within the time and
the memory below. A message that does anything else is written to the folder it names, and becomes a test.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import atheris
import numpy as np
import pandas as pd
import torch

with atheris.instrument_imports(include=["autograder.judge"]):
    from autograder.judge import codec, codec_numpy, codec_pandas, codec_standard, codec_torch  # noqa: F401

#: Bytes of a message, seconds for one, MiB of the whole process, of which the libraries take some 500.
LONGEST, SLOWEST, MEMORY = 4096, 30, 1500
SECONDS = 60

#: Something of every kind, to start from.
SEEDS = (
    [None, True, 1.5, "ҷӯй", b"bytes", -1, 2**70, "\ud800", 2j, ...],
    {"a": (1, 2), 3: {4, 5}, frozenset({6}): range(3), "s": slice(1, None), "b": bytearray(b"x")},
    [Decimal("1.5"), Fraction(1, 3), datetime(2027, 3, 21, tzinfo=UTC), timedelta(1), Path("a/b"), int],
    np.arange(6, dtype="<f8").reshape(2, 3),
    np.array([("a", 1)], dtype=[("name", "U3"), ("number", "<i4")]),
    [np.float32(1), np.datetime64("2027-03-21"), np.array([1, "a", None], object), np.dtype("f4")],
    [torch.ones(2, 2, requires_grad=True), torch.tensor([True]), torch.bfloat16, torch.Size([2])],
    pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])}),
    [pd.Series([1, None], dtype="Int64"), pd.Timestamp("2027-03-21", tz="Asia/Dushanbe"), pd.NA],
    [object(), {"f": object()}],
)


def try_message(message: bytes) -> None:
    """Decode a message; what comes out can be sent on, and is understood again."""
    try:
        value = codec.decode(message, lambda payload: payload)
        again = codec.encode(value)
    except codec.CodecError:
        return
    codec.decode(again)


def main(seconds: str = str(SECONDS)) -> None:
    """Fuzz for so many seconds; the process ends with another exit code than 0 if something is found."""
    found = Path(tempfile.mkdtemp(prefix="ustod-fuzz-"))
    seeds = found / "seeds"
    seeds.mkdir()
    for number, value in enumerate(SEEDS):
        (seeds / str(number)).write_bytes(codec.encode(value, lambda other: type(other).__name__))
    limits = [f"-max_len={LONGEST}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}", f"-max_total_time={seconds}"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={found}/", "-print_final_stats=1", str(seeds)], try_message)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What is printed while a check runs."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from autograder.student.silence import silence


def test_is_seen_nowhere_and_what_comes_after_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    kept = sys.stderr
    print("before")
    with silence():
        print("print")
        kept.write("kept")
        os.write(2, b"descriptor")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    print("after")
    kept.write("kept after")
    assert capfd.readouterr() == ("before\nafter\n", "kept after")


def test_ends_with_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), silence():
        raise ValueError
    print("after")
    assert capfd.readouterr().out == "after\n"


@pytest.mark.parametrize("stream", [None, io.StringIO(), object()])
def test_works_with_streams_of_every_kind(monkeypatch: pytest.MonkeyPatch, stream: object) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with silence():
        print("nothing", file=sys.stderr)
    assert sys.stderr is stream


def test_gives_a_stream_that_others_had_changed_back_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(io.StringIO):
        pass

    stream, theirs = Stream(), len
    stream.write = theirs  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    with silence():
        pass
    assert stream.write is theirs


def test_works_without_descriptors() -> None:
    program = (
        "import os; from autograder.student.silence import silence\nos.close(2)\nwith silence(): pass\nprint('done')"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "done\n"

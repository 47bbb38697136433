"""Throw away what is printed, however it is printed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any


@contextmanager
def silence() -> Iterator[None]:
    """Nothing written in the body is seen: by print, by a logger that kept the stream it was made with, by C++.

    nbgrader takes the points of a test cell that wrote to stderr, and a learner must not lose them to a warning.
    """
    with ExitStack() as stack:
        for stream in {id(stream): stream for stream in (sys.stdout, sys.stderr)}.values():
            stack.enter_context(_deaf(stream))
        for number in (1, 2):
            stack.enter_context(_closed(number))
        stack.enter_context(redirect_stdout(io.StringIO()))
        stack.enter_context(redirect_stderr(io.StringIO()))
        yield


@contextmanager
def _deaf(stream: Any) -> Iterator[None]:
    """Whoever holds `stream` writes into nothing."""
    with suppress(AttributeError, OSError, ValueError):
        stream.flush()
    try:
        before = vars(stream).get("write")
        stream.write = len
    except (AttributeError, TypeError):  # a stream that cannot be changed, or none at all
        yield
        return
    try:
        yield
    finally:
        if before is None:
            del stream.write
        else:
            stream.write = before


@contextmanager
def _closed(number: int) -> Iterator[None]:
    """The file descriptor `number` leads nowhere."""
    try:
        kept = os.dup(number)
    except OSError:  # there is no such descriptor, as in a program without a console
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)

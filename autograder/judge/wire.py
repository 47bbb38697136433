"""Frames over a socket: a length of four bytes, then as many bytes. Every wait has an end."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LENGTH = struct.Struct("!I")
_CHUNK = 2**18


class Misbehaved(Exception):
    """The process with the student's code ended, fell silent, or did not keep to the protocol."""


class Overdue(Misbehaved):
    """It did not answer in time."""


class Channel:
    """One end of a conversation.

    Args:
        end: a connected stream socket; the channel owns it from now on.
        size: bytes that one frame may have in either direction.
    """

    def __init__(self, end: socket.socket, size: int = 256 * 2**20) -> None:
        self._end, self._size = end, size
        self._arrived, self._unsent = bytearray(), bytearray()
        end.setblocking(False)
        self._poll_in, self._poll_out = select.poll(), select.poll()
        self._poll_in.register(end, select.POLLIN)
        self._poll_out.register(end, select.POLLOUT)

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        """Send one frame before `deadline`, a `time.monotonic()`; None waits for ever.

        Where a wait is broken off, by a signal too, the rest is sent first the next time.

        Raises:
            Misbehaved: if the other end is gone or takes nothing in.
        """
        self._unsent += _LENGTH.pack(len(frame)) + frame
        while self._unsent:
            try:
                del self._unsent[: self._end.send(self._unsent[:_CHUNK])]
            except BlockingIOError:
                self._wait(self._poll_out, deadline)
            except OSError:
                raise Misbehaved("The student's process has ended.") from None

    def receive(self, deadline: float | None = None) -> bytes:
        """The next frame, whole before `deadline`. What has arrived of a frame is kept for the next time.

        Raises:
            Misbehaved: if the other end is gone, announces more than may be, or is too slow.
        """
        self._fill(_LENGTH.size, deadline)
        (length,) = _LENGTH.unpack_from(self._arrived)
        if length > self._size:
            raise Misbehaved(f"The student's process announced a message of {length} bytes.")
        end = _LENGTH.size + length
        self._fill(end, deadline)
        frame = bytes(self._arrived[_LENGTH.size : end])
        del self._arrived[:end]
        return frame

    def close(self) -> None:
        """Close this end."""
        self._end.close()

    @contextmanager
    def closing(self) -> Iterator[Channel]:
        """Close it at the end of a block."""
        try:
            yield self
        finally:
            self.close()

    def _fill(self, length: int, deadline: float | None) -> None:
        while len(self._arrived) < length:
            if deadline is not None and time.monotonic() > deadline:
                raise Overdue("The student's process took too long to answer.")
            try:
                part = self._end.recv(min(length - len(self._arrived), _CHUNK))
            except BlockingIOError:
                self._wait(self._poll_in, deadline)
                continue
            except OSError:
                part = b""
            if not part:
                raise Misbehaved("The student's process has ended.")
            self._arrived += part

    @staticmethod
    def _wait(poll: select.poll, deadline: float | None) -> None:
        left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
        if not poll.poll(left):
            raise Overdue("The student's process took too long to answer.")

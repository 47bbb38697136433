"""Messages between the host and the zygote: plain dictionaries with open files attached."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence
from typing import Any

import msgpack

#: Both ends are trusted; the size only has to hold a path or two and a few arguments.
LARGEST_MESSAGE = 128 << 10
MOST_FDS = 64


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends that keep the borders between messages."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send a message and copies of `fds`.

    Raises:
        ValueError: if the message is too large.
        OSError: if the other end is closed.
    """
    data = msgpack.packb(message)
    if len(data) > LARGEST_MESSAGE or len(fds) > MOST_FDS:
        raise ValueError(f"a message to the zygote holds {LARGEST_MESSAGE} bytes and {MOST_FDS} files at most")
    end.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def receive(end: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Wait for a message; it comes with open files that the caller now owns.

    Raises:
        EOFError: if the other end is closed.
    """
    space = socket.CMSG_SPACE(MOST_FDS * array.array("i").itemsize)
    try:
        data, ancillary, _, _ = end.recvmsg(LARGEST_MESSAGE, space, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError as error:
        raise EOFError(str(error)) from error
    fds = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if not data:
        for fd in fds:
            os.close(fd)
        raise EOFError("the other end is closed")
    return msgpack.unpackb(data), list(fds)

"""Sending files: ranges, unchanged copies, and bytes that the kernel carries from the disk to the network by itself."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tornado.web import RequestHandler

#: Smaller answers go the usual way, over a connection that stays open.
SMALL = 256 << 10
#: Bytes that a client must take within PATIENCE seconds, or it is let go: 1.5 kB a second.
STEP, PATIENCE = 512 << 10, 350
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*")


@dataclass(frozen=True)
class Part:
    """Bytes of a file, from `start` on."""

    start: int
    length: int


class NoSuchPart(Exception):
    """The file has no such bytes."""


def part_of(header: str | None, size: int) -> Part | None:
    """Which part of a file of `size` bytes the value of a header Range asks for; None for all of it.

    Several parts at once, and what is no range, are answered with the whole file, as HTTP allows.

    Raises:
        NoSuchPart: if it has none of these bytes.
    """
    match = _RANGE.fullmatch(header or "")
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        wanted = min(int(match[2][:20]), size)
        if not wanted:
            raise NoSuchPart
        return Part(size - wanted, wanted)
    start = int(match[1][:20])
    end = min(int(match[2][:20]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2][:20]) < start:
        return None
    if start >= size:
        raise NoSuchPart
    return Part(start, end - start + 1)


async def send_file(handler: RequestHandler, path: Path, etag: str, size: int) -> None:
    """Answer a GET or a HEAD with the file `path`, which has `size` bytes and is called `etag`."""
    quoted = f'"{etag}"'
    handler.set_header("ETag", quoted)
    handler.set_header("Accept-Ranges", "bytes")
    request = handler.request
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if quoted in known or "*" in known:
        handler.set_status(304)
        await handler.finish()
        return
    part: Part | None = None
    if request.headers.get("If-Range", quoted) == quoted:
        try:
            part = part_of(request.headers.get("Range"), size)
        except NoSuchPart:
            handler.set_status(416)
            handler.set_header("Content-Range", f"bytes */{size}")
            await handler.finish()
            return
    if part is not None:
        handler.set_status(206)
        handler.set_header("Content-Range", f"bytes {part.start}-{part.start + part.length - 1}/{size}")
    part = part or Part(0, size)
    handler.set_header("Content-Length", str(part.length))
    if request.method == "HEAD":
        await handler.finish()
        return
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(None, path.open, "rb")
    with file:
        if os.fstat(file.fileno()).st_size != size:
            raise OSError(f"{path} has not the {size} bytes that it had")
        if part.length <= SMALL:
            file.seek(part.start)
            await handler.finish(await loop.run_in_executor(None, file.read, part.length))
            return
        handler.set_header("Connection", "close")
        await handler.flush()
        stream = handler.detach()
        with socket.socket(fileno=os.dup(stream.socket.fileno())) as connection:
            stream.close()  # the copy keeps the connection open
            connection.setblocking(False)
            await _send_by_kernel(connection, file, part)


async def _send_by_kernel(connection: socket.socket, file: IO[bytes], part: Part) -> None:
    loop, position, end = asyncio.get_running_loop(), part.start, part.start + part.length
    try:
        while position < end:
            step = loop.sock_sendfile(connection, file, position, min(STEP, end - position))
            sent = await asyncio.wait_for(step, PATIENCE)
            if not sent:
                break
            position += sent
        connection.shutdown(socket.SHUT_WR)
    except (OSError, TimeoutError):
        pass  # the client is gone, or as good as gone; it will ask for the rest

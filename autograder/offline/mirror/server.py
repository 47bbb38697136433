"""The hub as a program: one process a core, which answer on one port."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from autograder.errors import UstodError
from autograder.offline.mirror import chunked_writing, large_writing, pages, reading, writing
from autograder.offline.mirror.handling import Nothing, Service

log = logging.getLogger("ustod.mirror")

#: Seconds for the head of a request, and for its body, which gets more by its size at this many bytes a second.
HEAD, BODY, SLOWEST = 30, 60, 1500
#: Bytes of a body that is kept in memory; larger ones go to the disk as they come.
LONGEST_BODY = 4 << 20
PIECE = 256 << 10
#: Seconds between two looks for what is no longer needed.
CLEANING = 6 * 3600
#: Seconds for what is under way when the hub is asked to end.
GRACE = 10


def application(service: Service) -> web.Application:
    """The web application."""
    routes = [*writing.ROUTES, *large_writing.ROUTES, *chunked_writing.ROUTES, *reading.ROUTES, *pages.ROUTES]
    handlers = [(route, handler, {"service": service}) for route, handler in routes]
    return web.Application(
        handlers, default_handler_class=Nothing, default_handler_args={"service": service}, log_function=_note
    )


def _note(handler: web.RequestHandler) -> None:
    """Answers that went wrong are told; the others would fill the disk."""
    if handler.get_status() >= 500:
        log.error("%d %s %s", handler.get_status(), handler.request.method, handler.request.path)


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that hear what is sent to `host`.

    Raises:
        UstodError: if another program has the port, or the machine no such address.
    """
    try:
        return bind_sockets(port, host, family=socket.AF_INET if "." in host else socket.AF_UNSPEC, backlog=1024)
    except OSError as error:
        raise UstodError(
            f"The hub cannot answer on port {port} of {host} ({error.strerror}): choose another with --port or --host."
        ) from None


async def serve(service: Service, sockets: list[socket.socket], behind_proxy: bool = False) -> None:
    """Answer until SIGTERM or SIGINT comes, then finish what is under way."""
    server = HTTPServer(
        application(service),
        xheaders=behind_proxy,
        max_body_size=LONGEST_BODY,
        chunk_size=PIECE,
        max_buffer_size=LONGEST_BODY + PIECE,
        idle_connection_timeout=HEAD,
        body_timeout=BODY,
    )
    server.add_sockets(sockets)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    housekeeping = loop.create_task(_keep_clean(service))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    await end.wait()
    server.stop()
    housekeeping.cancel()
    with suppress(TimeoutError):
        await asyncio.wait_for(server.close_all_connections(), GRACE)


async def _keep_clean(service: Service) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(CLEANING)
        try:
            await loop.run_in_executor(service.threads, service.store.clean)
        except OSError:
            log.exception("What is no longer needed could not be removed")


def raise_limits() -> None:
    """As many open files as the system allows: each download needs two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run(make: Callable[[], Service], sockets: list[socket.socket], processes: int, behind_proxy: bool = False) -> int:
    """Answer on `sockets` with so many processes until a signal ends it; returns the exit code.

    A process that dies is replaced. When this one dies, the others end by themselves.
    """
    raise_limits()
    if processes == 1:
        asyncio.run(serve(make(), sockets, behind_proxy))
        return 0
    alive, ours = os.pipe()
    children: dict[int, float] = {}
    ending = False

    def start() -> None:
        child = os.fork()
        if child:
            children[child] = time.monotonic()
            return
        code = 1
        try:
            os.close(ours)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            code = _child(make, sockets, behind_proxy, alive)
        except BaseException:
            log.exception("A process of the hub failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def end(number: int, frame: Any) -> None:
        nonlocal ending
        ending = True
        for child in children:
            os.kill(child, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    for _ in range(processes):
        start()
    while children:
        child, status = os.wait()
        began = children.pop(child, None)
        if began is None or ending:
            continue
        log.error("A process of the hub ended (%d); another takes its place", os.waitstatus_to_exitcode(status))
        if time.monotonic() - began < 1:
            time.sleep(1)  # it may fail at once, again and again
        start()
    return 0


def _child(make: Callable[[], Service], sockets: list[socket.socket], behind_proxy: bool, alive: int) -> int:
    async def answer() -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(alive, lambda: os._exit(1))  # the parent is gone
        await serve(make(), sockets, behind_proxy)

    asyncio.run(answer())
    return 0

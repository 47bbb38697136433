"""A child that is a Jupyter kernel: ipykernel on sockets that the host has bound.

The host binds, so no folder has to be shared between the host and learners' code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import zmq
from ipykernel import ipkernel
from ipykernel.heartbeat import Heartbeat
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config

from autograder.kernel.limits import MIB
from autograder.kernel.provisioner import CHANNELS

#: Kinds of messages that carry what a learner's code puts out.
OUTPUTS = (b'"stream"', b'"display_data"', b'"update_display_data"', b'"execute_result"')


def serve(*given: Any) -> int:
    """Be a kernel until it is told to shut down.

    Args:
        given: the listening sockets of `CHANNELS`, then the connection's key, its signature scheme, environment
            variables to set, and the bytes of output after which there is no more.
    """
    listeners, (key, scheme, variables, output) = given[: len(CHANNELS)], given[len(CHANNELS) :]
    os.environ.update(variables)
    app: Any = _App.instance(listeners=dict(enumerate(listeners, 1)), config=_settings())
    app.session.key = key.encode()
    app.session.signature_scheme = scheme
    app.initialize([])
    _end_output_after(app.iopub_thread, output)
    app.start()
    return 0


def _settings() -> Config:
    config = Config()
    config.HistoryManager.enabled = False
    config.IPKernelApp.transport = "ipc"
    config.IPKernelApp.ip = "/bound-by-the-host"
    for port, channel in enumerate(CHANNELS, 1):
        config.IPKernelApp[f"{channel}_port"] = port
    return config


def _bind(socket: zmq.Socket[bytes], listener: int) -> None:
    socket.setsockopt(zmq.USE_FD, listener)
    socket.bind(f"ipc:///bound-by-the-host-{listener}")


class _Heartbeat(Heartbeat):
    listener = -1

    def _try_bind_socket(self) -> None:
        _bind(self.socket, self.listener)


class _App(IPKernelApp):
    """A kernel whose ports are numbers of listening sockets; it writes no connection file."""

    def __init__(self, listeners: dict[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._listeners = listeners

    def _try_bind_socket(self, socket: zmq.Socket[bytes], port: int) -> int:
        _bind(socket, self._listeners[port])
        return port

    def init_heartbeat(self) -> None:
        make: Any = _Heartbeat
        self.heartbeat = heartbeat = make(zmq.Context(), (self.transport, self.ip, self.hb_port))
        heartbeat.listener = self._listeners[self.hb_port]
        heartbeat.start()

    def init_connection_file(self) -> None:
        pass

    def write_connection_file(self, **kwargs: Any) -> None:
        pass

    def init_crash_handler(self) -> None:
        pass

    def init_kernel(self) -> None:
        with few_modules():
            super().init_kernel()  # type: ignore[no-untyped-call]


@contextmanager
def few_modules() -> Iterator[None]:
    """Let ipykernel see no modules while it lists them for its debugger.

    To touch thousands of modules is to copy what was shared with the zygote: some 14 MiB in every child.
    """
    names: Any = ipkernel
    names.sys = SimpleNamespace(**{**vars(sys), "modules": {}})
    try:
        yield
    finally:
        names.sys = sys


def _end_output_after(thread: Any, most: int) -> None:
    """Let no more outputs through once `most` bytes of them have been sent; a sentence stands in their place.

    This spares the memory of whoever listens from honest mistakes. It is no wall: learners' code shares the process.
    """
    socket = thread.socket
    left = most
    send = socket.send_multipart

    def send_or_drop(parts: list[Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        header = bytes(parts[3]) if len(parts) > 3 else b""
        if not any(kind in header for kind in OUTPUTS):
            return send(parts, *args, **kwargs)
        if left < 0:
            return None
        left -= sum(len(part) for part in parts)
        if left < 0:
            text = f"\nYour code printed more than {most / MIB:.0f} MiB; what follows is not shown.\n"
            session = thread.session
            message = session.msg("stream", {"name": "stdout", "text": text}, parent=session.unpack(bytes(parts[4])))
            parts = session.serialize(message, ident=bytes(parts[0]))
        return send(parts, *args, **kwargs)

    socket.send_multipart = send_or_drop

"""From the fork to a student's notebook: a child of the daemon becomes a user, reads the order, and is a kernel."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ipykernel.kernelapp import IPKernelApp

from autograder.hub.warm import child, environment
from autograder.hub.warm.account import account, become, groups_of
from autograder.hub.warm.peer import NotServed, Peer
from autograder.kernel import wire
from autograder.kernel.child import close_all_but, reseed
from autograder.kernel.ipython import few_modules

#: Seconds in which an order must have been read.
PATIENCE = 10

#: What `ps` shows: the command line is that of the daemon.
NAME = "ustod-kernel"


def run(line: socket.socket, prefixes: Sequence[str], copies: Sequence[environment.Copy]) -> NoReturn:
    """Serve the one order of the client at the other end of `line`, whom Linux names, and end.

    Args:
        prefixes: how the names of accounts begin that get kernels; none for any ordinary user.
        copies: see `environment.find_copies`.
    """
    signal.alarm(PATIENCE)
    line.setblocking(True)
    try:
        peer = _become_client(line, prefixes)
    except (NotServed, OSError) as error:
        child.refuse(line, error)
    # From here on this is the user's process.
    try:
        order, files = wire.receive(line)
        arguments = _prepare(order, files, copies)
    except Exception as error:  # whatever can be wrong with what somebody made up
        child.refuse(line, error)
    close_all_but([line.fileno(), peer.pidfd])
    child.start(line)
    signal.alarm(0)
    child.run(lambda: _serve(arguments, peer.pidfd))


def _become_client(line: socket.socket, prefixes: Sequence[str]) -> Peer:
    peer = Peer.of(line)
    owner = account(peer.uid, prefixes)
    groups = groups_of(owner)  # all that asks files of the system comes before the client's namespaces
    Path("/proc/self/comm").write_text(NAME)
    peer.hand_down()
    become(owner, groups)
    return peer


def _prepare(order: dict[str, Any], files: list[int], copies: Sequence[environment.Copy]) -> list[str]:
    """Be as the order says, with the user's rights; the order may say anything. Returns the kernel's arguments."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard, fd in enumerate([nothing, *files[:2], nothing, nothing][:3]):
        os.dup2(fd, standard)
    os.chdir(str(order["cwd"]))
    environment.take_over({str(name): str(text) for name, text in order["env"].items()}, copies)
    return [str(argument) for argument in order["argv"]]


class KernelApp(IPKernelApp):
    """A kernel that ends with the server that asked for it; the parent that others watch is the daemon here."""

    server = -1

    def init_poller(self) -> None:
        self.poller = threading.Thread(target=self._end_with_server, name="server-watch", daemon=True)

    def _end_with_server(self) -> None:
        poll = select.poll()
        poll.register(self.server, select.POLLIN)
        while not poll.poll():
            pass
        os._exit(1)

    def init_kernel(self) -> None:
        with few_modules():
            super().init_kernel()  # type: ignore[no-untyped-call]


def _serve(arguments: list[str], server: int) -> None:
    reseed()
    gc.enable()
    sys.argv = ["ipykernel_launcher", *arguments]
    app: Any = KernelApp.instance()
    app.server = server
    app.parent_handle = os.getppid()  # it has one, and need not tell how to end it
    app.initialize(arguments)
    if "ipywidgets" in sys.modules:  # it does this when it is imported, if there is a kernel by then
        sys.modules["ipywidgets"].register_comm_target()
    app.start()

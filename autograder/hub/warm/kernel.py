"""From the fork to a student's notebook: a child of the daemon becomes a user, reads the order, and is a kernel."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ipykernel.kernelapp import IPKernelApp

from autograder.hub.warm import environment
from autograder.hub.warm.account import account, become, groups_of
from autograder.hub.warm.peer import NotServed, Peer
from autograder.kernel import linux, wire
from autograder.kernel.child import close_all_but, reseed
from autograder.kernel.ipython import few_modules

#: Seconds in which an order must have been read.
PATIENCE = 10

#: What `ps` shows: the command line is that of the daemon.
NAME = "ustod-kernel"

#: See `environment.find_copies`; set by the daemon before its first fork.
copies: list[environment.Copy] = []


def run(line: socket.socket, prefixes: Sequence[str]) -> NoReturn:
    """Serve the one order of the client at the other end of `line`, whom Linux names, and end."""
    signal.alarm(PATIENCE)
    line.setblocking(True)
    try:
        peer = _become_client(line, prefixes)
    except (NotServed, OSError) as error:
        _end_refused(line, error)
    # From here on this is the user's process.
    try:
        order, files = wire.receive(line)
        arguments = _prepare(order, files)
    except Exception as error:  # whatever can be wrong with what somebody made up
        _end_refused(line, error)
    close_all_but([line.fileno(), peer.pidfd])
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # nothing is left that is not the user's: let them debug it
    myself = os.pidfd_open(os.getpid())
    with contextlib.suppress(OSError):  # then its server has ended, which will be noticed
        wire.send(line, {"say": "started", "pid": os.getpid()}, [myself])
    os.close(myself)
    line.close()
    signal.alarm(0)
    _end(_serve(arguments, peer.pidfd))


def _become_client(line: socket.socket, prefixes: Sequence[str]) -> Peer:
    peer = Peer.of(line)
    owner = account(peer.uid, prefixes)
    groups = groups_of(owner)  # all that asks files of the system comes before the client's namespaces
    Path("/proc/self/comm").write_text(NAME)
    peer.hand_down()
    become(owner, groups)
    return peer


def _prepare(order: dict[str, Any], files: list[int]) -> list[str]:
    """Be as the order says, with the user's rights; the order may say anything. Returns the kernel's arguments."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard, fd in enumerate([nothing, *files[:2], nothing, nothing][:3]):
        os.dup2(fd, standard)
    os.chdir(str(order["cwd"]))
    environment.take_over({str(name): str(text) for name, text in order["env"].items()}, copies)
    return [str(argument) for argument in order["argv"]]


def _end_refused(line: socket.socket, error: Exception) -> NoReturn:
    with contextlib.suppress(OSError):
        wire.send(line, {"say": "refused", "why": f"{error}"[:500]})
    os._exit(1)


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


def _serve(arguments: list[str], server: int) -> int:
    code = 1
    try:
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
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    return code


def _end(code: int) -> NoReturn:
    """End as Python does, but without going back through the frames of the daemon."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code & 0xFF)

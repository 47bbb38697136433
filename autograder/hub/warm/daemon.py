"""The process that all warm kernels, or all warm servers, of a lab are forked from.

It is root's, has one thread, and reads nothing: whoever connects is named by Linux, and a child is forked at once,
which reads the order. What the child is, a `Service` says.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from autograder.errors import UstodError
from autograder.hub.warm.peer import NotServed, owner
from autograder.kernel import wire
from autograder.kernel.child import close_all_but, reset_signals

#: Connections that wait their turn; more wait in connect(2).
BACKLOG = 256


class Service(Protocol):
    """What is forked, and for whom."""

    def admit(self, uid: int, children: int) -> None:
        """Raises NotServed if the user `uid`, who has so many children at work, gets no other one now."""

    def run(self, line: socket.socket) -> NoReturn:
        """In the child, which is root's still: serve the one order of the client at the other end of `line`."""


@dataclass(frozen=True)
class _Child:
    uid: int
    line: socket.socket


class Daemon:
    """Forks children until it is told to end (SIGTERM), and tells each client how its child ended.

    Args:
        listener: a listening socket, see `listen`.
        service: what the children are.
    """

    def __init__(self, listener: socket.socket, service: Service) -> None:
        self._listener = listener
        self._service = service
        self._children: dict[int, _Child] = {}
        self._lines: dict[int, _Child] = {}
        self._over = False

    def serve(self) -> None:
        """Serve until SIGTERM. The children go on."""
        bell, knocker = socket.socketpair()
        bell.setblocking(False)
        knocker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._end)
        signal.set_wakeup_fd(knocker.fileno(), warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)
        self._poll.register(bell, select.POLLIN)
        while not self._over:
            for fd, _ in self._poll.poll():
                if fd == bell.fileno():
                    with contextlib.suppress(BlockingIOError):
                        bell.recv(4096)
                    self._reap()
                elif fd == self._listener.fileno():
                    self._accept()
                elif fd in self._lines:  # only its end is waited for: what is said there is the child's to read
                    self._forget(self._lines[fd])

    def _end(self, number: int, frame: object) -> None:
        self._over = True

    def _accept(self) -> None:
        try:
            line, _ = self._listener.accept()
        except OSError:  # it went away again, or there are too many open files, of which some will be closed
            time.sleep(0.01)
            return
        line.setblocking(False)
        try:
            uid, _ = owner(line)
            self._service.admit(uid, sum(child.uid == uid for child in self._children.values()))
            self._fork(uid, line)
        except (NotServed, OSError) as error:
            _refuse(line, error)

    def _fork(self, uid: int, line: socket.socket) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _be_child(line, self._service)
        child = self._children[pid] = _Child(uid, line)
        self._lines[line.fileno()] = child
        self._poll.register(line, 0)

    def _reap(self) -> None:
        for pid, child in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[pid]
                with contextlib.suppress(OSError):  # nobody listens, or somebody who does not read
                    wire.send(child.line, {"say": "ended", "code": os.waitstatus_to_exitcode(status)})
                self._forget(child)

    def _forget(self, child: _Child) -> None:
        """Close its line; the child itself goes on."""
        if self._lines.pop(child.line.fileno(), None) is not None:
            self._poll.unregister(child.line)
            child.line.close()


def _refuse(line: socket.socket, error: Exception) -> None:
    with contextlib.suppress(OSError):
        wire.send(line, {"say": "refused", "why": str(error)})
    line.close()


def _be_child(line: socket.socket, service: Service) -> NoReturn:
    """Never returns into the daemon, whatever happens."""
    try:
        close_all_but([line.fileno()])
        reset_signals()
        os.setsid()
        os.umask(0o077)
        service.run(line)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def listen(path: Path, mode: int) -> socket.socket:
    """A socket at `path` in place of what is there; `mode` says who may connect.

    Raises:
        UstodError: if there can be none, or its folder is one where others than root could put theirs in its place.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        about = folder.stat()
        if about.st_uid != os.getuid() or about.st_mode & 0o022:
            raise UstodError(
                f"Others may write in {folder}, where the socket {path.name} is to be; name another folder."
            )
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(new))
        new.chmod(mode)
        listener.listen(BACKLOG)
        new.rename(path)  # in one step: nobody meets a socket that nobody listens to
    except OSError as error:
        raise UstodError(f"There can be no socket at {path}: {error.strerror or error}.") from None
    listener.setblocking(False)
    return listener

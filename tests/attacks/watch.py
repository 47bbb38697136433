"""What an attack could touch, watched from outside: the loopback, a bystander, files, processes left behind."""

from __future__ import annotations

import ctypes
import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Listener:
    """A service on the loopback, by TCP and by an abstract unix socket, that tells its secret to whoever calls.

    Attributes:
        port: on 127.0.0.1.
        name: of the abstract unix socket, after its zero byte.
        received: everything that callers said.
    """

    def __init__(self, marker: str) -> None:
        self.name = f"ustod-{secrets.token_hex(8)}"
        self.received = bytearray()
        self._marker = marker.encode()
        self._sockets = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        self._sockets[1].bind(f"\0{self.name}")
        self._sockets[1].listen()
        self.port: int = self._sockets[0].getsockname()[1]
        for server in self._sockets:
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:  # closed
                return
            with caller, suppress(OSError):
                caller.settimeout(1)
                caller.sendall(self._marker)
                while len(self.received) < 1 << 20 and (data := caller.recv(1 << 16)):
                    self.received += data

    def close(self) -> None:
        for server in self._sockets:
            with suppress(OSError):  # wakes the thread that waits in accept
                server.shutdown(socket.SHUT_RDWR)
            server.close()


class Canary:
    """A process of the machine's that has nothing to do with grading, and must not notice it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.pid = self._process.pid
        self._niceness = os.getpriority(os.PRIO_PROCESS, self.pid)

    def harm(self) -> str:
        """What has been done to it; empty if nothing."""
        if self._process.poll() is not None:
            return "a bystander was killed"
        if psutil.Process(self.pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            return "a bystander was stopped"
        if os.getpriority(os.PRIO_PROCESS, self.pid) != self._niceness:
            return "a bystander's priority was changed"
        return ""

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def adopting() -> Iterator[None]:
    """Processes that lose their parents become this process's children, so that nothing is left behind unseen."""
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def descendants() -> set[psutil.Process]:
    """The living processes below this one."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.add(process)
    return found


def left_behind(before: set[psutil.Process], patience: float) -> set[psutil.Process]:
    """The descendants that are not in `before` and do not end within `patience` seconds."""
    deadline = time.monotonic() + patience
    while (remaining := descendants() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    return remaining


def end(before: set[psutil.Process]) -> None:
    """Kill every descendant that is not in `before`, by id, until none is left, and reap what was adopted."""
    for _ in range(100):
        remaining = descendants() - before
        for process in remaining:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(remaining, timeout=1)
        if not remaining:
            break
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if process not in before and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)


def snapshot(folder: Path) -> dict[str, str]:
    """What every file below `folder` is, by its path from there: its kind, mode and contents. Nothing is followed."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(parent, name)
            found[str(path.relative_to(folder))] = _look(path)
    return found


def _look(path: Path) -> str:
    mode = path.lstat().st_mode
    if path.is_symlink():
        return f"link to {os.readlink(path)}"
    if path.is_file():
        with path.open("rb") as file:
            return f"{mode:o} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    return f"{mode:o}"

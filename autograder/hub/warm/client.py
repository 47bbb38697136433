"""The client's side of a process that the daemon forks: a kernel for a student's JupyterLab, a server for the hub."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import time
from typing import Any

from autograder.kernel import wire

#: Seconds to wait for a child of the daemon, which may be importing its modules just now.
PATIENCE = 20

#: The exit code of a child of which nobody can tell how it ended: the daemon had ended before.
UNKNOWN = -int(signal.SIGKILL)


class Refused(Exception):
    """Why there is no warm process."""


class WarmProcess:
    """A process that is the daemon's child, with the methods of `subprocess.Popen`.

    Args:
        path: of the daemon's socket.
        order: what the child is to be; see `kernel` and `server`.

    Raises:
        Refused: if there is none.
    """

    stdin = stdout = stderr = None

    def __init__(self, path: str, order: dict[str, Any]) -> None:
        self.returncode: int | None = None
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pidfd = -1
        try:
            # A timeout of Python's own would have connect(2) fail at once where others are waiting.
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                self._line.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", PATIENCE, 0))
            self._line.connect(path)
            with contextlib.suppress(BrokenPipeError):  # it has refused already, and says why
                wire.send(self._line, order, [1, 2])
            answer, files = self._hear()
        except (OSError, EOFError, ValueError) as error:
            self._line.close()
            raise Refused(str(error)) from None
        if answer["say"] != "started" or len(files) != 1:
            self._line.close()
            raise Refused(answer.get("why", "the daemon says nothing that can be understood"))
        self._pidfd, self.pid = files[0], answer["pid"]

    def _hear(self) -> tuple[dict[str, Any], list[int]]:
        try:
            return wire.receive(self._line)
        except EOFError:  # if the order was never read, Linux tells that first, and only then what was said
            return wire.receive(self._line)

    def poll(self) -> int | None:
        """The exit code; None while it runs. A pidfd tells that it has ended, whatever becomes of the daemon."""
        if self.returncode is None and select.select([self._pidfd], [], [], 0)[0]:
            self.returncode = self._how_it_ended()
            self._line.close()
            os.close(self._pidfd)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(["ustod"], timeout or 0)
            select.select([self._pidfd], [], [], left)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the process alone; nothing happens if it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _how_it_ended(self) -> int:
        """What the daemon says, which has to reap it first. A file that is closed on it means that there is none."""
        self._line.settimeout(1)
        try:
            answer, _ = wire.receive(self._line)
            return int(answer["code"])
        except (OSError, EOFError, LookupError, ValueError):
            return UNKNOWN

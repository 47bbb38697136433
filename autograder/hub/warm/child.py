"""What any child of the daemon does at its end, and where an order cannot be followed."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from autograder.kernel import linux, wire


def start(line: socket.socket) -> None:
    """Tell the client that its process is there, which from now on is its user's own; `line` is closed."""
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # nothing is left that is not the user's: let them debug it
    myself = os.pidfd_open(os.getpid())
    with contextlib.suppress(OSError):  # then the client has ended, which will be noticed
        wire.send(line, {"say": "started", "pid": os.getpid()}, [myself])
    os.close(myself)
    line.close()


def refuse(line: socket.socket, error: Exception) -> NoReturn:
    """Tell the client why it gets no process, and end."""
    with contextlib.suppress(OSError):
        wire.send(line, {"say": "refused", "why": f"{error}"[:500]})
    os._exit(1)


def run(program: Callable[[], None]) -> NoReturn:
    """Run a program, and end as Python does, but without going back through the frames of the daemon."""
    code = 1
    try:
        program()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code & 0xFF)

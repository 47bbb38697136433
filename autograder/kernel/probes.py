"""What the doctor's children try. Each returns 0 if it met the wall that it should."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from pathlib import Path

from autograder.kernel.limits import MIB


def nothing() -> int:
    """Be shut in, and that is all."""
    return 0


def can_read(path: str) -> int:
    """Look for a file of the host."""
    return int(os.path.exists(path))


def can_connect(port: int) -> int:
    """Look for a service of the host, and for a network beyond."""
    for place in (("127.0.0.1", port), ("192.0.2.1", 80)):
        try:
            socket.create_connection(place, timeout=1).close()
        except OSError:
            continue
        return 1
    return 0


def wait_with_a_file() -> int:
    """Leave something to be found."""
    Path("/tmp/answer.txt").write_text("42")
    time.sleep(60)
    return 0


def can_see_others() -> int:
    """Look for it."""
    others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    return int(os.path.exists("/tmp/answer.txt") or bool(others))


def sleep_long() -> int:
    """Take time."""
    time.sleep(60)
    return 0


def spin() -> int:
    """Take processor time."""
    while True:
        pass


def hoard() -> int:
    """Take memory, a little at a time."""
    held: list[bytes] = []
    while len(held) < 1000:
        held.append(bytes([120]) * MIB)
    return 0


def start_threads() -> int:
    """Take threads, which count as processes."""
    for _ in range(30):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    time.sleep(60)
    return 0


def fork_up_to(most: int) -> int:
    """Allow oneself `most` processes and ask for more."""
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    for _ in range(2 * most):
        try:
            pid = os.fork()
        except BlockingIOError:
            return 0
        if pid == 0:
            time.sleep(60)
            os._exit(0)
    return 1


def fill_disk(size: int) -> int:
    """Write `size` bytes, more than there is room for."""
    try:
        for number in range(size // MIB):
            Path(str(number)).write_bytes(b"x" * MIB)
    except OSError:
        return 0
    return 1

"""What a lab must remember between two starts: its keys, and the ports of its courses."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.hub.lab import Lab

#: The ports of the lab's own programs, counted from ``lab.server.first_port``.
HUB, PROXY, EXCHANGE, FIRST_COURSE = 1, 2, 3, 10
#: Ports from here on can be had by every program.
UNPRIVILEGED = 1024

T = TypeVar("T")


def port(lab: Lab, offset: int) -> int:
    """The port of the hub, the proxy's interface or the exchange."""
    return lab.server.first_port + offset


def url(lab: Lab, offset: int) -> str:
    """Where the lab's own programs reach one another."""
    return f"http://127.0.0.1:{port(lab, offset)}"


def course_port(lab: Lab, course: str) -> int:
    """The port of the formgrader of `course`: once given, it stays.

    Raises:
        UstodError: if no port below 1024 is left.
    """

    def give(ports: dict[str, Any]) -> int:
        if course not in ports:
            first = port(lab, FIRST_COURSE)
            ports[course] = next(number for number in range(first, 1 << 16) if number not in ports.values())
            if ports[course] >= UNPRIVILEGED:
                raise UstodError(f"No port below 1024 is left for the course {course}; lower first_port in {lab.path}.")
        return int(ports[course])

    return _remember(lab.storage.hub / "ports.json", give)


def secret(lab: Lab, name: str) -> str:
    """A key of the lab's own, made when it is first asked for: 32 random bytes, in hexadecimal."""
    return _remember(lab.storage.hub / "secrets.json", lambda known: str(known.setdefault(name, secrets.token_hex(32))))


def _remember(path: Path, change: Callable[[dict[str, Any]], T]) -> T:
    with FileLock(f"{path}.lock", mode=0o600):
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        before = json.dumps(known)
        result = change(known)
        if json.dumps(known) != before:
            write_text(path, json.dumps(known, indent=1) + "\n", mode=0o600)
    return result

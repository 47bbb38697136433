"""Up, down, and changes in between: what `ustod hub` does to a running lab."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import NoReturn

from autograder.errors import UstodError
from autograder.hub import state
from autograder.hub.asking import ask
from autograder.hub.lab import Lab
from autograder.hub.prepare import Prepared, prepare
from autograder.hub.programs import base_environment
from autograder.hub.supervisor import running

#: Seconds within which a lab must answer after it is started, and programs must end.
START_SECONDS, STOP_SECONDS = 120.0, 60.0


def up(lab: Lab) -> Prepared:
    """Start the lab, and return when the hub and every course answer.

    Raises:
        UstodError: if it is up already, or does not answer in time; its logs are named then.
    """
    if other := running(lab):
        raise UstodError(f"This lab is up already (process {other.pid}); ustod hub status shows it.")
    prepared = prepare(lab)
    process = subprocess.Popen(
        _supervisor(lab),
        env=base_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    if not _wait(lambda: answers(lab) or process.poll() is not None, START_SECONDS) or process.poll() is not None:
        raise UstodError(f"The lab did not start; what its programs said is in {lab.storage.logs}.")
    return prepared


def become_supervisor(lab: Lab) -> NoReturn:
    """Be the supervisor of `lab`, in the place of this program, as systemd wants its services."""
    os.execve(sys.executable, _supervisor(lab), base_environment())


def _supervisor(lab: Lab) -> list[str]:
    return [sys.executable, "-P", "-m", "autograder.hub.supervisor", str(lab.path)]


def down(lab: Lab, *, keep_servers: bool = False) -> None:
    """Stop the lab: students' servers first, unless they are to be kept, then its programs.

    Raises:
        UstodError: if it is not up, or does not end.
    """
    supervisor = running(lab)
    if supervisor is None:
        raise UstodError("This lab is not up.")
    if not keep_servers and _hub_is_well(lab):
        for name in _with_servers(lab):
            ask(lab, f"users/{name}/server", "DELETE")
        _wait(lambda: not _with_servers(lab), STOP_SECONDS)
    supervisor.signal(signal.SIGTERM)
    if not _wait(supervisor.ended, STOP_SECONDS):
        raise UstodError(f"The lab's supervisor (process {supervisor.pid}) does not end; see {lab.storage.logs}.")


def apply(lab: Lab) -> tuple[Prepared, dict[str, int]]:
    """Apply a changed ``lab.toml`` to the lab, while it runs if it does.

    Returns:
        What was prepared, and what changed in the hub: services added and removed, memberships ended.
    """
    prepared = prepare(lab)
    supervisor = running(lab)
    if supervisor is None:
        return prepared, {}
    supervisor.signal(signal.SIGHUP)
    changed = ask(lab, "lab", "POST", timeout=60)
    _wait(lambda: answers(lab), START_SECONDS)
    return prepared, changed


def answers(lab: Lab) -> bool:
    """Whether browsers reach the hub through the proxy, and the exchange and every course's server take connections."""
    ports = [lab.server.port, state.port(lab, state.EXCHANGE)]
    ports += [state.course_port(lab, course.name) for course in lab.courses]
    return all(map(_listens, ports)) and _hub_is_well(lab) and _hub_is_reached(lab)


def _with_servers(lab: Lab) -> list[str]:
    return [user["name"] for user in ask(lab, "users?state=active") if user["servers"]]


def _hub_is_well(lab: Lab) -> bool:
    return _is_well(f"{state.url(lab, state.HUB)}/hub/health")


def _hub_is_reached(lab: Lab) -> bool:
    """A proxy that has just started listens, but knows of no hub until that tells it."""
    request = urllib.request.Request(f"{lab.scheme}://127.0.0.1:{lab.server.port}/hub/health")
    request.add_header("Host", lab.server.name)
    own = ssl.create_default_context()
    own.check_hostname, own.verify_mode = False, ssl.CERT_NONE  # it is this machine that we speak with
    return _is_well(request, own)


def _is_well(where: str | urllib.request.Request, context: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(where, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True

"""Start JupyterLab on a learner's folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from autograder.errors import UstodError

FIRST_PORT, PORTS = 8888, 50


def free_port(wanted: int | None) -> int:
    """`wanted`, or the first free port from `FIRST_PORT` on.

    Raises:
        UstodError: if `wanted` is taken, or none is free.
    """
    for port in [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    taken = f"Port {wanted} is" if wanted else f"The ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are"
    raise UstodError(f"{taken} in use by another program; choose another with --port.")


def start(folder: Path, first: Path, port: int, token: str, *, browser: bool) -> int:
    """Run JupyterLab on `folder` until it is stopped; returns its exit code. It listens on this machine only."""
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        f"--IdentityProvider.token={token}",
        f"--LabApp.default_url=/lab/tree/{first.relative_to(folder).as_posix()}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--ServerApp.log_level=WARN",
    ]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container or a rescue disk: there is no other user
    environment = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", **os.environ}
    server = subprocess.Popen(command, env=environment)
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:
            continue  # JupyterLab has the same signal, and asks before it stops

"""JupyterLab on a learner's folder: where it listens, what it says, how it ends."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.errors import UstodError
from autograder.lab.jupyterlab import free_port


@pytest.fixture
def taken() -> object:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_free_port_is_one_that_can_be_had() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", free_port(None)))


def test_a_wanted_port_is_that_port() -> None:
    port = free_port(None)
    assert free_port(port) == port


def test_a_wanted_port_that_is_taken_is_told(taken: int) -> None:
    with pytest.raises(UstodError, match=f"Port {taken} is in use by another program; choose another with --port"):
        free_port(taken)


def test_ends_with_the_command_and_does_not_trouble_a_learner_with_errors(tmp_path: Path) -> None:
    notebook = tmp_path / "work" / "u90_sums" / "u90_sums.ipynb"
    notebook.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(), notebook)
    port = free_port(None)
    program = (
        "import sys; from pathlib import Path; from autograder.lab.jupyterlab import start, write_settings\n"
        "folder, first = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "settings = write_settings(folder, 'tg')\n"
        "ready = lambda: print('ready', flush=True)\n"
        "start(folder, settings, first, int(sys.argv[3]), 'token', browser=False, ready=ready)"
    )
    log = tmp_path / "log"
    with log.open("wb") as errors:
        lab = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "work"), str(notebook), str(port)],
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path / "config")},
        )
    with lab:
        assert lab.stdout is not None and lab.stdout.readline() == b"ready\n"
        lab.terminate()
        lab.wait()
    assert free_port(port) == port
    assert not re.search(r"^\[E |Traceback", log.read_text("utf-8"), re.MULTILINE)

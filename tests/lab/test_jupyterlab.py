"""Where JupyterLab listens."""

from __future__ import annotations

import socket

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

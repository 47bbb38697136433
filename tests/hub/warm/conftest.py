"""A machine with accounts, and a daemon in it, shared by the tests of one worker."""

from collections.abc import Iterator

import pytest
from hub.warm.namespace import Daemon, Machine


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


@pytest.fixture(scope="session")
def daemon(machine: Machine) -> Daemon:
    return Daemon(machine, env={"LAB_SECRET": "the hub's own key", "LD_PRELOAD": ""})

"""A hub for all tests of a process; an exchange for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub.exchange.campus import Exchange, Hub, start_exchange, start_hub


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    found = start_hub(tmp_path_factory.mktemp("hub"))
    yield found
    found.process.terminate()
    found.process.wait(60)


@pytest.fixture
def exchange(hub: Hub, tmp_path: Path) -> Iterator[Exchange]:
    """With small limits, so that they can be met: 2 MB a submission, six submissions."""
    found = start_exchange(hub, tmp_path, "--upload-limit", str(2 << 20), "--submissions", "6")
    yield found
    found.kill()

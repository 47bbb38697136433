"""One lab for all attacks: most are requests of a fraction of a second, and a lab takes most of a minute to make."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hub.island_attacks.scene import Scene, prepare
from hub.whole_lab import logs, ustod


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    try:
        yield prepare()
    finally:
        print(logs())
        ustod("down")

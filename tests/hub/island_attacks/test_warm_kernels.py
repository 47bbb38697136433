"""The process that all warm kernels come from, over the socket that a lab at work has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hub.island_attacks.scene import RUN, Scene
from hub.whole_lab import ASSIGNMENT, COURSE

pytestmark = pytest.mark.slow

ZYGOTE = str(RUN / "warm.sock")


def test_what_is_unpickled_nowhere_does_nothing(scene: Scene) -> None:
    """The zygote is sent a pickle that would leave a mark as whoever loads it."""
    mark = Path("/tmp/unpickled")
    pickle = f"b\"cos\\nsystem\\n(S'id -u > {mark}'\\ntR.\""
    assert scene.mallory.gets(f"__import__('pickle').loads({pickle})") == 0 and mark.exists(), "it is a working pickle"
    mark.unlink()
    scene.mallory.gets(f"connect_to({ZYGOTE!r}).send({pickle})")
    scene.mallory.gets(f"ask('POST', EXCHANGE + 'api/courses/{COURSE}/assignments/{ASSIGNMENT}/submissions', {pickle})")
    time.sleep(2)
    assert not mark.exists()


def test_who_floods_the_zygote_keeps_nobody_from_a_kernel(scene: Scene) -> None:
    held = f"held = [connect_to({ZYGOTE!r}) for _ in range(40)]"
    assert scene.mallory.gets(f"exec({held!r}) or len(held)") == 40
    began = time.monotonic()
    kernel = scene.prey.start_kernel("ustod-ready")
    assert scene.prey.run(kernel, "import sys; print('torch' in sys.modules)", patience=60) == "True\n"
    assert time.monotonic() - began < 60
    scene.prey.ask("DELETE", scene.prey.path(f"api/kernels/{kernel}"))
    scene.mallory.gets("[line.close() for line in held]")

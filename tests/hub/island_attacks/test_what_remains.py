"""After all of this."""

from __future__ import annotations

import pytest
from hub.island_attacks.scene import COURSES, VICTIM, WORD, Scene
from hub.whole_lab import ASSIGNMENT, COURSE, INSTRUCTOR

pytestmark = pytest.mark.slow


def test_after_all_of_this_the_victims_work_is_theirs(scene: Scene) -> None:
    scene.whole.formgrader("collect")
    kept = COURSES / COURSE / "submitted" / VICTIM / ASSIGNMENT
    assert WORD in (kept / f"{ASSIGNMENT}.ipynb").read_text("utf-8")
    assert (kept / "timestamp.txt").read_text("utf-8").strip() == scene.receipt["received"]
    assert WORD in str(scene.prey.read(f"{COURSE}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"))
    assert scene.victim.gets("secret") == 42
    assert f"{INSTRUCTOR}" in str(scene.hub_api("users"))
    listed = scene.me.assignments(COURSE)
    assert {one["assignment_id"] for one in listed} == {ASSIGNMENT}

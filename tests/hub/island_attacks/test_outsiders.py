"""People who have not logged in."""

from __future__ import annotations

import pytest
from hub.island_attacks.scene import BYSTANDER, CLOSED, VICTIM, WORD, Scene
from hub.whole_lab import ASSIGNMENT, COURSE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "path",
    [
        "",
        "hub/home",
        "hub/admin",
        "hub/people",
        "hub/password",
        "hub/token",
        "hub/metrics",
        f"hub/spawn/{VICTIM}",
        f"user/{VICTIM}/lab",
        f"user/{VICTIM}/api/contents",
        f"user/{VICTIM}/files/{COURSE}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb",
        f"user/{BYSTANDER}/lab",
        f"services/{COURSE}/formgrader/",
        f"services/{COURSE}/formgrader/api/grades",
        f"services/{COURSE}/files/gradebook.db",
        f"services/exchange/api/courses/{COURSE}/submissions",
        "services/exchange/api/me",
        f"services/exchange/api/courses/{COURSE}/assignments/{ASSIGNMENT}",
        *(f"hub/api/{path}" for path in ("users", "user", "groups", "services", "proxy", "info", "lab", "shutdown")),
    ],
)
def test_outsiders_see_the_login_page_and_nothing_else(scene: Scene, path: str) -> None:
    answer = scene.outsider(path)
    shown = answer.headers.get("Location", "")
    assert answer.status_code in CLOSED or (answer.status_code == 302 and shown.startswith("/hub/")), answer.text
    assert WORD not in answer.text
    for token in ("", "0" * 64, "undefined"):
        got = scene.outsider(path, headers={"Authorization": f"token {token}"})
        assert got.status_code in (*CLOSED, 302)


@pytest.mark.parametrize("path", ["users/evil", f"users/{VICTIM}/tokens", "shutdown", "lab", "proxy", "groups/evil"])
def test_outsiders_change_nothing(scene: Scene, path: str) -> None:
    assert scene.outsider(f"hub/api/{path}", "POST", json={}).status_code in CLOSED

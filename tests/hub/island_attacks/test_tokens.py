"""What a student's token and cookies open of the hub."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hub.island_attacks.scene import BYSTANDER, CLOSED, MALLORY, VICTIM, Scene
from hub.seats import Refused
from hub.whole_lab import COURSE, INSTRUCTOR, PASSWORD

pytestmark = pytest.mark.slow

HUB_REQUESTS: dict[str, tuple[str, str, Any]] = {
    "list people": ("GET", "users", None),
    "look at another": ("GET", f"users/{VICTIM}", None),
    "look at the instructor": ("GET", f"users/{INSTRUCTOR}", None),
    "list tokens of another": ("GET", f"users/{VICTIM}/tokens", None),
    "a token in another's name": ("POST", f"users/{VICTIM}/tokens", {}),
    "a token in the instructor's name": ("POST", f"users/{INSTRUCTOR}/tokens", {}),
    "a token in the course's name": ("POST", f"users/grader-{COURSE}/tokens", {}),
    "a token for everything": ("POST", f"users/{MALLORY}/tokens", {"scopes": ["admin:users", "admin:servers"]}),
    "a token with a role": ("POST", f"users/{MALLORY}/tokens", {"roles": ["admin"]}),
    "stop another's server": ("DELETE", f"users/{VICTIM}/server", None),
    "start another's server": ("POST", f"users/{BYSTANDER}/server", {}),
    "become an administrator": ("PATCH", f"users/{MALLORY}", {"admin": True}),
    "take another's name": ("PATCH", f"users/{MALLORY}", {"name": "s9"}),
    "remove another": ("DELETE", f"users/{VICTIM}", None),
    "make somebody": ("POST", "users/evil", {}),
    "make many": ("POST", "users", {"usernames": ["evil1", "evil2"], "admin": True}),
    "say that another is active": ("POST", f"users/{VICTIM}/activity", {"last_activity": "2030-01-01T00:00:00Z"}),
    "list groups": ("GET", "groups", None),
    "look at who teaches": ("GET", f"groups/formgrade-{COURSE}", None),
    "join who teaches": ("POST", f"groups/formgrade-{COURSE}/users", {"users": [MALLORY]}),
    "join another course": ("POST", "groups/nbgrader-nlp/users", {"users": [MALLORY]}),
    "put another out of the course": ("DELETE", f"groups/nbgrader-{COURSE}/users", {"users": [VICTIM]}),
    "make a group": ("POST", "groups/formgrade-evil", {}),
    "set a group's properties": ("PUT", f"groups/nbgrader-{COURSE}/properties", {"admin": True}),
    "list services": ("GET", "services", None),
    "look at the course's service": ("GET", f"services/{COURSE}", None),
    "make a service": ("POST", "services/evil", {"url": "http://127.0.0.1:5555"}),
    "remove the exchange": ("DELETE", "services/exchange", None),
    "list routes": ("GET", "proxy", None),
    "another proxy": ("PATCH", "proxy", {"api_url": "http://127.0.0.1:5555", "auth_token": "x"}),
    "sync routes": ("POST", "proxy", None),
    "look into the hub": ("GET", "info", None),
    "stop the hub": ("POST", "shutdown", {"servers": True, "proxy": True}),
    "apply the lab's file": ("POST", "lab", {}),
    "share another's server": ("POST", f"shares/{VICTIM}/", {"user": MALLORY}),
    "a code for another's server": ("POST", f"share-codes/{VICTIM}/", {}),
}


@pytest.mark.parametrize("what", HUB_REQUESTS)
def test_the_token_of_a_students_server_is_good_for_nothing_else(scene: Scene, what: str) -> None:
    method, path, body = HUB_REQUESTS[what]
    status, text, _ = scene.mallory.gets(f"ask({method!r}, HUB + '/{path}', {body!r})")
    assert status in CLOSED or (what == "a token for everything" and status == 400), text


@pytest.mark.parametrize("what", HUB_REQUESTS)
def test_a_students_cookies_open_no_more(scene: Scene, what: str) -> None:
    method, path, body = HUB_REQUESTS[what]
    with pytest.raises(Refused) as refused:
        scene.me.ask(method, f"hub/api/{path}", **({} if body is None else {"json": body}))
    assert refused.value.status in (*CLOSED, 400), refused.value


def test_the_token_does_open_what_it_is_for(scene: Scene) -> None:
    status, text, _ = scene.mallory.gets("ask('GET', HUB + '/user')")
    assert status == 200 and json.loads(text)["name"] == MALLORY
    assert json.loads(text)["admin"] is False


def test_nothing_of_that_has_happened(scene: Scene) -> None:
    users = {one["name"]: one for one in scene.hub_api("users")}
    assert not {"evil", "evil1", "evil2", "s9"} & set(users)
    assert [name for name, one in users.items() if one.get("admin")] == []
    assert users[MALLORY]["groups"] == users[VICTIM]["groups"] == [f"nbgrader-{COURSE}"]
    assert set(users[VICTIM]["servers"]) == {""}


@pytest.mark.parametrize("page", ["admin", "people", "metrics", f"spawn/{VICTIM}", f"stop/{VICTIM}", "spawn/karimova"])
def test_pages_of_those_in_charge_are_not_for_students(scene: Scene, page: str) -> None:
    with pytest.raises(Refused) as refused:
        scene.me.ask("GET", f"hub/{page}")
    assert refused.value.status in CLOSED


def test_a_student_gives_nobody_a_new_code(scene: Scene) -> None:
    for whom in (VICTIM, INSTRUCTOR, MALLORY):
        with pytest.raises(Refused) as refused:
            scene.me.ask(
                "POST",
                "hub/people",
                data={"_xsrf": scene.me._xsrf(f"{scene.me.address}hub/people"), "id": whom, "act": "reset"},
            )
        assert refused.value.status == 403
    scene.fresh(VICTIM, "127.0.0.9").log_in(PASSWORD)

"""Browsers: foreign pages in them, forged names of the lab, what is typed and shown."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
import requests
from hub.island_attacks.scene import BYSTANDER, HOMES, MALLORY, VICTIM, Scene, guess
from hub.whole_lab import COURSE, PASSWORD

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/",
        "/\\evil.example",
        "/%09/evil.example",
        "https:evil.example",
        "http://lab.local@evil.example/",
    ],
)
def test_logging_in_leads_to_no_foreign_page(scene: Scene, target: str) -> None:
    seat = scene.fresh(BYSTANDER, "127.0.0.79")
    seat.ask("GET", "hub/login")
    page = f"{seat.address}hub/login?next={quote(target)}"
    fields = {"_xsrf": seat._xsrf(page), "username": BYSTANDER, "password": PASSWORD}
    answer = seat.session.post(page, data=fields, headers={"Referer": page}, allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    again = seat.session.get(page, allow_redirects=False, timeout=60)
    for one in (answer, again):
        location = one.headers["Location"]
        assert re.match(r"/(?![/\\])", location) and "\\" not in location, location


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"])
def test_a_forged_name_of_the_lab_gets_into_no_page(scene: Scene, header: str) -> None:
    plain = requests.get("http://lab.local/", headers={"Host": "evil.example"}, allow_redirects=False, timeout=60)
    assert plain.headers["Location"].startswith("https://evil.example/"), "what leads to encryption does repeat it"
    for path in ("", "hub/home", "hub/login", f"user/{VICTIM}/lab"):
        answer = scene.outsider(path, headers={header: "evil.example"})
        assert "evil.example" not in answer.headers.get("Location", "") + answer.text


@pytest.mark.parametrize("what", ["no token", "another's page", "a socket from another page"])
def test_a_foreign_page_in_the_victims_browser_does_nothing(scene: Scene, what: str) -> None:
    url = f"{scene.prey.address}{scene.prey.path('api/contents/evil.txt')}"
    session, model = scene.prey.session, {"type": "file", "format": "text", "content": "evil"}
    evil = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
    if what == "no token":
        assert session.put(url, json=model, headers={"Referer": scene.prey.address}, timeout=60).status_code == 403
        for path in (f"hub/spawn/{VICTIM}", "hub/password", "hub/api/users/s2/tokens"):
            answer = session.post(f"{scene.prey.address}{path}", data={"old": PASSWORD}, headers=evil, timeout=60)
            assert answer.status_code in (403, 400)
    elif what == "another's page":
        assert session.put(url, json=model, headers=evil, timeout=60).status_code == 403
    else:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Origin": "https://evil.example",
        }
        path = scene.prey.path(f"api/kernels/{scene.victim.kernel}/channels")
        assert session.get(f"{scene.prey.address}{path}", headers=upgrade, timeout=60).status_code == 403
    assert not (HOMES / VICTIM / "evil.txt").exists()


@pytest.mark.parametrize("client", [f"service-{COURSE}", "service-exchange", f"jupyterhub-user-{VICTIM}"])
def test_no_code_for_a_service_goes_elsewhere(scene: Scene, client: str) -> None:
    for where in ("https://evil.example/", f"/user/{MALLORY}/files/x.html", "http://127.0.0.1:5555/oauth_callback"):
        path = f"hub/api/oauth2/authorize?client_id={client}&redirect_uri={quote(where, '')}&response_type=code&state=x"
        answer = scene.prey.session.get(f"{scene.prey.address}{path}", allow_redirects=False, timeout=60)
        assert answer.status_code in (400, 403, 404) and "code=" not in answer.headers.get("Location", "")


def test_who_is_led_to_the_attackers_server_leaves_no_code_there(scene: Scene) -> None:
    """With the code of a login, the attacker's server could speak to the hub as whoever came by."""
    back = quote(f"/user/{MALLORY}/oauth_callback", "")
    path = (
        f"hub/api/oauth2/authorize?client_id=jupyterhub-user-{MALLORY}&redirect_uri={back}&response_type=code&state=x"
    )
    own = scene.me.session.get(f"{scene.me.address}{path}", allow_redirects=False, timeout=60)
    assert own.status_code == 302 and "code=" in own.headers["Location"], "its owner gets one"
    for seat in (scene.prey, scene.whole.instructor):
        answer = seat.session.get(f"{seat.address}{path}", allow_redirects=False, timeout=60)
        assert answer.status_code == 403 and "code=" not in answer.headers.get("Location", "")


SCRIPT = "\"'><script>alert(4711)</script>"


@pytest.mark.parametrize(
    "path",
    [
        "hub/login?next={}",
        "hub/login?lang={}",
        "hub/{}",
        "hub/home?lang={}&next={}",
        "hub/spawn/{}",
        "hub/user/{}/lab",
        "hub/error/404?url={}&message={}",
        "hub/api/oauth2/authorize?client_id={}&redirect_uri={}&state={}&response_type=code",
        "hub/api/users/{}",
        "hub/oauth_callback?error={}&error_description={}",
        "user/{}/lab",
        "services/{}/",
        f"services/{COURSE}/formgrader/{{}}",
        "{}",
    ],
)
def test_what_stands_in_an_address_is_shown_as_text(scene: Scene, path: str) -> None:
    url = path.replace("{}", quote(SCRIPT, ""))
    for answer in (scene.outsider(url), scene.me.session.get(f"{scene.me.address}{url}", timeout=60)):
        shown = answer.headers.get("Content-Type", "")
        assert "<script>alert(4711)" not in answer.text or not shown.startswith("text/html"), answer.text
        assert "<script>" not in answer.headers.get("Location", "")


def test_what_is_typed_is_shown_as_text(scene: Scene) -> None:
    answer = guess(scene.fresh(SCRIPT[:32], "127.0.0.81"), "x")
    assert "alert(4711" in answer.text and "<script>alert(4711" not in answer.text


def test_pages_of_the_lab_are_in_no_frame_of_others(scene: Scene) -> None:
    for path in ("hub/login", "hub/home", f"user/{MALLORY}/lab", f"services/{COURSE}/lab"):
        seat = scene.whole.instructor if path.startswith("services") else scene.me
        answer = seat.session.get(f"{seat.address}{path}", timeout=60)
        assert re.search("frame-ancestors '(self|none)'", answer.headers["Content-Security-Policy"]), path

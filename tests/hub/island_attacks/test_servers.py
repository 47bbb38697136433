"""The servers of others, through the proxy and past it."""

from __future__ import annotations

import pytest
import requests
from hub.island_attacks.attacker import Attacker
from hub.island_attacks.scene import CLOSED, MALLORY, VICTIM, WORD, Scene
from hub.seats import Refused
from hub.whole_lab import ASSIGNMENT, COURSE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "lab"),
        ("GET", "api/contents"),
        ("GET", f"api/contents/{COURSE}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"),
        ("GET", f"files/{COURSE}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"),
        ("PUT", "api/contents/evil.txt"),
        ("DELETE", f"api/contents/{COURSE}"),
        ("GET", "api/kernels"),
        ("POST", "api/kernels"),
        ("GET", "api/sessions"),
        ("POST", "api/terminals"),
        ("POST", "api/shutdown"),
        ("GET", "api/status"),
        ("GET", "assignments"),
        ("GET", "lab/api/settings"),
    ],
)
def test_anothers_server_is_closed_however_one_comes(scene: Scene, method: str, path: str) -> None:
    with pytest.raises(Refused) as refused:
        scene.me.ask(method, f"user/{VICTIM}/{path}", **({} if method == "GET" else {"json": {}}))
    assert refused.value.status in CLOSED
    url = f"http://127.0.0.1:{scene.port(VICTIM)}/user/{VICTIM}/{path}"
    for headers in ({}, {"X_Forwarded_User": VICTIM, "X_Forwarded_For": "127.0.0.1", "Remote_User": VICTIM}):
        for token in ("TOKEN", "None"):
            status, text, _ = scene.mallory.gets(f"ask({method!r}, {url!r}, token={token}, **{headers!r})")
            assert status in (*CLOSED, 302) and WORD not in text
    own = f"http://127.0.0.1:{scene.port(MALLORY)}/user/{MALLORY}/api/status"
    assert scene.mallory.gets(f"ask('GET', {own!r})")[0] == 200, "the same token opens one's own"


def test_anothers_kernel_is_not_talked_to_over_the_proxy(scene: Scene) -> None:
    with pytest.raises(Exception, match=r"403|404"):
        scene.me.run(scene.victim.kernel, "heard = 4", scene.prey.path(""), patience=60)
    assert scene.victim.gets("globals().get('heard')") != 4


def test_ones_own_cookie_is_not_taken_for_anothers(scene: Scene) -> None:
    own = [cookie for cookie in scene.me.session.cookies if cookie.name == f"jupyterhub-user-{MALLORY}"]
    assert own
    thief = requests.Session()
    thief.trust_env = False
    url = f"{scene.me.address}user/{VICTIM}/api/contents"
    answer = thief.get(
        url, cookies={f"jupyterhub-user-{VICTIM}": own[0].value or ""}, verify=scene.ca, allow_redirects=False
    )
    assert answer.status_code in (302, 403)
    for cookie in scene.prey.session.cookies:
        if cookie.name.startswith(("jupyterhub-hub-login", "jupyterhub-user-")):
            assert cookie.secure and cookie.has_nonstandard_attr("HttpOnly"), cookie


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.mark.parametrize("what", ["api/kernels/{}/channels", "terminals/websocket/1", "api/events/subscribe"])
def test_no_socket_of_anothers_server_opens(scene: Scene, what: str) -> None:
    def through_the_proxy(student: Attacker, path: str) -> int:
        url = f"{scene.me.address}{student.seat.path(path)}"
        with scene.me.session.get(url, headers=UPGRADE, stream=True, timeout=60) as answer:
            return answer.status_code

    path = what.format(scene.victim.kernel)
    assert through_the_proxy(scene.mallory, f"api/kernels/{scene.mallory.kernel}/channels") == 101, "one's own does"
    assert through_the_proxy(scene.victim, path) in CLOSED
    url = f"http://127.0.0.1:{scene.port(VICTIM)}/user/{VICTIM}/{path}"
    headers = {name.replace("-", "_"): value for name, value in UPGRADE.items()}
    for more in ("", f"?token={scene.mallory.gets('TOKEN')}"):
        for token in ("TOKEN", "None"):
            assert scene.mallory.gets(f"ask('GET', {url + more!r}, token={token}, **{headers!r})[0]") in (*CLOSED, 302)

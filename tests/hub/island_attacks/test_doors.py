"""Ports of the machine: those of the lab's programs, and those that could be mistaken for them."""

from __future__ import annotations

from typing import Any

import psutil
import pytest
import requests
from hub.island_attacks.scene import VICTIM, Scene

from autograder.hub import state

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("token", ["none", "the student's"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "api/routes", None),
        ("POST", f"api/routes/user/{VICTIM}", {"target": "http://127.0.0.1:5555"}),
        ("POST", "api/routes/hub", {"target": "http://127.0.0.1:5555"}),
        ("DELETE", "api/routes/services/exchange", None),
    ],
)
def test_the_proxy_takes_no_orders(scene: Scene, method: str, path: str, body: Any, token: str) -> None:
    proxy = state.url(scene.whole.lab, state.PROXY)
    given = "None" if token == "none" else "TOKEN"
    status, text, _ = scene.mallory.gets(f"ask({method!r}, '{proxy}/{path}', {body!r}, token={given})")
    assert status == 403, text
    key = state.secret(scene.whole.lab, "proxy")
    routes = requests.get(f"{proxy}/api/routes", headers={"Authorization": f"token {key}"}, timeout=20).json()
    assert not [route for route, about in routes.items() if "5555" in about["target"]]
    assert any(route.startswith(f"/user/{VICTIM}") for route in routes)


@pytest.mark.parametrize("port", [80, 443, 901, 902, 903, 910, 911, 999])
def test_no_student_listens_where_the_labs_programs_do(scene: Scene, port: int) -> None:
    for host in ("127.0.0.1", "0.0.0.0", "127.0.0.7"):
        for reuse in (False, True):
            assert scene.mallory.gets(f"bind({port}, {host!r}, {reuse})") == "stopped by PermissionError"
    assert scene.mallory.gets("bind(5555, '127.0.0.1')") == "127.0.0.1:5555"


def test_no_student_shares_the_port_of_anothers_server(scene: Scene) -> None:
    port = scene.port(VICTIM)
    for host in ("127.0.0.1", "0.0.0.0"):
        for reuse in (False, True):
            assert scene.mallory.gets(f"bind({port}, {host!r}, {reuse})") == "stopped by OSError 98"


def test_only_the_proxy_can_be_reached_from_outside(scene: Scene) -> None:
    reached = {
        (listening.laddr.port, psutil.Process(listening.pid).username())
        for listening in psutil.net_connections("inet")
        if listening.status == psutil.CONN_LISTEN and not listening.laddr.ip.startswith(("127.", "::1"))
    }
    assert reached == {(443, "ustod-proxy"), (80, "ustod-proxy")}

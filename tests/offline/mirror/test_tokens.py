"""Whose a token is: the campus's own, kept as hashes, and those of a real JupyterHub."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
from jupyterhub.proxy import Proxy

class Nothing(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {{}}

c = get_config()
c.JupyterHub.proxy_class = Nothing
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.load_groups = {{"formgrade-ml": ["ustod"], "nbgrader-ml": ["zarina"]}}
c.JupyterHub.services = [{{"name": "test", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "test", "services": ["test"], "scopes": ["admin:users", "tokens"]}}]
"""


@pytest.fixture
def lab(tmp_path: Path, kit) -> Iterator[Any]:
    """A function that asks the API of a JupyterHub, and has its address."""
    port, token = kit.free_port(), secrets.token_hex(16)
    config = tmp_path / "config.py"
    config.write_text(CONFIG.format(port=port, proxy=kit.free_port(), token=token))
    api = f"http://127.0.0.1:{port}/hub/api"
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=dict(os.environ))

    def ask(method: str, path: str, body: object = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{api}{path}", data, {"Authorization": f"token {token}"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    ask.url = api  # type: ignore[attr-defined]
    until = time.monotonic() + 90
    while True:
        try:
            ask("GET", "/users")
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
    yield ask
    process.terminate()
    process.wait(30)


@pytest.mark.slow
def test_people_of_the_lab_publish_with_their_own_tokens(hub_at, lab, tmp_path: Path) -> None:
    hub = hub_at(tmp_path)
    tokens = {name: lab("POST", f"/users/{name}/tokens", {})["token"] for name in ("zarina", "ustod")}
    campus = hub.token("guest")
    hub.start("--processes", 1, "--lab", lab.url)
    code = """
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
names = []
for name in ("{me}/mine", "shared/all"):
    try:
        HfApi().create_repo(name, exist_ok=True)
        names.append(name)
    except HfHubHTTPError as error:
        names.append(error.response.status_code)
say([HfApi().whoami()["name"], *names])
"""
    try:
        assert hub.run(code.format(me="zarina"), tokens["zarina"]) == ["zarina", "zarina/mine", 403]
        assert hub.run(code.format(me="ustod"), tokens["ustod"]) == ["ustod", "ustod/mine", "shared/all"]
        assert hub.run(code.format(me="guest"), campus) == ["guest", "guest/mine", 403]
        wrong = """
from huggingface_hub import HfApi
try:
    HfApi().whoami()
except Exception as error:
    say(str(error)[:19])
"""
        assert hub.run(wrong, "0" * 32) == "Invalid user token."
    finally:
        hub.stop()


def test_a_token_is_shown_once_and_kept_as_a_hash_that_only_the_owner_reads(empty_hub) -> None:
    token = empty_hub.token("zarina")
    path = empty_hub.store / "tokens.json"
    assert token not in path.read_text() and path.stat().st_mode & 0o077 == 0
    assert "2 tokens of zarina are ended" in (
        empty_hub.token("zarina") and empty_hub.ustod("token", "zarina", "--revoke")
    )
    assert "cannot be the name of an account" in empty_hub.ustod("token", "../zarina", fails=True)


def test_a_token_of_another_hub_does_not_keep_anybody_from_reading(library) -> None:
    code = "from huggingface_hub import HfApi\nsay(HfApi().model_info('campus/tiny').id)"
    assert library.run(code, "hf_of_another_hub") == "campus/tiny"


def test_when_the_lab_is_silent_people_still_read_and_are_told_when_they_publish(hub_at, tmp_path: Path) -> None:
    hub = hub_at(tmp_path)
    campus = hub.token("guest")
    hub.start("--processes", 1, "--lab", "http://127.0.0.1:9/hub/api")
    code = """
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
try:
    HfApi().create_repo("zarina/mine")
    answer = 200
except HfHubHTTPError as error:
    answer = error.response.status_code
say([len(list(HfApi().list_models(search="x"))), answer])
"""
    try:
        assert hub.run(code, "of-the-lab") == [0, 503]
        assert hub.run(code.replace("zarina", "guest"), campus) == [0, 200]
    finally:
        hub.stop()

"""A real JupyterHub with two courses, the exchange as its service, and people with tokens; no servers are spawned."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shared import wait_for

from autograder.hub.exchange.bundle import Entry, Listing

STUDENTS = {"ml": ["s1", "s2", *(f"c{number}" for number in range(40))], "bio": ["b1"]}
INSTRUCTORS = {"ml": ["teacher"], "bio": ["botanist"]}
OPEN = "access:services!service=exchange"

CONFIG = """
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {}

c = get_config()
SETTINGS = __import__("json").load(open("settings.json"))
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_port = SETTINGS["hub"]
c.JupyterHub.port = SETTINGS["public"]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.JupyterHub.load_groups = {
    **{f"nbgrader-{course}": {"users": people} for course, people in SETTINGS["students"].items()},
    **{f"formgrade-{course}": {"users": people} for course, people in SETTINGS["instructors"].items()},
    "outsiders": {"users": ["nobody"]},
}
OPEN = "access:services!service=exchange"
c.JupyterHub.load_roles = [
    {"name": "hand-in", "groups": [name for name in c.JupyterHub.load_groups], "scopes": [OPEN]},
    {"name": "courses", "services": ["ml", "bio"], "scopes": [OPEN]},
    {"name": "registrar", "services": ["registrar"], "scopes": ["admin:users", "tokens", "groups"]},
]
c.JupyterHub.services = [
    {"name": "exchange", "url": "http://127.0.0.1:1/"},
    *({"name": name, "api_token": SETTINGS["tokens"][name]} for name in ("ml", "bio", "registrar", "stranger")),
]
"""


def bundle(**files: bytes | str) -> bytes:
    """A bundle of `files`; in their names, _ stands for the dot."""
    content = {
        name.replace("_", "."): data if isinstance(data, bytes) else data.encode() for name, data in files.items()
    }
    return bundle_of(content)


def bundle_of(content: dict[str, bytes]) -> bytes:
    names = sorted(content, key=str.encode)
    entries = tuple(Entry(name, len(content[name]), hashlib.sha256(content[name]).hexdigest()) for name in names)
    return Listing(entries).line + b"".join(content[name] for name in names)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Hub:
    """A running hub. `tokens` are those of its services."""

    folder: Path
    port: int
    tokens: dict[str, str]
    process: subprocess.Popen[bytes]
    known: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/hub/api"

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"token {self.tokens['registrar']}"}
        request = urllib.request.Request(f"{self.api}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            text = response.read()
        return json.loads(text) if text else None

    def new_token(self, person: str, *scopes: str) -> dict[str, Any]:
        """A token as a person's server has it."""
        scopes = scopes or (OPEN, "read:users:name!user", "read:users:groups!user")
        return dict(self.ask("POST", f"/users/{person}/tokens", {"scopes": list(scopes)}))

    def token(self, name: str) -> str:
        """Of a service or a person, made once."""
        if name in self.tokens:
            return self.tokens[name]
        if name not in self.known:
            self.known[name] = self.new_token(name)["token"]
        return self.known[name]


def start_hub(folder: Path) -> Hub:
    hub, public = free_port(), free_port()
    tokens = {name: secrets.token_hex(16) for name in ("ml", "bio", "registrar", "stranger")}
    settings = {"hub": hub, "public": public, "students": STUDENTS, "instructors": INSTRUCTORS, "tokens": tokens}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "jupyterhub_config.py").write_text(textwrap.dedent(CONFIG))
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "jupyterhub"], cwd=folder, stdout=log, stderr=log)
    found = Hub(folder, hub, tokens, process)

    def answers() -> bool:
        assert process.poll() is None, (folder / "hub.log").read_text()[-4000:]
        try:
            return bool(found.ask("GET", "/users/s1"))
        except OSError:
            return False

    wait_for(answers)
    return found


@dataclass
class Answer:
    """What the service answers to a request."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Exchange:
    """A running exchange service."""

    hub: Hub
    root: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/exchange/"

    def environment(self, name: str, home: Path) -> dict[str, str]:
        """That of a program in the server of `name`."""
        kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "LANG") if key in os.environ}
        return kept | {
            "HOME": str(home),
            "JUPYTERHUB_USER": name,
            "JUPYTERHUB_API_URL": self.hub.api,
            "JUPYTERHUB_API_TOKEN": self.hub.token(name),
            "USTOD_EXCHANGE_URL": self.url,
        }

    def ask(
        self,
        who: str | None,
        method: str,
        path: str | Sequence[str],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """What the service answers to the bare request, whatever its words; `who` is a name or a token."""
        if not isinstance(path, str):
            path = "/services/exchange/api/" + "/".join(quote(part, safe="") for part in path)
        sent = dict(headers or {})
        if who is not None:
            sent["Authorization"] = f"token {who if len(who) > 20 else self.hub.token(who)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


def start_exchange(hub: Hub, folder: Path, *options: str, port: int | None = None) -> Exchange:
    port = port or free_port()
    environment = os.environ | {
        "JUPYTERHUB_API_URL": hub.api,
        "JUPYTERHUB_API_TOKEN": "not needed",
        "JUPYTERHUB_SERVICE_NAME": "exchange",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/exchange/",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}",
    }
    root, log = folder / "exchange", folder / "exchange.log"
    command = [sys.executable, "-m", "autograder.hub.exchange.service", "--root", str(root), "--keep-free", "1000000"]
    with log.open("ab") as file:
        process = subprocess.Popen([*command, *options], env=environment, stdout=file, stderr=file)
    found = Exchange(hub, root, port, process, log)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return found.ask(None, "GET", "/services/exchange/health").status == 200
        except OSError:
            return False

    wait_for(answers)
    return found

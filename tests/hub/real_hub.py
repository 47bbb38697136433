"""A real JupyterHub with `LabSpawner` on a private machine. Its proxy keeps routes in a file and carries nothing."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import websocket
from hub.private import ROOT, PrivateMachine, until

CONFIG = """
import json
from pathlib import Path
from jupyterhub.proxy import Proxy
from autograder.hub.lab import read_lab
from autograder.hub.spawner import LabSpawner

class Routes(Proxy):
    should_start = False
    routes = dict()
    async def add_route(self, routespec, target, data):
        self.routes[routespec] = dict(routespec=routespec, target=target, data=data)
        self.write()
    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)
        self.write()
    def write(self):
        targets = dict((at, route["target"]) for at, route in self.routes.items())
        Path("/srv/routes.json").write_text(json.dumps(targets))
    async def get_all_routes(self):
        return self.routes

c = get_config()
c.JupyterHub.proxy_class = Routes
c.JupyterHub.spawner_class = LabSpawner
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.StudentServer.lab_now = lambda: read_lab(Path("/srv/lab.toml"))
c.Spawner.environment = dict(PYTHONPATH="{root}")  # in a lab Ustod is installed
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite:////srv/ustod/hub/hub.sqlite"
c.JupyterHub.cookie_secret_file = "/srv/cookie"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.services = [{{"name": "test", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers",
    "access:servers",
    "tokens", "admin:server_state", "list:users"]}}]
"""

#: Of the process that warm servers are forked from.
SERVERS = "/run/servers.sock"

LAB = """
[storage]
root = "/srv/ustod"
run = "/run/ustod"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


def execute(url: str, token: str, code: str, *, wait: bool = True) -> str:
    """What code prints or raises in the kernel whose channels are at `url`; DIED if it dies of it."""
    socket = websocket.create_connection(url, header=[f"Authorization: token {token}"], timeout=60)
    header = {"msg_id": secrets.token_hex(), "msg_type": "execute_request", "session": "test", "username": "test"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    socket.send(json.dumps(request))
    said = ""
    while True:
        message = json.loads(socket.recv())
        content, kind = message["content"], message["header"]["msg_type"]
        state = content.get("execution_state")
        if kind == "status" and state in ("restarting", "dead", "autorestarting"):
            return "DIED"
        if message["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if kind == "stream":
            said += content["text"]
        elif kind == "error":
            said += f"{content['ename']}: {content['evalue']}"
        elif kind == "status" and (state == "idle" or not wait):
            socket.close()
            return said


class RealHub:
    """The hub on `machine`. Students' servers can be asked at `server`, with the test's token."""

    def __init__(self, machine: PrivateMachine, limits: str = "", config: str = "", *, warm: bool = False) -> None:
        self.machine, self.port, self.token = machine, free_port(), secrets.token_hex()
        machine.run("mkdir", "-p", "-m", "755", "/srv/ustod/homes")
        machine.run("mkdir", "-p", "-m", "700", "/srv/ustod/hub")
        machine.path("/srv/lab.toml").write_text(LAB + limits)
        text = CONFIG.format(root=ROOT, proxy=free_port(), port=self.port, token=self.token)
        warmth = f"c.LabSpawner.warm_socket = {SERVERS!r}\n" if warm else ""
        machine.path("/srv/config.py").write_text(text + warmth + config)
        self.servers = self._forks() if warm else None
        self.process: subprocess.Popen[str] | None = None

    def _forks(self) -> subprocess.Popen[str]:
        """The process that warm servers are forked from."""
        command = [sys.executable, "-m", "autograder.hub.warm", "servers", "--socket", SERVERS]
        process = self.machine.start(*command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert "served" in process.stdout.readline()
        return process

    def up(self) -> None:
        log = self.machine.path("/srv/hub.log").open("a")
        environment = {**self.machine.environment, "SECRET_OF_THE_HUB": "1", "HF_HOME": "/srv/hf"}
        self.machine.environment = environment
        self.process = self.machine.start(
            *(sys.executable, "-m", "jupyterhub", "-f", "/srv/config.py"),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        until(self._answers, 60)

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log()
        try:
            return bool(self.ask("GET", "/"))
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """Of the hub, outside: nsenter waits for it."""
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(path.read_text().split()[0])

    def kill(self) -> None:
        """As a power cut does it."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def down(self) -> None:
        """Servers, hub and control groups, in this order."""
        for name in [user["name"] for user in self.ask("GET", "/users")]:
            if self.runs(name):
                self.stop(name)
        self.kill()
        self.machine.python(
            """
            from pathlib import Path
            from autograder.hub.lab import read_lab
            from autograder.hub.reserve import Reserve
            found = Reserve.of(read_lab(Path("/srv/lab.toml")))
            found and found.remove()
            """
        )

    def log(self) -> str:
        return self.machine.path("/srv/hub.log").read_text()

    def ask(self, method: str, path: str, data: object = None) -> Any:
        return self._ask(method, f"http://127.0.0.1:{self.port}/hub/api{path}", data)

    def server(self, name: str, method: str, path: str, data: object = None) -> Any:
        """Ask the server of `name` itself."""
        return self._ask(method, f"http://127.0.0.1:{self.port_of(name)}/user/{name}/api{path}", data)

    def kernel(self, name: str) -> str:
        """A new kernel of the student's."""
        return str(self.server(name, "POST", "/kernels", {})["id"])

    def execute(self, name: str, code: str, kernel: str = "") -> str:
        """What code prints or raises in a kernel of the student's, by default one for it alone; or DIED."""
        if not kernel:
            kernel = self.kernel(name)
            said = self.execute(name, code, kernel)
            if said != "DIED":  # its successor is just being started
                self.server(name, "DELETE", f"/kernels/{kernel}")
            return said
        url = f"ws://127.0.0.1:{self.port_of(name)}/user/{name}/api/kernels/{kernel}/channels"
        return execute(url, self.token, code)

    def _ask(self, method: str, url: str, data: object) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(url, body, {"Authorization": f"token {self.token}"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code} {error.read().decode()[:2000]}") from None
        return json.loads(text) if text else None

    def launch(self, *names: str) -> None:
        """Start their servers and wait until they are ready."""
        for name in names:
            if name not in [user["name"] for user in self.ask("GET", "/users")]:
                self.ask("POST", f"/users/{name}", {})
            self.ask("POST", f"/users/{name}/server", {})
        for name in names:
            until(lambda name=name: self.is_ready(name), 120)

    def is_ready(self, name: str) -> bool:
        server = self.ask("GET", f"/users/{name}")["servers"].get("")
        assert server is not None, self.log()[-4000:]
        return bool(server["ready"])

    def runs(self, name: str) -> bool:
        users = {user["name"]: user for user in self.ask("GET", "/users")}
        return name in users and "" in users[name]["servers"]

    def stop(self, name: str) -> None:
        self.ask("DELETE", f"/users/{name}/server")
        until(lambda: not self.runs(name), 60)

    def routes(self) -> dict[str, str]:
        """Where the proxy was told to send what."""
        found = json.loads(self.machine.path("/srv/routes.json").read_text())
        assert isinstance(found, dict)
        return found

    def state_of(self, name: str) -> dict[str, int]:
        user = self.ask("GET", f"/users/{name}?include_stopped_servers=1")
        state = user["servers"][""]["state"]
        assert isinstance(state, dict)
        return state

    def port_of(self, name: str) -> int:
        """Where the proxy would send the student's requests."""
        return int(self.routes()[f"/user/{name}/"].rpartition(":")[2])

    def pids(self, name: str) -> list[int]:
        """The processes of the student, as the private machine counts them."""
        return [
            int(pid) for pid in self.machine.run("pgrep", "-r", "R,S,D,T", "-u", f"lab-{name}", check=False).split()
        ]

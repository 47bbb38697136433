"""People at the lab's computers: each has a browser's cookies, and does what JupyterLab's pages do over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urljoin

import requests
from shared import wait_for
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

T = TypeVar("T")


class Refused(Exception):
    """The lab said no: the status, and the page."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"{answer.status_code} for {answer.request.method} {answer.url}: {answer.text[:2000]}")
        self.status = answer.status_code


class Seat:
    """One person at one computer.

    Args:
        address: of the lab, such as ``https://lab.local/``.
        name: whom they log in as.
        authority: the certificate that the computer trusts; None without encryption.
    """

    def __init__(self, address: str, name: str, authority: Path | None = None) -> None:
        self.address, self.name = address, name
        self.session = requests.Session()
        self.session.trust_env = False  # another authority there would stand in for the lab's
        self.session.verify = str(authority) if authority else False
        self.authority = authority

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send a request as a page of the lab would, with the token against forged requests that the page was given.

        Raises:
            Refused: if the answer is not one of success.
        """
        url = urljoin(self.address, path)
        headers = {"X-XSRFToken": self._xsrf(url), "Referer": self.address, **more.pop("headers", {})}
        answer = self.session.request(method, url, headers=headers, timeout=120, **more)
        if answer.status_code >= 400:
            raise Refused(answer)
        return answer

    def _xsrf(self, url: str) -> str:
        """The cookie whose path is the longest that holds `url`, as in a browser."""
        path = "/" + url.split("/", 3)[3]
        found = [cookie for cookie in self.session.cookies if cookie.name == "_xsrf" and path.startswith(cookie.path)]
        return max(found, key=lambda cookie: len(cookie.path)).value or "" if found else ""

    def log_in(self, secret: str, chosen: str | None = None) -> None:
        """Log in with a password; or with a first-login code, and choose the password `chosen`."""
        self.ask("GET", "hub/login")
        page = self._send_form("hub/login", {"username": self.name, "password": secret})
        if chosen is not None:
            action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
            assert action and "new" in page.text, page.text
            fields = dict(re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
            names = re.findall(r'<input[^>]*name="([^"]+)"', page.text)
            fields |= {name: chosen for name in names if name not in fields}
            page = self._send_form(action[1].replace("&amp;", "&"), fields)
        assert "login" not in page.url, page.text[:3000]

    def _send_form(self, path: str, fields: dict[str, str]) -> requests.Response:
        url = urljoin(self.address, path)
        return self.ask("POST", path, data={"_xsrf": self._xsrf(url), **fields})

    def start_server(self, patience: float = 300) -> float:
        """Start the server, wait until JupyterLab's page is there, and return the seconds that this took."""
        began = time.monotonic()
        self.ask("GET", f"hub/spawn/{quote(self.name)}")
        wait_for(self._serves, patience)
        return time.monotonic() - began

    def _serves(self) -> bool:
        answer = self.session.get(urljoin(self.address, self.path("lab")), timeout=60)
        return answer.status_code == 200 and "jupyter-config-data" in answer.text

    def path(self, rest: str) -> str:
        """An address of this person's own server."""
        return f"user/{quote(self.name)}/{rest}"

    def read(self, path: str, server: str | None = None) -> Any:
        """The content of a file in a server's folder, by default in one's own."""
        return self.ask("GET", f"{server or self.path('')}api/contents/{quote(path)}").json()["content"]

    def save(self, path: str, content: Any, server: str | None = None) -> None:
        """Save a notebook or a text."""
        kind = "notebook" if path.endswith(".ipynb") else "file"
        model = {"type": kind, "format": "json" if kind == "notebook" else "text", "content": content}
        self.ask("PUT", f"{server or self.path('')}api/contents/{quote(path)}", json=model)

    def assignments(self, course: str) -> list[dict[str, Any]]:
        """What JupyterLab's list of assignments shows."""
        answer = self.ask("GET", self.path(f"assignments?course_id={course}")).json()
        assert answer["success"], answer
        return list(answer["value"])

    def do(self, what: str, course: str, assignment: str) -> dict[str, Any]:
        """Press a button of the list of assignments: fetch, submit, fetch_feedback."""
        fields = {"course_id": course, "assignment_id": assignment}
        answer = self.ask("POST", self.path(f"assignments/{what}"), data=fields).json()
        assert answer["success"], answer
        return dict(answer)

    def start_kernel(self, name: str, server: str | None = None) -> str:
        """The id of a new kernel."""
        answer = self.ask("POST", f"{server or self.path('')}api/kernels", json={"name": name})
        return str(answer.json()["id"])

    def run(self, kernel: str, code: str, server: str | None = None, patience: float = 300) -> str:
        """What `code` prints, with the traceback if it raises."""
        return asyncio.run(asyncio.wait_for(self._run(kernel, code, server or self.path("")), patience))

    async def _run(self, kernel: str, code: str, server: str) -> str:
        url = urljoin(self.address, f"{server}api/kernels/{kernel}/channels").replace("http", "ws", 1)
        sent = requests.cookies.get_cookie_header(
            self.session.cookies, requests.Request("GET", urljoin(self.address, server))
        )
        trust = {"ca_certs": str(self.authority)} if self.authority else {}
        request = HTTPRequest(url, headers={"Cookie": sent or ""}, request_timeout=120, connect_timeout=120, **trust)
        socket = await websocket_connect(request)
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": "",
            "session": uuid.uuid4().hex,
        }
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await socket.write_message(json.dumps(message))
        printed = ""
        while True:
            raw = await socket.read_message()
            if raw is None:
                raise ConnectionError(f"the kernel's connection closed after {printed!r}")
            told = json.loads(raw)
            if told.get("parent_header", {}).get("msg_id") != header["msg_id"]:
                continue
            if told["msg_type"] == "stream":
                printed += told["content"]["text"]
            elif told["msg_type"] == "error":
                printed += "\n".join(told["content"]["traceback"])
            elif told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                socket.close()
                return printed


def together(people: Sequence[Seat], act: Callable[[Seat], T]) -> list[T]:
    """Let all of `people` do the same at once, and return what came of it, in order."""
    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(act, people))

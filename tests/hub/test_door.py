"""The door of the lab's HTTP servers: a crowd of one account's, and what strangers send."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from shared import wait_for
from tornado.web import create_signed_value

from autograder.hub.door import CROWD, MOST, STEP, STRANGERS_BODY
from autograder.hub.origin import clients

SECRET = "of the server"
NAME = "jupyterhub-user-s1"

SERVER = f"""
import asyncio
from tornado import web
from autograder.hub.door import open_door
class Count(web.RequestHandler):
    def post(self):
        self.finish(str(len(self.request.body)))
    def get(self):
        self.finish("here")
async def main():
    server = web.Application([("/", Count)], cookie_secret={SECRET!r}).listen(0, "127.0.0.1")
    print(*[one.getsockname()[1] for one in server._sockets.values()], flush=True)
    await asyncio.Event().wait()
open_door()
asyncio.run(main())
"""

#: Somebody with no rights, who opens lines and says how many there are; then how many of them are still open.
HOLDER = """
import encodings.idna, os, socket, sys  # which nobody may read later
os.setuid(65534)
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(int(sys.argv[2]))]
print(len(held), flush=True)
sys.stdin.readline()
still = 0
for line in held:
    line.setblocking(False)
    try:
        line.recv(1)
    except BlockingIOError:
        still += 1
    except OSError:
        pass
print(still, flush=True)
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that may have 1,024 files at first, as on most machines."""
    environment = {**os.environ, "JUPYTERHUB_CLIENT_ID": NAME}
    command = ["prlimit", "--nofile=1024:4096", sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


@pytest.mark.parametrize("count", [100, 2000])
def test_nobody_fills_a_server_with_lines(port: int, count: int) -> None:
    """And where there is no crowd, whoever holds a few is left alone."""
    command = ["prlimit", "--nofile=4096:4096", sys.executable, "-c", HOLDER, str(port), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert int(holder.stdout.readline()) == count
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=20).text == "here"
        still = int(holder.communicate("\n", timeout=20)[0])
    assert still == count if count < CROWD else MOST <= still < CROWD + STEP


def test_lines_of_root_and_the_proxy_are_not_counted(port: int) -> None:
    with ExitStack() as held:
        lines = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(CROWD + 2 * STEP)]
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=20).text == "here"
        wait_for(lambda: len(clients(port)) >= len(lines))
        assert set(clients(port).values()) == {pwd.getpwuid(os.getuid()).pw_uid}
        for line in lines:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200")


def cookies(name: str) -> dict[str, str]:
    return {name: create_signed_value(SECRET, name, "a token").decode()}


@pytest.mark.parametrize("sent", [{}, {NAME: "made up"}, cookies(f"{NAME}-oauth-state"), cookies("jupyterhub-user-s2")])
def test_what_strangers_send_is_short(port: int, sent: dict[str, str]) -> None:
    """Not even the cookie that everybody gets on the way to the login page makes them known."""
    url = f"http://127.0.0.1:{port}/"
    assert requests.post(url, bytes(STRANGERS_BODY), cookies=sent, timeout=20).text == str(STRANGERS_BODY)
    refused: int | str
    try:
        refused = requests.post(url, bytes(8 * STRANGERS_BODY), cookies=sent, timeout=20).status_code
    except requests.ConnectionError:
        refused = "the line was cut"
    assert refused in (400, "the line was cut")


def test_who_is_logged_in_sends_more(port: int) -> None:
    more = bytes(8 * STRANGERS_BODY)
    assert requests.post(f"http://127.0.0.1:{port}/", more, cookies=cookies(NAME), timeout=20).text == str(len(more))

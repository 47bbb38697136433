"""The Course page on a server of its own: who may see it, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from shared import SUMS, wait_for

from autograder.authoring.unit import read_unit
from autograder.lab.jupyterlab import free_port, write_settings
from autograder.lab.progress import events
from autograder.lab.workspace import fill_workspace
from autograder.student.progress import VARIABLE

TOKEN = "let-me-in"


class Server:
    """A learner's server with the page, its notebooks and the file of its progress."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "дафтари ман"
        self.progress = folder / "progress.jsonl"
        fill_workspace([read_unit(SUMS)], "tg", self.place)
        self.port = free_port(None)
        environment = os.environ | {
            "JUPYTER_CONFIG_PATH": str(write_settings(self.place, "tg")),
            "JUPYTER_CONFIG_DIR": str(folder / "none"),
            VARIABLE: str(self.progress),
        }
        command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--ServerApp.open_browser=False"]
        command += [f"--ServerApp.port={self.port}", f"--IdentityProvider.token={TOKEN}"]
        command += [f"--ServerApp.root_dir={self.place}", "--ServerApp.log_level=ERROR"]
        self.process = subprocess.Popen(command, env=environment)
        wait_for(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, method: str, path: str, body: bytes = b"", token: str = TOKEN, **headers: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port)
        given = {"Authorization": f"token {token}"} if token else {}
        connection.request(method, path, body, given | headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def carry(self, data: bytes, token: str = TOKEN) -> tuple[int, str]:
        form = b'--x\r\nContent-Disposition: form-data; name="progress"; filename="p"\r\n\r\n%b\r\n--x--\r\n' % data
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        return self.ask("POST", "/ustod/course", form, token, **headers)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.process.terminate()
    started.process.wait(30)


def test_the_page_shows_the_units_and_remembers_the_language(server: Server) -> None:
    status, html = server.ask("GET", f"/ustod/course?{urlencode({'lang': 'ru'})}")
    assert status == 200 and '<html lang="ru">' in html and SUMS.name in html
    status, html = server.ask("GET", "/ustod/course?lang=%3Cscript%3E")
    assert status == 200 and '<html lang="ru">' in html and "<script" not in html
    assert [event["language"] for event in events(server.progress) if "language" in event] == ["ru"]


def test_whoever_has_no_key_sees_nothing_and_changes_nothing(server: Server) -> None:
    before = events(server.progress)
    for path in ("/ustod/course?lang=tg", "/ustod/course/progress"):
        status, html = server.ask("GET", path, token="")
        assert status in (302, 401, 403) and SUMS.name not in html
    assert server.carry(b'{"time": 1, "unit": "u"}', token="")[0] in (302, 401, 403)
    assert events(server.progress) == before


def test_progress_goes_out_and_comes_in(server: Server) -> None:
    line = {"time": 5, "unit": SUMS.name, "exercise": "sums.total", "done": True, "score": 3, "points": 3}
    status, _ = server.carry(json.dumps(line).encode())
    assert status == 200
    status, saved = server.ask("GET", "/ustod/course/progress")
    assert status == 200 and json.dumps(line, separators=(",", ":"), sort_keys=True) in saved.splitlines()


@pytest.mark.parametrize("data", [b"", b"\x00" * 1000, b"<script>alert(1)</script>"])
def test_what_is_no_progress_is_refused_in_a_sentence(server: Server, data: bytes) -> None:
    before = events(server.progress)
    status, html = server.carry(data)
    assert status == 400 and 'class="message"' in html and "<script" not in html
    assert events(server.progress) == before

"""What students' servers are told: what is idle is ended, what is at work never, and pages are small."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub.private import until
from hub.real_hub import execute, free_port

from autograder.hub.lab import Course, Instructor, Lab, Storage
from autograder.hub.server_config import language_of, students_server_config, write_server_config

IDLE = 3


class Server:
    """JupyterLab with students' settings, but for seconds in place of minutes."""

    def __init__(self, folder: Path) -> None:
        lab = Lab(storage=Storage(root=folder / "lab", run=folder / "run"))
        settings = write_server_config(lab, "ru")
        config = json.dumps(students_server_config(lab, IDLE))
        (settings / "jupyter_server_config.json").write_text(config)
        self.port = free_port()
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={self.port}"]
        command += ["--ServerApp.port_retries=0", "--IdentityProvider.token=t", f"--ServerApp.root_dir={folder}"]
        environment = {**os.environ, "JUPYTER_CONFIG_PATH": str(settings), "HOME": str(folder)}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        until(self.answers, 60)

    def answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return bool(self.ask("GET", "/api"))
        except OSError:
            return False

    def open(self, method: str, path: str, **headers: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, b"{}" if method == "POST" else None, method=method)
        for name, value in {"Authorization": "token t", **headers}.items():
            request.add_header(name.replace("_", "-"), value)
        return urllib.request.urlopen(request, timeout=20)

    def ask(self, method: str, path: str) -> Any:
        with self.open(method, path) as answer:
            return json.loads(answer.read())

    def execute(self, kernel: str, code: str, *, wait: bool = True) -> str:
        return execute(f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels", "t", code, wait=wait)

    def kernels(self) -> dict[str, str]:
        return {kernel["id"]: kernel["execution_state"] for kernel in self.ask("GET", "/api/kernels")}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.process.kill()
    server.process.wait()


@pytest.mark.slow
def test_idle_kernels_are_ended_busy_ones_outlive_their_tabs_and_then_the_server_ends(server: Server) -> None:
    idle, busy = (server.ask("POST", "/api/kernels")["id"] for _ in range(2))
    server.execute(idle, "print(1)")
    began = time.monotonic()
    server.execute(busy, f"import time; time.sleep({IDLE * 5})", wait=False)  # says nothing

    until(lambda: idle not in server.kernels(), IDLE * 4)
    while time.monotonic() - began < IDLE * 5 - 1:
        assert server.kernels() == {busy: "busy"}
        time.sleep(0.5)

    assert server.process.wait(90) == 0  # jupyter_server looks once a minute
    assert time.monotonic() - began > IDLE * 6


def test_students_have_the_panels_they_need_and_compressed_pages(server: Server, tmp_path: Path) -> None:
    with server.open("GET", "/lab", Accept_Encoding="gzip") as page:
        assert page.headers["Content-Encoding"] == "gzip"
    with server.open("GET", "/lab") as page:
        text = page.read().decode()
    disabled = re.search(r'"disabledExtensions": \[(.*?)\]', text)
    assert disabled and "@jupyterlab/apputils-extension:announcements" in disabled[1]
    settings = server.ask("GET", "/lab/api/settings/@jupyterlab/docmanager-extension:plugin")
    assert settings["schema"]["properties"]["autosaveInterval"]["default"] == 20
    translation = server.ask("GET", "/lab/api/settings/@jupyterlab/translation-extension:plugin")
    assert translation["schema"]["properties"]["locale"]["default"] == "ru_RU"
    assert '"name": "@ustod/course"' in text and '"ustodLanguage": "ru"' in text
    with server.open("GET", "/ustod/course") as page:
        assert "There is no unit in your folder yet" in page.read().decode()
    assert isinstance(server.ask("POST", "/api/terminals")["name"], str)
    assert server.ask("GET", "/courses") is not None
    for path in ("/formgrader", "/lsp/status"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            server.open("GET", path)


def test_settings_are_roots_readable_and_written_once(tmp_path: Path) -> None:
    lab = Lab(storage=Storage(root=tmp_path, run=tmp_path / "run"))
    before = os.umask(0o077)
    try:
        folder = write_server_config(lab, "tg")
    finally:
        os.umask(before)

    files = sorted(path for path in folder.rglob("*"))
    assert all(path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644) for path in [folder, *files])
    inodes = [path.stat().st_ino for path in files]
    write_server_config(lab, "tg")
    assert [path.stat().st_ino for path in files] == inodes


def test_the_language_is_that_of_a_persons_course(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\ns1,Абдулло\n")
    courses = [
        Course(name="ml", instructors=["dilnoza"], language="tg", roster=tmp_path / "a.csv"),
        Course(name="nlp", instructors=["dilnoza"], language="ru"),
    ]
    lab = Lab(instructors=[Instructor(id="dilnoza")], courses=courses, languages=["en", "tg", "ru"])

    assert [language_of(lab, person) for person in ("s1", "dilnoza", "s9")] == ["tg", "tg", "en"]

"""A real JupyterHub that is only for logging in, and a browser's manners without a browser."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import requests
from shared import wait_for

from autograder.hub.accounts import Accounts

LAB = """
name = "Озмоишгоҳ"
languages = ["tg", "ru", "en"]

[server]
name = "lab.example.tj"

[storage]
root = "{root}"

[[instructors]]
id = "zarina"
name = "Зарина Раҳимова"

[[instructors]]
id = "bahrom"
name = "Баҳром Шарипов"

[[courses]]
name = "ml"
title = "Омӯзиши мошинӣ"
language = "tg"
instructors = ["zarina"]
roster = "ml.csv"

[[courses]]
name = "nlp"
language = "ru"
instructors = ["bahrom"]
roster = "nlp.csv"
"""
ML = """id;ФИО;email;группа
s2301;Фирдавс Ҷӯраев;f@example.tj;ИТ-1
s2302;Ӯғулой Қодирова;;ИТ-1
s2303;Али Ғаниев;;ИТ-2
"""
NLP = "id,name\ns2401,Мария Иванова\ns2303,Али Ғаниев\n"

_CONFIG = """
from jupyterhub.proxy import Proxy

class Nowhere(Proxy):
    \"\"\"No proxy at all: the test speaks to the hub itself.\"\"\"
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {{}}
    async def check_routes(self, *args, **kwargs): pass

from autograder.hub.authenticator import RosterAuthenticator
from autograder.hub.words import TEMPLATES

c = get_config()
c.JupyterHub.proxy_class = Nowhere
c.JupyterHub.bind_url = c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.authenticator_class = RosterAuthenticator
c.JupyterHub.template_paths = [str(TEMPLATES)]
c.JupyterHub.db_url = "sqlite:///{folder}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.spawner_class = "simple"
c.RosterAuthenticator.accounts = "{folder}/accounts.sqlite"
c.RosterAuthenticator.lab_file = "{folder}/lab.toml"
c.RosterAuthenticator.auth_refresh_age = 1
"""


def write_lab(folder: Path) -> Path:
    """A lab of two courses, with one student in both."""
    (folder / "ml.csv").write_text(ML, encoding="utf-8")
    (folder / "nlp.csv").write_text(NLP, encoding="utf-8")
    path = folder / "lab.toml"
    path.write_text(LAB.format(root=folder / "srv"), encoding="utf-8")
    return path


class Hub:
    """A JupyterHub in a process of its own, with the files of its lab in `folder` and `more` configuration."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hub/"
        write_lab(folder)
        (folder / "config.py").write_text(_CONFIG.format(folder=folder, port=self.port) + more, encoding="utf-8")
        self.accounts = Accounts(folder / "accounts.sqlite")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "jupyterhub", "-f", str(self.folder / "config.py")]
        paths = os.pathsep.join(path for path in sys.path if path)
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": paths}
            )
        wait_for(self._answers)

    def stop(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, self.log
        try:
            return requests.get(self.url + "login", timeout=5).ok
        except requests.ConnectionError:
            return False

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(encoding="utf-8")


class Visitor:
    """Somebody with a browser of their own, at `address`."""

    def __init__(self, hub: Hub, address: str = "192.0.2.1", language: str = "en") -> None:
        self.hub = hub
        self.session = requests.Session()
        self.session.headers["X-Forwarded-For"] = address
        self.session.headers["Accept-Language"] = language
        self.session.headers["Sec-Fetch-Mode"] = "navigate"

    def get(self, page: str, **options: Any) -> requests.Response:
        return self.session.get(urljoin(self.hub.url, page), allow_redirects=False, timeout=60, **options)

    def post(self, page: str, xsrf: str | None = None, **fields: str) -> requests.Response:
        """Send a form; with the token that the last page set unless another is given."""
        fields["_xsrf"] = self.token if xsrf is None else xsrf
        return self.session.post(urljoin(self.hub.url, page), fields, allow_redirects=False, timeout=60)

    @property
    def token(self) -> str:
        return next((cookie.value or "" for cookie in self.session.cookies if cookie.name == "_xsrf"), "")

    def log_in(self, person: str, secret: str, target: str = "/hub/home") -> requests.Response:
        page = f"login?next={quote(target, safe='')}"
        self.get(page)
        return self.post(page, username=person, password=secret)

    def choose(self, person: str, code: str, new: str, again: str | None = None, **fields: str) -> requests.Response:
        again = new if again is None else again
        return self.post("choose-password", username=person, code=code, new=new, again=again, **fields)

    @property
    def is_in(self) -> bool:
        return self.get("home").status_code == 200


def said(answer: requests.Response) -> str:
    """What a page tells its reader in a notice."""
    notices = re.findall(r'<(?:p|div)[^>]*role="(?:alert|status)"[^>]*>(.*?)</(?:p|div)>', answer.text, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", " ".join(notices)).split())

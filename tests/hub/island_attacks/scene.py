"""The lab that is attacked, and who is in it.

In the course ``ml`` are the attacker and the victim, who has handed in, been graded and got feedback; ``nlp`` is a
course of others. What the attacker types runs in their own kernel.
"""

from __future__ import annotations

import contextlib
import json
import pwd
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
from hub.island_attacks.attacker import Attacker
from hub.seats import Refused, Seat, together
from hub.whole_lab import ASSIGNMENT, COURSE, FOLDER, RIGHT, WRONG, WholeLab, source_notebook
from requests.adapters import HTTPAdapter
from shared import wait_for

from autograder.hub import state
from autograder.hub.authority import ca_certificate

MALLORY, VICTIM, BYSTANDER, ABSENT, NEVER_CAME = "2301001", "s2", "s3", "s4", "n5"
#: Stands in the victim's notebook, and nowhere else.
WORD = "кори-Далер-4711"
MORE = """
[[courses]]
name = "nlp"
instructors = ["azimov"]
roster = "nlp.csv"

[[instructors]]
id = "azimov"

[backup]
homes = true
"""
HOMES, COURSES, HUB = Path("/srv/ustod/homes"), Path("/srv/ustod/courses"), Path("/srv/ustod/hub")
EXCHANGE, RUN = Path("/srv/ustod/exchange"), Path("/run/ustod")
#: In the victim's home.
NOTEBOOK = HOMES / VICTIM / COURSE / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
#: The statuses with which something is refused.
CLOSED = (401, 403, 404, 405)

#: Programs that a student must not reach, by what stands in their command lines.
MARKS = {
    "the victim's server": "ustod-server",
    "the zygote of kernels": "autograder.hub.warm kernels",
    "the zygote of servers": "autograder.hub.warm servers",
    "the hub": "-m jupyterhub",
    "the proxy": "configurable-http-proxy",
    "the exchange": "exchange.service",
    "a course's server": "autograder.hub.formgrader",
    "the supervisor": "autograder.hub.supervisor",
}


@dataclass
class Scene:
    """The lab, and who is in it."""

    whole: WholeLab
    mallory: Attacker
    victim: Attacker
    receipt: dict[str, Any]

    @property
    def me(self) -> Seat:
        return self.mallory.seat

    @property
    def prey(self) -> Seat:
        return self.victim.seat

    @property
    def ca(self) -> str:
        """What browsers of the lab trust."""
        return str(ca_certificate(self.whole.lab))

    def pid(self, what: str) -> int:
        """The number of one of the processes of `MARKS`, or of the victim's kernel."""
        if what == "the victim's kernel":
            return int(self.victim.gets("os.getpid()"))
        owners = {"the victim's server": pwd.getpwnam(f"lab-{VICTIM}").pw_uid}
        owners |= dict.fromkeys(("the zygote of kernels", "the zygote of servers"), 0)  # a twin is called as it is
        found = (one for one, line in command_lines() if MARKS[what] in line)
        return next(one.pid for one in found if owners.get(what) in (None, one.uids().real))

    def port(self, person: str) -> int:
        """Where the person's server listens."""
        mark, account = MARKS["the victim's server"], f"lab-{person}"
        (found,) = [one for one, line in command_lines() if mark in line and one.username() == account]
        (port,) = {one.laddr.port for one in found.net_connections("inet") if one.status == psutil.CONN_LISTEN}
        return int(port)

    def restart_mallory(self) -> None:
        """Give the attacker a new server, if need be after the end of the one there is."""
        with contextlib.suppress(Refused):  # it has ended already
            self.me.ask("DELETE", f"hub/api/users/{MALLORY}/server")
        wait_for(lambda: not {one["name"]: one for one in self.hub_api("users")}[MALLORY]["servers"])
        self.me.start_server()
        self.mallory = Attacker(self.me)

    def hub_api(self, path: str) -> Any:
        """What the lab's own commands see."""
        token = state.secret(self.whole.lab, "ustod-control")
        url = f"{state.url(self.whole.lab, state.HUB)}/hub/api/{path}"
        answer = requests.get(url, headers={"Authorization": f"token {token}"}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fresh(self, person: str, address: str) -> Seat:
        """Another computer, with an address of its own, at which nobody has logged in yet."""
        seat = self.whole.seat(person)
        seat.session.mount("https://", From(address))
        return seat

    def outsider(self, path: str, method: str = "GET", **more: Any) -> requests.Response:
        """A request of somebody who has not logged in."""
        with requests.Session() as session:
            session.trust_env = False
            url = f"{self.whole.lab.address}{path}"
            return session.request(method, url, verify=self.ca, allow_redirects=False, timeout=60, **more)


def command_lines() -> list[tuple[psutil.Process, str]]:
    """The processes of the machine, but for those that have ended: their names, and how they were called."""
    found = []
    for process in psutil.process_iter():
        try:
            found.append((process, " ".join([process.name(), *process.cmdline()])))
        except psutil.Error:  # it has ended
            continue
    return found


class From(HTTPAdapter):
    """Connects from an address of this machine's choice."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more, source_address=(self._address, 0))


def prepare() -> Scene:
    """A lab in which the victim has handed in and has feedback; an exam is written and not released."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "nlp.csv").write_text(f"id,name\n{ABSENT},Ҳакимов Ӯктам\n{NEVER_CAME},Нави Нав\n", "utf-8")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, files[1]))  # as systemd and shells have it
    whole = WholeLab(4, MORE)
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    me, prey, bystander, _ = whole.seats
    together([whole.instructor, me, prey, bystander], whole.first_login)
    whole.release()
    server = f"services/{COURSE}/"
    whole.instructor.ask("PUT", f"{server}api/contents/source/exam", json={"type": "directory"})
    whole.instructor.save("source/exam/exam.ipynb", source_notebook(), server)
    together([me, prey], Seat.start_server)
    for seat, answer in ((me, WRONG), (prey, f"{RIGHT}\n# {WORD}")):
        seat.do("fetch", COURSE, ASSIGNMENT)
        hand_in(seat, answer)
    grade(whole)
    whole.formgrader("generate_feedback")
    whole.formgrader("release_feedback")
    prey.do("fetch_feedback", COURSE, ASSIGNMENT)
    (file,) = EXCHANGE.glob(f"courses/{COURSE}/{ASSIGNMENT}/submissions/{VICTIM}/*/receipt.json")
    scene = Scene(whole, Attacker(me), Attacker(prey, "ustod-ready"), json.loads(file.read_text("utf-8")))
    assert scene.victim.gets("exec('secret = 42') or secret") == 42
    return scene


def hand_in(seat: Seat, answer: str, *more: dict[str, Any]) -> None:
    """Answer the assignment, with cells `more` at its end, and hand it in."""
    path = f"{COURSE}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
    notebook = seat.read(path)
    notebook["cells"][0]["source"] = answer
    notebook["cells"] += more
    seat.save(path, notebook)
    seat.do("submit", COURSE, ASSIGNMENT)


def grade(whole: WholeLab) -> None:
    """The instructor collects and grades."""
    whole.formgrader("collect")
    server = f"services/{COURSE}/"
    kernel = whole.instructor.start_kernel("python3", server)
    whole.instructor.run(kernel, f"!ustod grade {ASSIGNMENT} --course .", server, 600)
    whole.instructor.ask("DELETE", f"{server}api/kernels/{kernel}")


def guess(seat: Seat, password: str, **headers: str) -> requests.Response:
    """One attempt to log in, as a browser makes it, with `headers` on the page and on the form."""
    page = f"{seat.address}hub/login"
    about = {"Referer": page, **headers}
    seat.session.get(page, headers=about, timeout=60)
    fields = {"_xsrf": seat._xsrf(page), "username": seat.name, "password": password}
    answer: requests.Response = seat.session.post(page, data=fields, headers=about, timeout=60)
    return answer

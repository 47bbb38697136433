"""What is told of a lab: by a real hub with a user's server, by files, and when nothing answers."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hub.small import small_lab
from hub.test_metrics import QUIET
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from shared import wait_for

from autograder.hub import figures, state
from autograder.hub.backup import backup
from autograder.hub.figures import Machine, Waiting
from autograder.hub.lab import Lab
from autograder.hub.rights import CONTROL
from autograder.hub.status import OnLine, read_status
from autograder.hub.supervisor import on_record

CONFIG = """
c = get_config()
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = bytes(32)
c.JupyterHub.services = [{{"name": "control", "api_token": "{token}", "admin": True}}]
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.Spawner.cmd = ["sleep", "1000"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
from jupyterhub.proxy import Proxy
class NoProxy(Proxy):
    should_start = False
    async def add_route(self, *_): pass
    async def delete_route(self, *_): pass
    async def get_all_routes(self): return {{}}
c.JupyterHub.proxy_class = NoProxy
"""


def shown(status: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(status.table())  # type: ignore[attr-defined]
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def free_ports() -> int:
    """The first of a few ports in a row that are free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1]) - 1


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = small_lab(tmp_path)
    lab.storage.run.mkdir()
    first = free_ports()
    return lab.model_copy(update={"server": lab.server.model_copy(update={"first_port": first})})


@pytest.fixture
def lab_at(lab: Lab, tmp_path: Path) -> Lab:
    """`model_copy` forgets where the lab was read from."""
    lab._path = tmp_path / "etc" / "lab.toml"
    return lab


@pytest.fixture
def hub(lab_at: Lab, tmp_path: Path) -> Iterator[Lab]:
    """A real JupyterHub that runs where the lab's would."""
    lab, port = lab_at, state.port(lab_at, state.HUB)
    text = CONFIG.format(proxy=port + 1, hub=port, token=state.secret(lab, CONTROL), home=tmp_path / "people")
    (tmp_path / "config.py").write_text(text)
    (tmp_path / "people").mkdir()
    with (
        open(tmp_path / "hub.log", "wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "config.py"], cwd=tmp_path, stdout=log, stderr=log
        ) as process,
    ):
        try:
            wait_for(lambda: process.poll() is not None or read_status(lab).hub)
            assert process.poll() is None, (tmp_path / "hub.log").read_text()
            yield lab
        finally:
            process.terminate()


def post(lab: Lab, path: str) -> None:
    headers = {"Authorization": f"token {state.secret(lab, CONTROL)}"}
    request = urllib.request.Request(f"{state.url(lab, state.HUB)}/hub/api/{path}", b"", headers, method="POST")
    urllib.request.urlopen(request, timeout=30).close()


def test_a_real_hub_tells_who_is_on(hub: Lab) -> None:
    post(hub, "users/s1")
    assert read_status(hub).people == []
    post(hub, "users/s1/server")
    with on_record(hub):
        found = read_status(hub)
    assert [(one.id, one.name, one.pending) for one in found.people] == [("s1", "Ғафур Ҷӯраев", True)]
    assert (found.supervisor, found.hub, found.starting) == (os.getpid(), True, 1)
    assert datetime.now(UTC) - datetime.fromisoformat(found.people[0].since) < timedelta(minutes=5)
    assert "Ғафур Ҷӯраев" in shown(found) and "starting" in shown(found)
    assert json.loads(json.dumps(found.to_json()))["people"][0]["id"] == "s1"


def test_a_lab_that_is_down_is_told_first(lab_at: Lab) -> None:
    backup(lab_at)
    found = read_status(lab_at)
    assert not found.hub and found.supervisor is None
    assert found.attention[0] == "The lab is down; sudo ustod hub up starts it."
    assert "DOWN" in shown(found).splitlines()[0]


def test_a_hub_that_hangs_holds_nothing_up(lab_at: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.hub.status.PATIENCE", 0.3)
    with socket.socket() as silent, on_record(lab_at):
        silent.bind(("127.0.0.1", state.port(lab_at, state.HUB)))
        silent.listen()
        found = read_status(lab_at)
    assert not found.hub and any("The hub does not answer" in one for one in found.attention)


def test_an_old_backup_and_none_need_attention(lab_at: Lab) -> None:
    now = datetime.now(UTC)
    assert any("There is no backup in" in one for one in read_status(lab_at).attention)
    backup(lab_at, now=now - timedelta(days=3))
    found = read_status(lab_at, now)
    assert found.backup_age == pytest.approx(3 * 86400, abs=2)
    assert any(one.startswith("The last backup is 3 days old") for one in found.attention)
    backup(lab_at, now=now)
    assert not any("backup" in one for one in read_status(lab_at, now).attention)


def test_a_full_disk_and_a_wrong_clock_need_attention(lab_at: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(8 << 30, 100 << 20, 100 << 30, 1 << 30, 9.5, 2)
    monkeypatch.setattr(figures, "machine", lambda lab: machine)
    said = " ".join(read_status(lab_at, datetime(1970, 1, 1, tzinfo=UTC)).attention)
    assert "The clock says 1970-01-01" in said
    assert "has 1.0 GB left" in said and "has 100 MB of memory left" in said


def hand_in(lab: Lab, student: str, received: str, number: int = 1) -> None:
    folder = lab.storage.exchange / "courses" / "ml" / "ps1" / "submissions" / student / f"{number:04}-ab"
    folder.mkdir(parents=True)
    (folder / "receipt.json").write_text(json.dumps({"received": received}))


def file(lab: Lab, step: str, student: str, moment: str) -> None:
    folder = lab.storage.courses / "ml" / step / student / "ps1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "timestamp.txt").write_text(moment)


def test_what_waits_to_be_collected_and_graded_is_counted(lab_at: Lab) -> None:
    first, second = "2026-11-24 08:00:00.000000 UTC", "2026-11-24 09:00:00.000000 UTC"

    def waiting() -> tuple[int, int]:
        (found,) = figures.waiting(lab_at)
        return found.uncollected, found.ungraded

    assert waiting() == (0, 0)
    hand_in(lab_at, "s1", first)
    hand_in(lab_at, "s2", first)
    assert waiting() == (2, 0)
    file(lab_at, "submitted", "s1", first)
    assert waiting() == (1, 1)
    file(lab_at, "autograded", "s1", first)
    assert waiting() == (1, 0)
    hand_in(lab_at, "s1", second, 2)
    assert waiting() == (2, 0)
    file(lab_at, "submitted", "s1", second)
    assert waiting() == (1, 1)


def test_homes_are_measured_seldom_and_links_not_followed(lab_at: Lab, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(4 << 20))
    (lab_at.storage.homes / "s1" / "link").symlink_to(tmp_path)
    first = figures.homes(lab_at)["s1"]
    assert 0 < first < 1 << 20
    (lab_at.storage.homes / "s1" / "new").write_bytes(os.urandom(2 << 20))
    assert figures.homes(lab_at)["s1"] == first
    os.utime(lab_at.storage.run / "homes.json", (0, 0))
    assert figures.homes(lab_at, measure=False)["s1"] == first
    assert figures.homes(lab_at)["s1"] >= first + (2 << 20)


def test_memory_and_kernels_are_counted_by_account() -> None:
    code = "import sys; held = bytearray(80 << 20); print('ready', flush=True); input()"
    kernel = subprocess.Popen(
        [sys.executable, "-c", code, "ipykernel_launcher"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        user=12345 if os.geteuid() == 0 and os.access("/usr/bin/python3", os.X_OK) else None,
        executable="/usr/bin/python3",
    )  # fmt: skip
    with kernel:
        assert kernel.stdout and kernel.stdout.readline() == "ready\n"
        use = figures.uses()[figures._account(os.stat(f"/proc/{kernel.pid}").st_uid)]
        kernel.communicate("\n")
    assert use.memory > 80 << 20 and use.kernels >= 1


NAMES = st.text(max_size=40)


@given(
    people=st.lists(st.builds(OnLine, NAMES, NAMES, NAMES, st.booleans(), st.integers(0, 1 << 34), st.integers(0, 9))),
    homes=st.dictionaries(NAMES, st.integers(0, 1 << 40)),
    sentences=st.lists(NAMES, max_size=3),
)
def test_whatever_people_are_called_it_fits_on_one_screen(
    people: list[OnLine], homes: dict[str, int], sentences: list[str]
) -> None:
    found = replace(QUIET, people=people, homes=homes, attention=sentences, waiting=[Waiting("ml", 1, 2)])
    text = shown(found, width=120)
    assert len(text.splitlines()) <= 50
    assert "\x1b" not in text and "\x07" not in text
    if len(people) > 12:
        assert f"and {len(people) - 12} more" in text


def test_names_are_no_markup() -> None:
    odd = OnLine("s1", "[red]Ғафур[/red]", "2026-11-24T07:30:00.000000Z", False, 300 << 20, 1)
    text = shown(replace(QUIET, people=[odd]))
    assert "[red]Ғафур[/red]" in text and "30 min" in text and "300 MB" in text


def test_a_certificate_that_ends_soon_needs_attention(lab_at: Lab) -> None:
    from autograder.hub.authority import certificate_files

    lab = lab_at.model_copy(update={"tls": lab_at.tls.model_copy(update={"mode": "local-ca"})})
    lab._path = lab_at.path
    certificate_files(lab)
    end = figures.certificate_end(lab)
    assert end and end > datetime.now(UTC) + timedelta(days=300)
    soon = read_status(lab, end - timedelta(days=3))
    assert any(f"The certificate ends on {end:%Y-%m-%d}" in one for one in soon.attention)

"""Links in a student's home, where root reads or writes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hub.island_attacks.attacker import Attacker
from hub.island_attacks.scene import HUB, MALLORY, Scene
from hub.whole_lab import FOLDER, ustod
from shared import wait_for

from autograder.hub import state

pytestmark = pytest.mark.slow


def test_links_in_a_home_lead_a_backup_nowhere(scene: Scene) -> None:
    secret = state.secret(scene.whole.lab, "cookie")
    made = scene.mallory.gets(
        f"[os.symlink({str(HUB / 'secrets.json')!r}, os.path.expanduser('~/keys.json')), "
        f"os.symlink({str(HUB)!r}, os.path.expanduser('~/hub')), os.symlink('/etc', os.path.expanduser('~/etc'))]"
    )
    assert made == [None, None, None]
    for target in (HUB / "secrets.json", Path("/etc/shadow"), FOLDER / "lab.toml"):
        got = scene.mallory.gets(f"os.link({str(target)!r}, os.path.expanduser('~/hard'))")
        assert got in ("stopped by PermissionError", "stopped by OSError 18")
    folder = Path("/media/stick")
    folder.mkdir()
    ustod("backup", folder)
    (file,) = folder.glob("*.tar.gz")
    assert not file.stat().st_mode & 0o077
    with tarfile.open(file) as archive:
        members = {one.name: one for one in archive}
        assert members[f"homes/{MALLORY}/keys.json"].issym() and members[f"homes/{MALLORY}/hub"].issym()
        holding = [
            name
            for name, one in members.items()
            if one.isfile() and secret.encode() in archive.extractfile(one).read()  # type: ignore[union-attr]
        ]
    assert holding and all(name.startswith("hub/") for name in holding)
    assert not [name for name in members if name.startswith((f"homes/{MALLORY}/hub/", f"homes/{MALLORY}/etc/"))]


def test_links_in_place_of_what_root_writes_in_a_home_change_nothing_of_roots(scene: Scene) -> None:
    target = Path("/srv/roots")
    target.write_text("root's\n")
    scene.mallory.gets(
        "[os.replace(os.path.expanduser('~/.ustod-server.log'), os.path.expanduser('~/was.log')), "
        f"os.symlink({str(target)!r}, os.path.expanduser('~/.ustod-server.log'))]"
    )
    scene.me.ask("DELETE", f"hub/api/users/{MALLORY}/server")
    wait_for(lambda: not {u["name"]: u for u in scene.hub_api("users")}[MALLORY]["servers"])
    scene.me.start_server()
    scene.mallory = Attacker(scene.me)
    assert target.read_text() == "root's\n" and target.stat().st_uid == 0

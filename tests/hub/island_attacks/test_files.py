"""What stands on the disk: of others, and of all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hub.island_attacks.scene import COURSES, EXCHANGE, HOMES, HUB, NOTEBOOK, RUN, VICTIM, WORD, Scene
from hub.whole_lab import ASSIGNMENT, COURSE, FOLDER

pytestmark = pytest.mark.slow

PLACES = {
    "the victim's home": HOMES / VICTIM,
    "the victim's notebook": NOTEBOOK,
    "what the victim's server says": HOMES / VICTIM / ".ustod-server.log",
    "the feedback that the victim fetched": HOMES / VICTIM / COURSE / ASSIGNMENT / "feedback",
    "the list of homes": HOMES,
    "the course": COURSES / COURSE,
    "the gradebook": COURSES / COURSE / "gradebook.db",
    "the solution": COURSES / COURSE / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb",
    "the exam that is not released": COURSES / COURSE / "source" / "exam" / "exam.ipynb",
    "what was collected": COURSES / COURSE / "submitted" / VICTIM,
    "the course's settings": COURSES / COURSE / "nbgrader_config.py",
    "the hub's folder": HUB,
    "the hub's keys": HUB / "secrets.json",
    "the hub's database": HUB / "jupyterhub.sqlite",
    "the accounts": HUB / "accounts.sqlite",
    "the slips": HUB / "slips",
    "the logs": HUB / "logs" / "hub.log",
    "the exchange": EXCHANGE,
    "the key that signs receipts": EXCHANGE / "key",
    "submissions": EXCHANGE / "courses" / COURSE / ASSIGNMENT / "submissions" / VICTIM,
    "the key of the certificate": RUN / "proxy" / "server.key",
    "the lab's file": FOLDER / "lab.toml",
    "a class list": FOLDER / "ml.csv",
    "the accounts of the machine": Path("/etc/shadow"),
}


@pytest.mark.parametrize("what", PLACES)
def test_what_is_others_is_neither_read_nor_changed(scene: Scene, what: str) -> None:
    path = PLACES[what]
    assert path.exists()
    tries = [
        f"os.listdir({str(path)!r})" if path.is_dir() else f"open({str(path)!r}, 'rb').read().hex()",
        f"write_beside({str(path)!r})" if path.is_dir() else f"open({str(path)!r}, 'ab').name",
        f"os.rename({str(path)!r}, {str(path) + '.gone'!r})",
        f"os.chmod({str(path)!r}, 0o777)",
        f"os.link({str(path)!r}, os.path.expanduser('~/theirs'))",
        f"os.truncate({str(path)!r}, 0)" if path.is_file() else f"os.rmdir({str(path)!r})",
    ]
    got = {one: scene.mallory.gets(one) for one in tries}
    assert set(got.values()) <= {"stopped by PermissionError", "stopped by OSError 18"}, got
    assert path.exists()


def test_a_student_does_reach_what_is_their_own(scene: Scene) -> None:
    home = HOMES / VICTIM
    assert COURSE in scene.victim.gets(f"os.listdir({str(home)!r})")
    assert WORD in scene.victim.gets(f"open({str(NOTEBOOK)!r}).read()")


def shared_places() -> dict[str, Path]:
    """What everybody reads, and root alone writes."""
    top = Path(__file__).resolve().parents[3]
    return {
        "the cache of models": Path(os.environ["HF_HOME"]),
        "the kernelspecs": top / "autograder" / "hub" / "warm" / "jupyter" / "kernels",
        "the kernelspec": top / "autograder" / "hub" / "warm" / "jupyter" / "kernels" / "ustod-ready",
        "Jupyter's settings": RUN / "jupyter",
        "the sockets": RUN,
        "Python's modules": Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages",
        "programs": Path(sys.prefix) / "bin",
        "the lab's programs": top / "autograder" / "hub",
        "the machine's Jupyter": Path("/usr/local/share"),
        "the machine's settings": Path("/etc"),
        "storage": Path("/srv/ustod"),
        "the folder of courses": COURSES,
    }


@pytest.mark.parametrize("what", shared_places())
def test_what_all_share_only_root_writes(scene: Scene, what: str) -> None:
    folder = shared_places()[what]
    assert folder.is_dir()
    assert scene.mallory.is_stopped(f"write_beside({str(folder)!r})"), folder
    assert not (folder / "evil.py").exists()


def test_no_settings_or_modules_of_the_lab_can_be_written_anywhere_below(scene: Scene) -> None:
    """Also those folders that only turn up while the lab runs."""
    below = [str(RUN), sys.prefix, os.environ["HF_HOME"], "/etc", "/srv", "/sys/fs/cgroup"]
    walk = (
        f"[folder for top in {below!r} for folder, _, _ in os.walk(top) if os.access(folder, os.W_OK) and "
        "not os.path.realpath(folder).startswith(os.path.realpath(os.path.expanduser('~')))]"
    )
    found = scene.mallory.gets(walk)
    assert [one for one in found if not one.startswith(f"{RUN}/user/")] == []

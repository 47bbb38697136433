"""Power cuts: a build, an installation and an update that are killed at random moments leave the old or the new."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from offline.bundle.tiny import Project

from autograder.offline.bundle import installer
from autograder.offline.bundle.diff import diff

KILLS = 50

BUILD = """
import sys
from pathlib import Path
from offline.bundle.tiny import Project
Project(Path(sys.argv[1])).build(Path(sys.argv[2]))
"""


def killed(command: list[str], environment: dict[str, str], seconds: float) -> bool:
    """Run `command` and kill it, with all that it started, after `seconds`; whether it was still running."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


@pytest.mark.slow
def test_fifty_kills_at_random_moments(project: Project, made: Path, tmp_path: Path) -> None:
    chance = random.Random(2026)
    stick, update, folder = tmp_path / "stick", tmp_path / "update.pyz", tmp_path / "Устод 1"
    diff(made / "stick", made / "later", update)
    old, new = [1, ["alpha", "1.0"], ["beta", "2.0"]], [2, ["alpha", "1.0"], ["beta", "2.1"]]
    here = os.pathsep.join(sys.path)
    build = [sys.executable, "-c", BUILD, str(project.root), str(stick)]
    install = [sys.executable, str(made / "stick" / "install.py"), "--dir", str(folder)]
    apply = [sys.executable, str(update), "--dir", str(folder)]
    hits, longest = {"build": 0, "install": 0, "apply": 0}, 6.0

    began = time.monotonic()
    assert not killed(build, project.environment(PYTHONPATH=here), 600)
    whole_build = time.monotonic() - began
    want = installer.Bundle(installer.open_source(stick)).id
    while hits["build"] < KILLS // 5:
        subprocess.run(["rm", "-rf", stick, project.root / "cache"], check=True)
        moment = chance.uniform(0, whole_build)
        hits["build"] += killed(build, project.environment(PYTHONPATH=here), moment)
        if stick.exists():  # whole, then: nothing else is ever at that name
            found = installer.Bundle(installer.open_source(stick))
            assert found.id == want
            assert found.verify() == []

    began = time.monotonic()
    assert not killed(install, project.environment(), 600)
    longest = time.monotonic() - began
    subprocess.run(["rm", "-rf", folder], check=True)
    while hits["install"] < KILLS * 2 // 5:
        hits["install"] += killed(install, project.environment(), chance.uniform(0, longest))
        if (folder / "current").exists():
            assert project.run(folder)[:3] == old
            subprocess.run(["rm", "-rf", folder], check=True)
    assert project.install(made / "stick", folder).returncode == 0

    while hits["apply"] < KILLS * 2 // 5:
        hits["apply"] += killed(apply, project.environment(), chance.uniform(0, longest))
        said = project.run(folder)[:3]
        assert said in (old, new)
        if said == new:
            assert project.install(made / "stick", folder).returncode == 0
            assert project.run(folder)[:3] == old
    assert project.install(update, folder).returncode == 0
    assert project.run(folder)[:3] == new
    assert len(list((folder / "app").iterdir())) <= 2  # the one in use and the one before
    assert sum(hits.values()) >= KILLS

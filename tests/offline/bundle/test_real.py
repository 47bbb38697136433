"""The real thing: a bundle of this checkout, installed and used where no network is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from journeys.test_without_network import without_network

from autograder.authoring.agreement import submit
from autograder.authoring.build import build_course
from autograder.authoring.unit import find_units, read_unit
from autograder.offline.bundle import installer
from autograder.offline.bundle.build import Recipe, Wish, build, default_cache, here, this_python
from autograder.offline.bundle.project import TOP

pytestmark = pytest.mark.slow

#: Opens the course as a learner does, asks the address that is printed, and stops it.
LAB = """
import re, subprocess, sys, urllib.request
lab = subprocess.Popen([sys.argv[1], "--no-browser"], stdout=subprocess.PIPE, text=True)
for line in lab.stdout:
    if found := re.search(r"http://127\\S+", line.replace("\\n", "")):
        break
answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(found[0])
print(answer.status)
lab.terminate()
lab.wait()
"""


def test_from_the_checkout_to_a_graded_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = read_unit(find_units(["u04"])[0])
    build_course([unit], "tg", tmp_path / "course")
    submit(unit.name, {"Амина": unit.lesson.reference}, tmp_path / "course")
    notebook = tmp_path / "course" / "submitted" / "Амина" / unit.name / f"{unit.name}.ipynb"

    stick, folder, home = tmp_path / "stick", tmp_path / "барномаи ман 1", tmp_path / "хона"
    wish = Wish(stick, (here(),), (this_python(),), ("u04",), ("tg", "ru", "en"))
    built = build(wish, Recipe(TOP, default_cache()))
    assert installer.Bundle(installer.open_source(stick)).verify() == []
    assert built.size < 900e6

    home.mkdir()
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME", "USTOD_PACKAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    done = without_network("sh", str(stick / "install-on-linux.sh"), "--dir", str(folder), seconds=3000)
    assert done.returncode == 0, done.stderr

    opened = without_network("python3", "-c", LAB, str(folder / "open-the-course"), seconds=1200)
    assert opened.stdout.splitlines()[-1:] == ["200"], opened.stdout + opened.stderr
    assert (home / "ustod" / "tg" / unit.name / f"{unit.name}.ipynb").is_file()
    checked = without_network(str(folder / "ustod"), "check", str(notebook), "--json", seconds=1200)
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["score"] == unit.about.points


def test_every_locked_package_has_a_wheel_for_windows(tmp_path: Path) -> None:
    """It cannot be run here; that it is complete can be seen."""
    out = tmp_path / "windows.pyz"
    build(Wish(out, ("win_amd64",), ("3.11",), ("u01",), models="none"), Recipe(TOP, default_cache()))
    bundle = installer.Bundle(installer.open_source(out))
    assert bundle.verify() == []
    names = [path for target in bundle.manifest["targets"] for path in target["wheels"]]
    assert any("torch-" in name and "win_amd64" in name for name in names)
    assert not [name for name in names if "linux" in name or "macosx" in name]
    listed = subprocess.run(["python3", str(out), "--help"], capture_output=True, text=True, env=dict(os.environ))
    assert "--dir" in listed.stdout

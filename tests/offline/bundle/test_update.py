"""Updates: what they carry, where they fit, and what they leave alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from offline.bundle.tiny import Project

from autograder.errors import UstodError
from autograder.offline.bundle import installer
from autograder.offline.bundle.diff import diff


@pytest.fixture
def folder(project: Project, made: Path, tmp_path: Path) -> Path:
    """An installation of the first edition."""
    place = tmp_path / "барнома 1"
    assert project.install(made / "stick", place).returncode == 0
    return place


def test_an_update_carries_what_changed_and_the_installer(made: Path, tmp_path: Path) -> None:
    update = diff(made / "stick", made / "next", tmp_path / "update.pyz")
    assert set(update.carried) == {"install.py", "ustod/autograder/cli.py", "ustod/course/u01_one/lesson.py"}
    with_wheel = diff(made / "stick" / "manifest.json", made / "later", tmp_path / "more.pyz")
    assert set(with_wheel.carried) - set(update.carried) == {"LICENCES.txt", "wheels/beta-2.1-py3-none-any.whl"}
    for path in ("update.pyz", "more.pyz"):
        assert installer.Bundle(installer.open_source(tmp_path / path)).verify() == []


@pytest.mark.parametrize(("edition", "beta"), [("next", "2.0"), ("later", "2.1")])
def test_an_update_brings_an_installation_to_the_new_edition(
    project: Project, made: Path, folder: Path, tmp_path: Path, edition: str, beta: str
) -> None:
    diff(made / "stick", made / edition, tmp_path / "update.pyz")
    before = (folder / "current").read_text().strip()
    done = project.install(tmp_path / "update.pyz", folder)
    assert done.returncode == 0, done.stderr
    said = project.run(folder)
    assert said[:3] == [2, ["alpha", "1.0"], ["beta", beta]]
    assert Path(str(said[3])).name != before
    program = Path(str(said[3])) / "bin" / "alpha"  # taken over, and it names its new Python
    assert subprocess.run([program], capture_output=True, text=True).stdout == "['alpha', '1.0']\n"
    assert before not in program.read_text()
    again = project.install(made / edition, folder)
    assert "installed already" in again.stdout


def test_what_the_user_installed_on_top_is_taken_along(
    project: Project, made: Path, folder: Path, tmp_path: Path
) -> None:
    from offline.bundle.tiny import write_wheel

    extra = write_wheel(tmp_path, "gamma", "0.5", {"gamma/__init__.py": "def main():\n    print('mine')\n"})
    python = next((folder / "app").iterdir()) / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-index", str(extra)], check=True)
    diff(made / "stick", made / "next", tmp_path / "update.pyz")
    assert project.install(tmp_path / "update.pyz", folder).returncode == 0
    program = Path(str(project.run(folder)[3])) / "bin" / "gamma"
    assert subprocess.run([program], capture_output=True, text=True).stdout == "mine\n"


def test_an_update_fits_the_edition_that_it_was_made_for_and_no_other(
    project: Project, made: Path, folder: Path, tmp_path: Path
) -> None:
    diff(made / "next", made / "later", tmp_path / "update.pyz")
    before = (folder / "current").read_text()
    done = project.install(tmp_path / "update.pyz", folder)
    assert done.returncode == 1
    assert "belongs to the bundle" in done.stderr
    assert (folder / "current").read_text() == before
    assert project.run(folder)[0] == 1

    nowhere = project.install(tmp_path / "update.pyz", tmp_path / "nowhere")
    assert nowhere.returncode == 1
    assert "install from a whole stick first" in nowhere.stderr


@pytest.mark.parametrize("name", ["alpha/__init__.py", "course/u02_two/lesson.py"])
def test_an_update_refuses_what_was_changed_since_and_a_whole_stick_mends_it(
    project: Project, made: Path, folder: Path, tmp_path: Path, name: str
) -> None:
    diff(made / "stick", made / "next", tmp_path / "update.pyz")
    changed = next(path for path in (folder / "app").rglob(name) if path.is_file())
    changed.write_text("VALUE = 'spoiled'")
    done = project.install(tmp_path / "update.pyz", folder)
    assert done.returncode == 1
    assert str(changed) in done.stderr
    assert "whole stick" in done.stderr
    assert project.install(made / "next", folder).returncode == 0
    assert project.run(folder)[:3] == [2, ["alpha", "1.0"], ["beta", "2.0"]]


def test_a_damaged_update_changes_nothing(project: Project, made: Path, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "update.pyz"
    diff(made / "stick", made / "next", path)
    whole = path.read_bytes()
    before = (folder / "current").read_text()
    for at in range(0, len(whole), len(whole) // 12):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        path.write_bytes(damaged)
        command = ["--verify"]
        assert subprocess.run(["python3", made / "stick" / "install.py", path, *command]).returncode == 1
    path.write_bytes(whole[: len(whole) // 2])
    done = project.install(made / "stick", folder, str(path))
    assert done.returncode == 1
    assert (folder / "current").read_text() == before
    assert project.run(folder)[0] == 1


def test_wrong_pairs_are_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UstodError, match="nothing to update"):
        diff(made / "stick", made / "one.pyz", tmp_path / "update.pyz")
    with pytest.raises(UstodError, match=r"end in \.pyz"):
        diff(made / "stick", made / "next", tmp_path / "update.zip")
    with pytest.raises(UstodError, match="no bundle"):
        diff(tmp_path / "absent", made / "next", tmp_path / "update.pyz")
    diff(made / "stick", made / "next", tmp_path / "update.pyz")
    with pytest.raises(UstodError, match="an update itself"):
        diff(made / "stick", tmp_path / "update.pyz", tmp_path / "second.pyz")


def test_an_update_keeps_the_notebooks_of_the_learner(
    project: Project, made: Path, folder: Path, tmp_path: Path
) -> None:
    mine = project.home / "ustod" / "tg" / "u01_one" / "u01_one.ipynb"
    mine.parent.mkdir(parents=True)
    mine.write_text(json.dumps({"cells": [], "mine": True}))
    stamp = mine.stat().st_mtime_ns
    diff(made / "stick", made / "next", tmp_path / "update.pyz")
    assert project.install(tmp_path / "update.pyz", folder).returncode == 0
    assert mine.stat().st_mtime_ns == stamp

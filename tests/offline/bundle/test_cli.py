"""The command `ustod bundle`, as somebody types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from offline.bundle.tiny import Project
from shared import Ustod


@pytest.mark.parametrize(
    "options",
    [
        ["--out", "x.tar.zst"],
        ["--out", "x", "--with", "models:some"],
        ["--out", "x", "--platform", "amiga"],
        ["--out", "x", "--python", "2.7"],
        ["--out", "x", "--lang", "xx"],
        ["--out", "x", "--split", "0"],
        ["--out", "x.pyz", "--split", "1G"],
        [],
    ],
)
def test_wrong_options_are_wrong_usage(ustod: Ustod, options: list[str]) -> None:
    done = ustod("bundle", "build", *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_verify_says_what_is_wrong_in_words_and_in_json(ustod: Ustod, stick: Path) -> None:
    assert ustod("bundle", "verify", stick).returncode == 0
    (stick / "LICENCES.txt").unlink()
    told = ustod("bundle", "verify", stick)
    assert told.returncode == 1
    assert "LICENCES.txt: missing" in told.stderr
    assert json.loads(ustod("bundle", "verify", stick, "--json").stdout)["faults"] == ["LICENCES.txt: missing"]
    assert "no bundle at" in ustod("bundle", "verify", stick / "absent").stderr


def test_install_diff_and_apply_make_one_road(ustod: Ustod, project: Project, made: Path, tmp_path: Path) -> None:
    folder, update = tmp_path / "барнома 1", tmp_path / "update.pyz"
    home = {"HOME": str(project.home)}
    assert ustod("bundle", "install", made / "one.pyz", folder, **home).returncode == 0
    written = json.loads(ustod("bundle", "diff", made / "stick", made / "next", "--out", update, "--json").stdout)
    assert written["size"] == update.stat().st_size
    assert ustod("bundle", "apply", made / "stick", folder, **home).returncode == 1
    done = ustod("bundle", "apply", update, folder, **home)
    assert done.returncode == 0, done.stderr
    assert project.run(folder)[0] == 2

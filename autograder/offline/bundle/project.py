"""The project's own files, as an installed `ustod` has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from autograder.errors import UstodError
from autograder.offline.bundle.contents import Content

TOP = Path(__file__).resolve().parents[3]
_WITHOUT_GIT = ("__pycache__", ".*", "build", "dist", "demo", "*.egg-info")


def demand_checkout(top: Path = TOP) -> None:
    """Raise UstodError where this is an installed copy: a bundle is made from the project's own tree."""
    if not (top / "pyproject.toml").is_file() or not (top / "environments" / "requirements").is_dir():
        raise UstodError(f"A bundle is made from a checkout of the project, which {top} is not: run this in one.")


def project_files(top: Path, units: list[str] | None = None) -> list[Content]:
    """What the wheel of the checkout at `top` holds, without its RECORD, which the installer writes.

    Args:
        units: folders of the course to carry, such as `u04_tokenization`; all of them if None.

    Raises:
        UstodError: if the wheel cannot be built.
    """
    with tempfile.TemporaryDirectory(prefix="ustod-wheel-") as temporary:
        tree, out = Path(temporary) / "tree", Path(temporary) / "out"
        _copy_tree(top, tree)
        wheel = _build_wheel(tree, out)
        with zipfile.ZipFile(wheel) as archive:
            names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
            return [
                Content.of_bytes(f"ustod/{name}", "ustod", archive.read(name))
                for name in names
                if not name.endswith(".dist-info/RECORD") and _is_wanted(name, units)
            ]


def unit_folders(top: Path, wanted: list[str] | None = None) -> list[str]:
    """The folders of the course's units; those of `wanted`, `u04` or `u04_tokenization`, where it is given.

    Raises:
        UstodError: for a unit that the course does not have.
    """
    folders = sorted(path.parent.name for path in (top / "course").glob("u*/unit.toml"))
    if wanted is None:
        return folders
    chosen = [name for name in folders if name in wanted or name.partition("_")[0] in wanted]
    for name in wanted:
        if not any(name in (folder, folder.partition("_")[0]) for folder in chosen):
            raise UstodError(f"The course has no unit {name}: choose from {', '.join(folders)}.")
    return chosen


def _is_wanted(name: str, units: list[str] | None) -> bool:
    match = re.match(r"course/(u\d\d_[^/]+)/", name)
    return units is None or match is None or match[1] in units


def _copy_tree(top: Path, tree: Path) -> None:
    """Copy what belongs to the project: what git knows of, or, without git, all but what tools leave behind."""
    git = [
        "git",
        "-C",
        str(top),
        "ls-files",
        "-z",
        "--",
        "autograder",
        "course",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    ]
    try:
        listed = subprocess.run(git, capture_output=True, check=True).stdout.decode("utf-8", "surrogateescape")
    except (OSError, subprocess.CalledProcessError):
        listed = ""
    if not listed:
        shutil.copytree(top, tree, ignore=shutil.ignore_patterns(*_WITHOUT_GIT))
        return
    for name in filter(None, listed.split("\0")):
        if (top / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(top / name, tree / name)


def _build_wheel(tree: Path, out: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(out), str(tree)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    wheels = list(out.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        if "No space left on device" in done.stderr + done.stdout:
            raise OSError(28, "No space left on device", str(out))
        last = " / ".join((done.stderr or done.stdout).splitlines()[-3:])
        raise UstodError(f"The project's own wheel could not be built ({last[:400]}): run make setup and try again.")
    return wheels[0]

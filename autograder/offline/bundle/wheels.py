"""Brings the wheels of a target with pip, once: what has come and is whole stays for the next time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.offline.bundle.targets import PLATFORMS, Target
from autograder.offline.store import sha256_of

#: Wheels asked for in one call of pip: what a cut link can cost.
_BATCH = 8
_RETRIES = 5

Progress = Callable[[int, int], None]
"""Called with how many of how many wheels are there."""


@dataclass(frozen=True)
class Wheel:
    """One wheel on the disk; `unpacked` is what it takes when installed, in bytes, `longest` its longest path."""

    path: Path
    size: int
    sha256: str
    unpacked: int
    longest: int


def bring(target: Target, cache: Path, indexes: list[str], progress: Progress) -> list[Wheel]:
    """The wheels of `target`, in the order of its requirements, from `cache` or with pip.

    Args:
        cache: a folder of this target's own.
        indexes: package indexes to be asked beside pip's own.

    Raises:
        UstodError: if pip cannot bring one, or no wheel of it fits the target.
    """
    cache.mkdir(parents=True, exist_ok=True)
    known = _known(cache)
    missing = [pin for pin in target.requirements if pin not in known]
    progress(len(target.requirements) - len(missing), len(target.requirements))
    for start in range(0, len(missing), _BATCH):
        known |= _download(target, missing[start : start + _BATCH], cache, indexes)
        write_text(
            _list(cache), json.dumps({pin: _told(wheel) for pin, wheel in sorted(known.items())}, indent=1) + "\n"
        )
        progress(sum(pin in known for pin in target.requirements), len(target.requirements))
    return [known[pin] for pin in target.requirements]


def _list(cache: Path) -> Path:
    return cache / "wheels.json"


def _told(wheel: Wheel) -> dict[str, object]:
    return {**vars(wheel), "path": wheel.path.name}


def _known(cache: Path) -> dict[str, Wheel]:
    """Wheels that an earlier run brought and that are still whole."""
    try:
        told = json.loads(_list(cache).read_text("utf-8"))
        wheels = {pin: Wheel(**{**wheel, "path": cache / wheel["path"]}) for pin, wheel in told.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {
        pin: wheel for pin, wheel in wheels.items() if wheel.path.is_file() and sha256_of(wheel.path) == wheel.sha256
    }


def _download(target: Target, pins: list[str], cache: Path, indexes: list[str]) -> dict[str, Wheel]:
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=cache) as partial:
        folder = Path(partial)
        said = _pip(target, pins, folder, indexes)
        arrived = {_pin_of(path): path for path in sorted(folder.glob("*.whl"))}
        brought = {}
        for pin in pins:
            requirement = Requirement(pin)
            path = arrived.get(canonicalize_name(requirement.name))
            if path is None:
                raise UstodError(_refusal(target, pin, said))
            brought[pin] = _keep(path, cache)
        return brought


def _pip(target: Target, pins: list[str], folder: Path, indexes: list[str]) -> str:
    """Let pip download `pins` into `folder`; returns what it said if it failed."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
        "--retries",
        str(_RETRIES),
    ]
    command += ["--only-binary", ":all:", "--dest", str(folder), "--disable-pip-version-check"]
    for tag in PLATFORMS[target.platform].tags:
        command += ["--platform", tag]
    for abi in (target.interpreter, "abi3", "none"):
        command += ["--abi", abi]
    command += ["--implementation", "cp", "--python-version", ".".join(map(str, target.first))]
    for index in indexes:
        command += ["--extra-index-url", index]
    done = subprocess.run(
        [*command, *pins], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=_environment(folder)
    )
    if "No space left on device" in done.stderr:
        raise OSError(28, "No space left on device", str(folder))
    return done.stderr if done.returncode else ""


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder), "LC_ALL": "C"}


def _pin_of(path: Path) -> str:
    return parse_wheel_filename(path.name)[0]


def _refusal(target: Target, pin: str, said: str) -> str:
    """What to tell of `pin`, which did not come: named by pip if one of a batch is to blame."""
    named = re.search(r"No matching distribution found for (\S+)", said)
    if named:
        return (
            f"No wheel of {named[1]} fits {target.name}: pin a version that has one in environments/requirements, or "
            "leave that platform out."
        )
    last = " / ".join(line.strip() for line in said.splitlines()[-2:] if line.strip()) or "it said nothing"
    return f"pip could not bring {pin} for {target.name} ({last[:300]}): see that the network is up and run this again."


def _keep(path: Path, cache: Path) -> Wheel:
    """Move a wheel that pip brought, and checked, into the cache, where only whole ones are."""
    try:
        with zipfile.ZipFile(path) as wheel:
            unpacked = sum(info.file_size for info in wheel.infolist())
            longest = max(len(name) for name in wheel.namelist())
    except zipfile.BadZipFile as error:
        raise UstodError(f"{path.name} that pip brought is no wheel ({error}): run this again.") from error
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    place = cache / path.name
    shutil.move(path, place)
    return Wheel(place, place.stat().st_size, sha256_of(place), unpacked, longest)

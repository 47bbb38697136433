"""Gathers everything that a bundle is to hold and writes it. What was brought stays in a cache for the next time."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import autograder
from autograder.errors import UstodError
from autograder.files import needs_room
from autograder.offline import manifest as assets_manifest
from autograder.offline import packages
from autograder.offline.bundle import installer, lab, licences, write
from autograder.offline.bundle.contents import Content, sizes
from autograder.offline.bundle.licences import Work
from autograder.offline.bundle.project import demand_checkout, project_files, unit_folders
from autograder.offline.bundle.stick import stick_files
from autograder.offline.bundle.targets import GLIBC, PLATFORMS, Target, read_locked, targets
from autograder.offline.bundle.wheels import Wheel, bring

MODELS = ("none", "small", "all")
LANGUAGES = ("en", "tg", "ru")
#: Run at the end of an installation: what a learner's first minute needs.
TRIAL = "import autograder.cli, torch, transformers, datasets, jupyterlab, nbgrader"


@dataclass(frozen=True)
class Wish:
    """What somebody wants on a stick.

    Attributes:
        out: a folder, or a file that ends in `.pyz`.
        platforms: names of `PLATFORMS`.
        pythons: versions such as `3.11`.
        units: units to carry, `u04` or `u04_tokenization`; all of the course if None.
        languages: the first is the one in which the course opens.
        models: `small`, those that the units need; `all`, every one of course/assets.toml; or `none`.
        with_lab: whether the lab server is on it too, for Linux.
        piece: bytes of a piece, if the zip is to be cut.
    """

    out: Path
    platforms: tuple[str, ...]
    pythons: tuple[str, ...]
    units: tuple[str, ...] | None = None
    languages: tuple[str, ...] = LANGUAGES
    models: str = "small"
    with_lab: bool = False
    piece: int | None = None


@dataclass(frozen=True)
class Recipe:
    """What a bundle is made from, on this machine: the checkout, its locks, its assets, a cache."""

    top: Path
    cache: Path
    trial: str = TRIAL
    assets: Path | None = None
    own: list[Content] | None = field(default=None)


@dataclass(frozen=True)
class Built:
    """What was written: the bundle's id, and files and bytes by part."""

    id: str
    parts: dict[str, tuple[int, int]]
    size: int


class Listener:
    """Told how a build goes. This one keeps quiet; the command line has one that draws a bar."""

    def step(self, text: str, done: int, total: int) -> None:
        """`done` of `total` of the step called `text` are done."""

    def note(self, text: str) -> None:
        """Something worth a line, which stops nothing."""


def default_cache() -> Path:
    """Where wheels and packages of bundles are kept: USTOD_BUNDLE_CACHE, or a folder of the user's cache."""
    if named := os.environ.get("USTOD_BUNDLE_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ustod" / "bundle"


def build(wish: Wish, recipe: Recipe, listener: Listener | None = None) -> Built:
    """Write the bundle that `wish` describes. Same checkout, locks and packages, same bytes.

    Safe to kill at any moment: nothing half-made is at `wish.out`, and the next run goes on with what was brought.

    Raises:
        UstodError: if something cannot be brought, or `wish.out` is something else already, or the disk is full.
    """
    listener = listener or Listener()
    demand_checkout(recipe.top)
    try:
        recipe.cache.mkdir(parents=True, exist_ok=True)
        wish.out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UstodError(f"{error.filename} cannot be written ({error.strerror}): choose another place.") from error
    with needs_room(recipe.cache, wish.out.parent):
        contents, manifest = gather(wish, recipe, listener)
        total = sum(content.size for content in contents)
        _write(wish, contents, lambda done: listener.step("writing", done, total))
    return Built(str(manifest["id"]), sizes(contents), total)


def _write(wish: Wish, contents: list[Content], progress: write.Progress) -> None:
    if wish.piece is not None:
        beside = [c for c in contents if c.part == "stick" and "/" not in c.path and c.path != installer.MANIFEST]
        write.write_pieces(contents, wish.out, wish.piece, beside, progress)
    elif wish.out.suffix == ".pyz":
        write.write_zip(contents, wish.out, progress)
    else:
        write.write_folder(contents, wish.out, progress)


def gather(wish: Wish, recipe: Recipe, listener: Listener) -> tuple[list[Content], dict[str, Any]]:
    """Every file of the bundle, sorted by path, and its manifest, which is the last of them."""
    units = unit_folders(recipe.top, list(wish.units) if wish.units is not None else None)
    wheels = _wheels(wish, recipe, listener)
    own = recipe.own if recipe.own is not None else project_files(recipe.top, units if wish.units is not None else None)
    carried, works = _assets(wish, recipe, units, listener)
    contents = _distinct([_content(wheel) for brought in wheels.values() for wheel in brought])
    contents += [*own, *(content for group in carried.values() for content in group)]
    works += [licences.work_of(c.source) for c in contents if c.part == "wheels" and isinstance(c.source, Path)]
    if wish.with_lab:
        extra, more = lab.lab_files(recipe.top, recipe.cache, listener.note)
        contents += extra
        works += more
    works.append(_own_work(recipe.top))
    contents.append(Content.of_bytes("LICENCES.txt", "stick", licences.write_licences(works).encode()))
    contents += stick_files(recipe.top)
    contents.sort(key=lambda content: content.path)
    manifest = {
        "format": installer.FORMAT,
        "version": autograder.__version__,
        "made": _date(recipe.top),
        "languages": list(wish.languages),
        "units": units,
        "trial": recipe.trial,
        "targets": [_target(target, brought) for target, brought in wheels.items()],
        "assets": [{"name": name, "packages": [c.path for c in group]} for name, group in carried.items()],
        "files": [{"path": c.path, "size": c.size, "sha256": c.sha256, "part": c.part, **c.about} for c in contents],
    }
    manifest["id"] = installer.identity(manifest)
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return [*contents, Content.of_bytes(installer.MANIFEST, "stick", text.encode())], manifest


def _wheels(wish: Wish, recipe: Recipe, listener: Listener) -> dict[Target, list[Wheel]]:
    requirements = recipe.top / "environments" / "requirements"
    installing = read_locked(requirements / "bundle.txt")
    found: dict[Target, list[Wheel]] = {}
    for platform in wish.platforms:
        if platform not in PLATFORMS:
            raise UstodError(f"No bundle is made for {platform}: choose from {', '.join(PLATFORMS)}.")
        linux = platform.startswith("linux")
        name = "server.txt" if wish.with_lab and linux else "student.txt"
        locked = [*read_locked(requirements / name), *installing]
        for python in wish.pythons:
            for target in targets(platform, python, locked):
                folder = recipe.cache / "wheels" / target.name
                indexes = _indexes(recipe.top) if linux else []
                found[target] = bring(target, folder, indexes, _counting(target, listener))
    return found


def _counting(target: Target, listener: Listener) -> Any:
    return lambda done, total: listener.step(f"packages for {target.name}", done, total)


def _indexes(top: Path) -> list[str]:
    """The index of torch for machines without a graphics card, where it answers; set-up knows it."""
    spec = importlib.util.spec_from_file_location("ustod_setup", top / "environments" / "setup.py")
    if spec is None or spec.loader is None or not (top / "environments" / "setup.py").is_file():
        return []
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    return [setup.TORCH_CPU_INDEX] if setup.answers(setup.TORCH_CPU_INDEX) else []


def _content(wheel: Wheel) -> Content:
    about = {"unpacked": wheel.unpacked, "longest": wheel.longest}
    return Content(f"wheels/{wheel.path.name}", "wheels", wheel.path, wheel.size, wheel.sha256, about)


def _distinct(contents: Iterable[Content]) -> list[Content]:
    """Each path once. Raises UstodError where two different wheels have one name."""
    found: dict[str, Content] = {}
    for content in contents:
        other = found.setdefault(content.path, content)
        if other.sha256 != content.sha256:
            raise UstodError(f"{other.source!s} and {content.source!s} differ: delete both and run this again.")
    return list(found.values())


def _target(target: Target, wheels: list[Wheel]) -> dict[str, object]:
    return {
        "platform": target.platform,
        "from": list(target.first),
        "before": list(target.end),
        "glibc": list(GLIBC),
        "wheels": [f"wheels/{wheel.path.name}" for wheel in wheels],
    }


def _assets(
    wish: Wish, recipe: Recipe, units: list[str], listener: Listener
) -> tuple[dict[str, list[Content]], list[Work]]:
    """The package files of the data and models wished for, and whose work they are."""
    known = assets_manifest.load(recipe.assets or recipe.top / "course" / "assets.toml")
    needed = _needed(recipe.top, units)
    small = [
        asset for asset in known if asset.name in needed or {u.partition("_")[0] for u in units} & set(asset.units)
    ]
    wanted = {"none": [], "small": small, "all": known}[wish.models]
    found: dict[str, list[Content]] = {}
    works: list[Work] = []
    for number, asset in enumerate(wanted):
        listener.step("data and models", number, len(wanted))
        kept = recipe.cache / "assets" / asset.slug
        found[asset.name] = []
        for package in asset.package:
            path = packages.obtain(asset, package, kept, lambda done: None, listener.note)
            found[asset.name].append(Content.of_file(f"assets/{asset.slug}/{path.name}", "assets", path))
            works.append(licences.work_of(path, asset.licence))
    if wanted:
        listener.step("data and models", len(wanted), len(wanted))
    return found, works


def _needed(top: Path, units: list[str]) -> set[str]:
    """Names of the data and models that `units` say they need."""
    about = (tomllib.loads((top / "course" / unit / "unit.toml").read_text("utf-8")) for unit in units)
    return {name for unit in about for name in unit.get("assets", [])}


def _own_work(top: Path) -> Work:
    text = (top / "LICENSE").read_text("utf-8").strip()
    return Work("ustod", autograder.__version__, "BSD-3-Clause AND CC-BY-4.0", (text,))


def _date(top: Path) -> str:
    """When the checkout was last changed, as its history says; SOURCE_DATE_EPOCH comes first."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if seconds is None:
        asked = subprocess.run(["git", "-C", str(top), "log", "-1", "--format=%ct"], capture_output=True, text=True)
        seconds = asked.stdout.strip() or "0"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def here() -> str:
    """The platform that this machine is."""
    return installer.this_platform()


def this_python() -> str:
    """`3.11`, of the Python that runs this."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"

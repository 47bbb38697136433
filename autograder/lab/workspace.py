"""A learner's folder: notebooks of the course are put there, and what the learner changed is never touched."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.build import build_course
from autograder.authoring.unit import Unit
from autograder.errors import UstodError
from autograder.files import write_bytes, write_text

#: Remembers what was put into the folder, to tell a file that the learner changed from one that is merely old.
PLACED = ".ustod-placed.json"


@dataclass(frozen=True)
class Placement:
    """What `fill_workspace` did.

    Attributes:
        notebooks: the learner's notebooks, in the order of the units.
        kept: files that have a newer version in the course but that the learner has changed.
    """

    notebooks: list[Path]
    kept: list[Path]


def fill_workspace(units: list[Unit], language: str, folder: Path) -> Placement:
    """Put the self-study edition of `units` into `folder`; files that the learner has changed stay as they are.

    Raises:
        UstodError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ustod-lab-") as temporary:
            build_course(units, language, Path(temporary), edition="self-study")
            return _place(units, Path(temporary) / "release", folder)
    except OSError as error:
        raise UstodError(
            f"The folder {folder} cannot be written: {error.strerror}; choose another with --dir."
        ) from error


def _place(units: list[Unit], released: Path, folder: Path) -> Placement:
    memory = folder / PLACED
    placed: dict[str, str] = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
    kept = []
    for unit in units:
        for path in sorted(released.joinpath(unit.name).rglob("*")):
            if not path.is_file():
                continue
            name = path.relative_to(released)
            target = folder / name
            if target.exists() and _digest(target) not in (placed.get(name.as_posix()), _digest(path)):
                kept.append(target)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(target, path.read_bytes())
            shutil.copymode(path, target)
            placed[name.as_posix()] = _digest(path)
    write_text(memory, json.dumps(placed, indent=1, sort_keys=True) + "\n")
    return Placement([folder / unit.name / f"{unit.name}.ipynb" for unit in units], kept)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

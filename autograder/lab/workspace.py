"""A learner's folder: notebooks of the course are put there, and what the learner wrote in them stays."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from filelock import FileLock
from nbformat import NotebookNode

from autograder.authoring.build import build_course
from autograder.authoring.unit import Unit
from autograder.errors import UstodError
from autograder.files import write_bytes, write_text
from autograder.lab import versions
from autograder.lab.jupyterlab import is_open
from autograder.lab.matching import content, graded
from autograder.lab.merging import merge
from autograder.lab.versions import digest
from autograder.student.texts import Texts

#: Remembers what was put into the folder, to tell a file that the learner changed from one that is merely old.
PLACED = ".ustod-placed.json"
#: Held while the folder is filled: a launcher that is clicked twice starts twice.
LOCK = ".ustod-lab.lock"


@dataclass(frozen=True)
class Merged:
    """A notebook that has the course's new text around the learner's answers, and a copy of it as it was before."""

    notebook: Path
    before: Path


@dataclass(frozen=True)
class Placement:
    """What `fill_workspace` did.

    Attributes:
        notebooks: the learner's notebooks, in the order of the units.
        merged: those that the learner has worked in and the course has changed.
        waiting: notebooks that the course has changed while a Jupyter server has them open: they stay as they are.
        kept: files that have a newer version in the course, which cannot be brought into what the learner made of them.
    """

    notebooks: list[Path]
    merged: list[Merged] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)


def fill_workspace(units: list[Unit], language: str, folder: Path) -> Placement:
    """Put the self-study edition of `units` into `folder`; what the learner wrote in notebooks that are there stays.

    Whenever it is killed, each notebook is there as it was before or as it is to be, and the next call goes on.

    Raises:
        UstodError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ustod-lab-") as temporary:
            build_course(units, language, Path(temporary), edition="self-study")
            return place([unit.name for unit in units], Path(temporary) / "release", folder, Texts(language))
    except OSError as error:
        raise UstodError(
            f"The folder {folder} cannot be written: {error.strerror}; choose another with --dir."
        ) from error


def place(units: Sequence[str], released: Path, folder: Path, texts: Texts) -> Placement:
    """Put the `units` that were `released` into the learner's `folder`.

    Args:
        units: their names.
        released: a folder with a folder for each unit, as nbgrader releases it.
        folder: the learner's; it is there.
        texts: the words of notes in notebooks and of names of files.

    Raises:
        OSError: if the folder cannot be written.
    """
    with FileLock(folder / LOCK):
        return _Filling(folder, texts).place(units, released)


class _Filling:
    """One filling of a learner's folder."""

    def __init__(self, folder: Path, texts: Texts) -> None:
        self._folder = folder
        self.texts = texts
        memory = folder / PLACED
        self._placed: dict[str, str] = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}

    def place(self, units: Sequence[str], released: Path) -> Placement:
        """As the function."""
        done = Placement([self._folder / unit / f"{unit}.ipynb" for unit in units])
        for unit in units:
            for path in sorted(released.joinpath(unit).rglob("*")):
                if path.is_file():
                    self._place_file(path, path.relative_to(released).as_posix(), done)
        write_text(self._folder / PLACED, json.dumps(self._placed, indent=1, sort_keys=True) + "\n")
        return done

    def _place_file(self, path: Path, name: str, done: Placement) -> None:
        target = self._folder / name
        released = path.read_bytes()
        is_notebook = path.suffix == ".ipynb"
        data = versions.stamped(released) if is_notebook else released
        if is_notebook:
            versions.keep(self._folder, versions.read(data))
        there = target.read_bytes() if target.exists() else None
        if there is None or digest(there) in (self._placed.get(name), digest(data)):
            if there is not None and there != data and is_notebook and self._is_open:
                done.waiting.append(target)
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            if there != data:
                write_bytes(target, data)
                shutil.copymode(path, target)
            self._placed[name] = digest(data)
        elif not is_notebook:
            done.kept.append(target)
        elif self._placed.get(name) != digest(released):  # as an earlier Ustod placed it, and the course is the same
            self._merge(target, there, versions.read(data), self._placed.get(name, ""), done)

    def _merge(self, target: Path, there: bytes, course: NotebookNode, began: str, done: Placement) -> None:
        """Bring the newer `course` into the notebook at `target`, which is `there`.

        Args:
            began: the version that it began as, if it does not say.
        """
        try:
            mine = versions.read(there)
            versions.written(mine)
        except Exception:  # whatever the file may hold
            mine = None
        if mine is None or not _belong_together(mine, course):
            done.kept.append(target)
            return
        version = versions.version_of(mine) or began
        if version == versions.version_of(course):
            return
        if self._is_open:
            done.waiting.append(target)
            return
        merged = merge(versions.find(self._folder, version), course, mine, self.texts)
        if _visible(merged) != _visible(mine):
            done.merged.append(Merged(target, self._copy(target, there)))
        write_bytes(target, versions.written(merged), target.stat().st_mode & 0o777)

    def _copy(self, path: Path, data: bytes) -> Path:
        """A copy of the notebook `path`, which holds `data`, beside it; one that is there already will do."""
        for other in path.parent.glob("*.ipynb"):
            if other != path and other.is_file() and other.read_bytes() == data:
                return other
        date = datetime.now().strftime("%Y-%m-%d %H.%M")
        name = self.texts("{name} (before {date})", name=path.stem, date=date)
        place, number = path.with_name(f"{name}.ipynb"), 1
        while place.exists():
            number += 1
            place = path.with_name(f"{name} {number}.ipynb")
        write_bytes(place, data, path.stat().st_mode & 0o777)
        return place

    @cached_property
    def _is_open(self) -> bool:
        return is_open(self._folder)


def _belong_together(mine: NotebookNode, course: NotebookNode) -> bool:
    """Whether `mine` is of the same unit, by what it says or by a cell that the grader knows."""
    about = mine.metadata.get("ustod")
    names = {graded(cell)["grade_id"] for cell in course.cells if graded(cell)}
    return (isinstance(about, dict) and about.get("unit") == course.metadata.ustod.unit) or any(
        graded(cell).get("grade_id") in names for cell in mine.cells
    )


def _visible(notebook: NotebookNode) -> list[object]:
    return [(content(cell), cell.get("outputs")) for cell in notebook.cells]

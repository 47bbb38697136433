"""`ustod collect`: take submissions from zips, folders and single notebooks (a stick, e-mail, a download of an LMS)."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from autograder.errors import UstodError
from autograder.grading.course import Course

#: A zip that unpacks to more than this is refused: a course's submission is a few hundred kilobytes.
MAX_BYTES = 500_000_000
_BAD_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f]|^\.')


@dataclass
class Collected:
    """What `collect` did, as "student/assignment"; problems are sentences."""

    taken: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def collect(course: Course, paths: list[Path], student: str | None = None) -> Collected:
    """Put every submission found in `paths` under ``submitted/`` of `course`.

    A notebook belongs to the assignment of its file name, and to `student` or else to the person after whom the zip or
    the folder right below the path is named. What was there before is moved to ``.ustod/replaced``, never lost.
    """
    with course.gradebook() as gradebook:
        known = {notebook.name: entry.name for entry in gradebook.assignments for notebook in entry.notebooks}
    done = Collected()
    for path in paths:
        try:
            with as_folder(path) as folder:
                for notebook in _notebooks(folder, known):
                    owner = student or _owner(path, notebook.relative_to(folder))
                    _take(course, owner, known[notebook.stem], notebook, done)
        except UstodError as error:
            done.problems.append(str(error))
    if not (done.taken or done.unchanged or done.problems):
        where = ", ".join(map(str, paths))
        done.problems.append(f"No notebook of this course ({', '.join(sorted(known))}) was found in {where}.")
    return done


@contextmanager
def as_folder(path: Path) -> Iterator[Path]:
    """The folder `path`, or one for a while with what the zip or the notebook `path` holds.

    Raises:
        UstodError: if there is no such thing, or the zip is not one to be unpacked.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise UstodError(f"There is no file or folder {path}.")
    with tempfile.TemporaryDirectory(prefix="ustod-collect-") as temporary:
        folder = Path(temporary)
        if path.suffix == ".ipynb":
            shutil.copy2(path, folder / path.name)
        else:
            _unzip(path, folder)
        yield folder


def _unzip(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise UstodError(f"The zip {path} unpacks to more than {MAX_BYTES // 10**6} MB; it was left alone.")
            for entry in entries:
                name = PurePosixPath(entry.filename)
                if name.is_absolute() or ".." in name.parts:
                    raise UstodError(f"The zip {path} has a file outside it, {entry.filename!r}; it is left alone.")
                target = Path(archive.extract(entry, folder))
                when = time.mktime((*entry.date_time, 0, 0, -1))
                os.utime(target, (when, when))
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise UstodError(f"The file {path} cannot be read as a zip: {error}.") from None


def _notebooks(folder: Path, known: dict[str, str]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.ipynb")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.stem in known and path.is_file() and not path.is_symlink() and not hidden:
            yield path


def _owner(path: Path, inside: Path) -> str:
    owner = inside.parts[0] if path.is_dir() and len(inside.parts) > 1 else path.resolve().stem
    if path.suffix == ".ipynb":
        raise UstodError(f"Whose is {path}? Say it with --student NAME.")
    if _BAD_IN_NAMES.search(owner):
        raise UstodError(f"{owner!r} in {path} cannot be a student's name; rename the file or use --student.")
    return owner


def _take(course: Course, student: str, assignment: str, notebook: Path, done: Collected) -> None:
    if _BAD_IN_NAMES.search(student):
        raise UstodError(f"{student!r} cannot be a student's name; it may not hold / \\ : * ? or start with a dot.")
    target = course.folder("submitted", student, assignment)
    name = f"{student}/{assignment}"
    present = target / notebook.name
    if present.is_file() and present.read_bytes() == notebook.read_bytes():
        done.unchanged.append(name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".ustod-", dir=target.parent))
    try:
        for path in notebook.parent.iterdir():
            if path.is_file() and not path.is_symlink() and (path.suffix != ".ipynb" or path == notebook):
                shutil.copy2(path, staged / path.name)
        when = datetime.fromtimestamp(notebook.stat().st_mtime, UTC)
        (staged / "timestamp.txt").write_text(f"{when:%Y-%m-%d %H:%M:%S} UTC")
        os.chmod(staged, 0o755)
        if target.exists():
            kept = course.root / ".ustod" / "replaced" / student / assignment / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.rename(target, kept)
        os.rename(staged, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    done.taken.append(name)

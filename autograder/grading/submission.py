"""A folder that a student handed in, which may hold anything: its files, and why it may have to be left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path

from nbgrader.utils import parse_utc

MB = 10**6
#: What a submission may hold: half of what a notebook may have on its disk, so that it can write as much again.
MOST_FILES, MOST_BYTES, DEEPEST = 10_000, 250 * MB, 200
#: A notebook takes about twenty times its size in memory while it is graded.
MOST_NOTEBOOK = 32 * MB
TIMESTAMP, LONGEST_TIMESTAMP = "timestamp.txt", 1000


def plain_files(folder: Path, ignore: Sequence[str] = ()) -> Iterator[Path]:
    """Every file below `folder` in a fixed order, as paths that begin with it; none if it is not there.

    Links are left out, since they may lead anywhere, and so is what is neither file nor folder.

    Args:
        ignore: globs for the names of files and folders to leave out, as nbgrader's setting ``ignore``.

    Raises:
        OSError: if a folder cannot be read.
    """
    folders = [folder] if folder.is_dir() else []
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_symlink() or any(_fits(entry.name, glob) for glob in ignore):
                    continue
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.is_file():
                    yield Path(entry.path)


def _fits(name: str, glob: str) -> bool:
    """As in a shell, a star does not stand for the dot of a hidden name."""
    return fnmatchcase(name, glob) and (not name.startswith(".") or glob.startswith("."))


def copy_plain_files(folder: Path, target: Path, ignore: Sequence[str], but: Collection[str] = ()) -> None:
    """Copy `plain_files` of `folder` to the same places below `target`, which they may replace there.

    Args:
        but: paths in `folder` of files that are not copied.
    """
    for path in plain_files(folder, ignore):
        if str(path.relative_to(folder)) in but:
            continue
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def trouble(folder: Path, top: Path, ignore: Sequence[str] = ()) -> str:
    """Why the submission in `folder`, which lies below `top`, cannot be graded, as a sentence; empty if it can be.

    Raises:
        OSError: if something in it cannot be read.
    """
    for path in (folder, *takewhile(lambda parent: parent != top, folder.parents)):
        if path.is_symlink() and top in path.parents:
            return f"The folder {path} is a link; put a copy of what it leads to in its place."
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        return f"The folder {folder} has a name that is no text; rename it."
    for path in (*folder.glob("*.ipynb"), folder / TIMESTAMP):
        if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
            return f"The file {path} is a link or a device; put a copy of what it leads to in its place."
    return _too_much(folder, ignore) or _bad_timestamp(folder / TIMESTAMP)


def _too_much(folder: Path, ignore: Sequence[str]) -> str:
    size = 0
    for count, path in enumerate(plain_files(folder, ignore), 1):
        own = path.stat().st_size
        size += own
        if path.suffix == ".ipynb" and own > MOST_NOTEBOOK:
            return f"The notebook {path} has {own // MB} MB and may have {MOST_NOTEBOOK // MB}; clear its outputs."
        if size > MOST_BYTES or count > MOST_FILES:
            return (
                f"The folder {folder} holds more than {MOST_BYTES // MB} MB or {MOST_FILES} files; take out what is no "
                "part of the work."
            )
        if len(path.relative_to(folder).parts) > DEEPEST:
            return f"The folder {folder} has folders nested more than {DEEPEST} deep; take them out."
    return ""


def _bad_timestamp(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        if path.stat().st_size > LONGEST_TIMESTAMP:
            raise ValueError
        if text := path.read_text().strip():
            parse_utc(text)
    except (ValueError, OverflowError, TypeError, IsADirectoryError):
        return f"The time stamp {path} is no time; write one like 2026-02-01 12:00:00 UTC, or delete it."
    return ""

"""Files that are there whole or not at all, and disks that are full."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autograder.errors import UstodError

#: A disk with fewer bytes than this free is the likely cause of whatever failed on it.
LITTLE = 64 << 10


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write `text` to `path` as UTF-8 so that a reader, or a power cut, never meets half of it."""
    write_bytes(path, text.encode("utf-8"), mode)


def write_bytes(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to `path` so that a reader, or a power cut, never meets half of it.

    Args:
        mode: who may read the file; at no moment may anybody else.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def sync(folder: Path) -> None:
    """What stands in `folder` is on the disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bytes_below(*folders: Path) -> int:
    """What the files below `folders` hold, while a program may be writing, moving and deleting there."""
    total = 0
    for top in folders:
        for place, _, names in os.walk(top):  # passes over a folder that goes while it looks; Path.rglob does not
            for name in names:
                with suppress(OSError):
                    total += os.lstat(os.path.join(place, name)).st_size
    return total


@contextmanager
def needs_room(*folders: Path) -> Iterator[None]:
    """Tell of a failure of the body in a sentence that names the disk, if one of those of `folders` is full.

    Raises:
        UstodError: in place of that failure.
    """
    try:
        yield
    except UstodError:
        raise
    except Exception as error:
        free = {folder: shutil.disk_usage(folder).free for folder in folders if folder.is_dir()}
        fullest = min(free, key=lambda folder: free[folder])
        if not _is_for_want_of_room(error) and free[fullest] >= LITTLE:
            raise
        raise UstodError(f"The disk that holds {fullest} is full; make room there and run this again.") from error


def _is_for_want_of_room(error: Exception) -> bool:
    """The database's own words come through SQLAlchemy and nbgrader, which keep the text alone."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)

"""The file of a SQLite gradebook while submissions are graded: formgrader may have it open too.

With a write-ahead log (https://www.sqlite.org/wal.html) readers never wait for the one who writes, nor the other way
round. It needs memory that all of them share, so it works on one machine's own disks only, and a copy of the one file
taken meanwhile may lack the last changes: therefore the file is put back as it was when grading ends.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psutil
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from autograder.errors import UstodError

#: Seconds to wait for somebody else who writes.
BUSY = 60
#: File systems of a machine's own disks, in Linux's words.
LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"})


def sqlite_file(url: str) -> Path | None:
    """The file of the gradebook at `url`, which need not be there yet; None if it is no file of SQLite's."""
    found = make_url(url)
    return Path(found.database) if found.get_backend_name() == "sqlite" and found.database else None


def settled(url: str, root: Path) -> str:
    """The URL of a gradebook; of SQLite's with an absolute path, seen from `root`, and with patience for others.

    Raises:
        UstodError: if it is none.
    """
    try:
        found = make_url(url)
    except SQLAlchemyError:
        raise UstodError(f"The db_url {url!r} in {root}/nbgrader_config.py is no URL of a database; mend it.") from None
    file = sqlite_file(url)
    if file is None:
        return url
    patient = {"timeout": str(BUSY), **found.query}
    return found.set(database=str(root / file), query=patient).render_as_string(hide_password=False)


@contextlib.contextmanager
def others_may_read(url: str, *, elsewhere: bool) -> Iterator[None]:
    """Keep a write-ahead log for the gradebook at `url` while the body runs, if it is a file where that works.

    Args:
        elsewhere: whether other machines read it meanwhile, for whom it does not work.
    """
    path = sqlite_file(url)
    if path is None or not path.is_file():
        yield
        return
    log = "delete" if elsewhere or file_system(path) not in LOCAL else "wal"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        _keep(log, connection)
        try:
            yield
        finally:
            _keep("delete", connection)


def _keep(log: str, connection: sqlite3.Connection) -> None:
    """Change the kind of log; if somebody holds the file, or it is none of SQLite's, it stays as it is."""
    with contextlib.suppress(sqlite3.Error):
        connection.execute(f"PRAGMA journal_mode = {log}").fetchone()


def file_system(path: Path) -> str:
    """The kind of file system that holds `path`, in the system's own word; empty if it is not known."""
    kinds = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    return next((kinds[folder] for folder in path.resolve().parents if folder in kinds), "")

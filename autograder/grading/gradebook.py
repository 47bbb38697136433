"""One opening of the gradebook for all of nbgrader's steps, and one transaction for all that they change.

Each step of nbgrader opens the gradebook for itself and commits after every cell: nine openings and dozens of waits for
the disk for one submission. Killed in between, it leaves half a submission behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import latesubmissions, overwritecells, overwritekernelspec, saveautogrades
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from autograder.audit.watch import watch
from autograder.errors import UstodError
from autograder.grading.journal import sqlite_file


class _Ledger(Gradebook):  # type: ignore[misc]
    """A gradebook that stays open when a step of nbgrader closes it, and commits when the last of its users is done."""

    def __init__(self, url: str, course_id: str) -> None:
        super().__init__(url, course_id)
        self.db.commit()
        self.db.commit = self.db.flush

    def close(self) -> None:
        """Nothing: `open_gradebook` does it."""


#: The gradebooks that are open now, by URL.
_open: dict[str, _Ledger] = {}


@contextmanager
def open_gradebook(url: str, course_id: str) -> Iterator[Gradebook]:
    """The gradebook at `url`. What the body changes takes effect when it ends without an exception, or not at all.

    A body within a body shares its transaction. Steps of nbgrader that run in the body share it too.
    """
    if url in _open:
        yield _open[url]
        return
    ledger = _open[url] = _ledger(url, course_id, _identity(url))
    try:
        yield ledger
        ledger.db().commit()
    finally:
        del _open[url]
        ledger.db.remove()
        ledger.engine.dispose()


@lru_cache(maxsize=1)
def _ledger(url: str, course_id: str, identity: object) -> _Ledger:
    """Kept, since SQLAlchemy's engine remembers how it compiled a query."""
    try:
        return _Ledger(url, course_id)
    except ImportError:
        driver = "pip install 'ustod[postgresql]'"
        raise UstodError(
            f"The gradebook {shown(url)} needs a driver; for PostgreSQL install one with: {driver}"
        ) from None
    except SQLAlchemyError as error:
        if "disk is full" in str(error):
            raise
        why = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
        mend = "see db_url in nbgrader_config.py"
        if "locked" in why:
            mend = "another program holds it: let it finish, or close it, and run this again"
        elif "no such column" in why or "does not exist" in why:
            mend = "it is of an older nbgrader: run nbgrader db upgrade in the course, which keeps a copy of it"
        elif "malformed" in why or "not a database" in why:
            mend = "it is damaged: put a backup in its place, or move it away and grade again"
        raise UstodError(f"The gradebook {shown(url)} cannot be opened ({why}); {mend}.") from error


def shown(url: str) -> str:
    """For SQLite the file, else the URL without its password."""
    return str(sqlite_file(url) or make_url(url).render_as_string())


def _identity(url: str) -> object:
    """Which file it is, for SQLite: another may have been put in its place."""
    try:
        found = os.stat(sqlite_file(url) or "")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _borrow(url: str, course_id: str = "default_course", authenticator: Any = None) -> Gradebook:
    """What nbgrader's steps get for `Gradebook(…)`: the open one, if it is open."""
    return _open.get(url) or Gradebook(url, course_id, authenticator)


for _step in (overwritekernelspec, overwritecells, saveautogrades, latesubmissions):
    setattr(_step, Gradebook.__name__, _borrow)

watch()

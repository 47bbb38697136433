"""Every session of nbgrader's gradebook in this process writes the log: of the grader, of formgrader, of nbgrader's
own commands in a course that loads this."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import Connection, Select, event, select
from sqlalchemy.orm import Session

from autograder.audit.trail import Score, State, append, differences, lines, replayed, take_turn

#: Why a change has no known author: another program made it, or somebody opened the gradebook themselves.
OUTSIDE = "changed outside"
#: Grades that were there when the log began.
FOUND = "found when the log began"

_reason: ContextVar[str] = ContextVar("ustod_audit_reason", default="")
_person: ContextVar[str] = ContextVar("ustod_audit_person", default="")
#: In `Session.info`: the submissions that the transaction touches, each with its numbers before.
_TOUCHED = "ustod audit"

#: A submission: its student and its assignment.
Key = tuple[str, str]


@contextmanager
def because(reason: str, person: str = "") -> Iterator[None]:
    """Changes that the body commits are logged with `reason`, and as made by `person` if one is named."""
    before = _reason.set(reason), _person.set(person or _person.get())
    try:
        yield
    finally:
        _reason.reset(before[0])
        _person.reset(before[1])


def made_by(person: str) -> None:
    """From here on, what this task (a request to a server) changes is logged as made by `person`."""
    _person.set(person)


def somebody() -> str:
    """Who is at work: who was named, else the user of the lab, else that of this machine."""
    if person := _person.get() or os.environ.get("JUPYTERHUB_USER", ""):
        return person
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def watch() -> None:
    """Log what every session of this process changes, from now on."""
    for name, listener in (
        ("before_flush", _remember),
        ("before_commit", _write),
        ("after_soft_rollback", _forget),
    ):
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)


def notice(session: Session, assignment: str | None = None) -> int:
    """Log what was changed while nobody watched; of one assignment, if it is named. Counts the submissions.

    The transaction of `session` must be committed for that to be kept.
    """
    connection = session.connection()
    take_turn(connection)
    known = replayed(lines(connection, assignment=assignment))
    now = _states(connection, assignment=assignment)
    found = [key for key in sorted(known.keys() | now.keys()) if known.get(key, {}) != now.get(key, {})]
    for key in found:
        why = OUTSIDE if key in known else FOUND
        append(connection, "unknown", why, *key, differences(known.get(key, {}), now.get(key, {})))
    return len(found)


def _remember(session: Session, *_: Any) -> None:
    """Before anything is written: what the numbers of a touched submission are now."""
    touched: dict[Key, State] = session.info.setdefault(_TOUCHED, {})
    for thing in (*session.new, *session.dirty, *session.deleted):
        key = _submission_of(thing)
        if key is not None and key not in touched:
            touched[key] = _states(session.connection(), *key).get(key, {})


def _write(session: Session) -> None:
    session.flush()
    touched: dict[Key, State] = session.info.pop(_TOUCHED, {})
    for key, before in touched.items():
        connection = session.connection()
        after = _states(connection, *key).get(key, {})
        if before == after:
            continue
        known = replayed(lines(connection, *key)).get(key, {})
        if known != before:
            append(connection, "unknown", OUTSIDE if known else FOUND, *key, differences(known, before))
        append(connection, somebody(), _reason.get() or _program(), *key, differences(before, after))


def _forget(session: Session, _: Any) -> None:
    session.info.pop(_TOUCHED, None)


def _program() -> str:
    """What is running, as whoever started it would say it."""
    server = sys.modules.get("jupyter_server.serverapp")
    if server and server.ServerApp.initialized():
        return "formgrader"
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    return " ".join([Path(sys.argv[0]).stem, *words[:1]])


def _submission_of(thing: Any) -> Key | None:
    if isinstance(thing, Grade):
        thing = thing.notebook
    if isinstance(thing, SubmittedNotebook):
        thing = thing.assignment
    if not isinstance(thing, SubmittedAssignment) or thing.student is None or thing.assignment is None:
        return None
    return thing.student.id, thing.assignment.name


def _states(connection: Connection, student: str | None = None, assignment: str | None = None) -> dict[Key, State]:
    """The numbers of submissions, as they stand in the gradebook."""
    scores = select(
        SubmittedAssignment.student_id,
        Assignment.name,
        Notebook.name,
        BaseCell.name,
        Grade.auto_score,
        Grade.manual_score,
        Grade.extra_credit,
    ).select_from(Grade)
    scores = scores.join(BaseCell, Grade.cell_id == BaseCell.id)
    scores = scores.join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
    penalties = select(
        SubmittedAssignment.student_id, Assignment.name, Notebook.name, SubmittedNotebook.late_submission_penalty
    ).select_from(SubmittedNotebook)
    found: dict[Key, State] = {}
    for who, what, notebook, cell, *numbers in connection.execute(_of(scores, student, assignment)):
        for kind, number in zip(("auto", "manual", "extra"), numbers, strict=True):
            if number is not None:
                found.setdefault((who, what), {})[Score(notebook, cell, kind)] = number
    for who, what, notebook, penalty in connection.execute(_of(penalties, student, assignment)):
        if penalty:
            found.setdefault((who, what), {})[Score(notebook, "", "penalty")] = penalty
    return found


def _of(query: Select[Any], student: str | None, assignment: str | None) -> Select[Any]:
    query = query.join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
    query = query.join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
    query = query.join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
    if student is not None:
        query = query.where(SubmittedAssignment.student_id == student)
    if assignment is not None:
        query = query.where(Assignment.name == assignment)
    return query

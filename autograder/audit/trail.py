"""The log itself: a table beside nbgrader's own, each line of which holds the hash of the line before.

It is written in the same transaction as the change that it tells of, so that there is never the one without the other,
however the machine stops. nbgrader leaves tables alone that it does not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, insert, inspect, select, text
from sqlalchemy.schema import CreateTable

#: What stands before the first line in the place of a hash.
BEGINNING = "0" * 64
#: For PostgreSQL: who holds this lock may add lines.
_TURN = 0x0575_70D0

_TABLE = Table(
    "ustod_audit",
    MetaData(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("moment", String(40), nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("student", String(128), nullable=False),
    Column("assignment", String(128), nullable=False),
    Column("changes", Text, nullable=False),
    Column("previous", String(64), nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),
)
_INDEX = "CREATE INDEX IF NOT EXISTS ustod_audit_of ON ustod_audit (assignment, student)"
#: SQLite refuses to change what stands in the log; that keeps it from accidents, its hashes tell of more.
_GUARDS = [
    f"CREATE TRIGGER IF NOT EXISTS ustod_audit_no_{verb} BEFORE {verb} ON ustod_audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
    for verb in ("update", "delete")
]


@dataclass(frozen=True, order=True)
class Score:
    """Which number of a submission: `kind` is ``auto``, ``manual``, ``extra`` or, with no cell, ``penalty``."""

    notebook: str
    cell: str
    kind: str


#: The numbers of one submission; one that is missing was never given, or was taken away.
State = dict[Score, float]


@dataclass(frozen=True)
class Change:
    """One number that became another; None is no number."""

    score: Score
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Line:
    """What happened to one submission at one moment, in UTC."""

    number: int
    moment: str
    who: str
    why: str
    student: str
    assignment: str
    changes: tuple[Change, ...]
    previous: str
    sha256: str


def differences(before: State, after: State) -> tuple[Change, ...]:
    """What must change for `before` to become `after`."""
    return tuple(
        Change(score, before.get(score), after.get(score))
        for score in sorted(before.keys() | after.keys())
        if before.get(score) != after.get(score)
    )


def append(
    connection: Connection, who: str, why: str, student: str, assignment: str, changes: Iterable[Change]
) -> None:
    """Add a line in the transaction of `connection`."""
    take_turn(connection)
    _prepare(connection)
    newest = select(_TABLE.c.number, _TABLE.c.sha256).order_by(_TABLE.c.number.desc()).limit(1)
    number, previous = connection.execute(newest).one_or_none() or (0, BEGINNING)
    row = {
        "number": number + 1,
        "moment": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "who": who,
        "why": why,
        "student": student,
        "assignment": assignment,
        "changes": json.dumps([_as_list(change) for change in changes], ensure_ascii=False),
        "previous": previous,
    }
    connection.execute(insert(_TABLE).values(row | {"sha256": _hash(row)}))


def lines(connection: Connection, student: str | None = None, assignment: str | None = None) -> Iterator[Line]:
    """The log from its beginning; of one student, of one assignment, if they are named."""
    if not inspect(connection).has_table(_TABLE.name):
        return
    query = select(_TABLE).order_by(_TABLE.c.number)
    if student is not None:
        query = query.where(_TABLE.c.student == student)
    if assignment is not None:
        query = query.where(_TABLE.c.assignment == assignment)
    for row in connection.execute(query).mappings():
        changes = (Change(Score(*where), before, after) for *where, before, after in json.loads(row["changes"]))
        yield Line(**{**row, "changes": tuple(changes)})


def replayed(log: Iterable[Line]) -> dict[tuple[str, str], State]:
    """What the numbers of each submission, by student and assignment, are according to `log`."""
    states: dict[tuple[str, str], State] = {}
    for line in log:
        state = states.setdefault((line.student, line.assignment), {})
        for change in line.changes:
            state.pop(change.score, None)
            if change.after is not None:
                state[change.score] = change.after
    return {key: state for key, state in states.items() if state}


def faults(connection: Connection, noted: str | None = None) -> list[str]:
    """Where the log is not what was written: a sentence for each place; none if it is whole.

    Args:
        noted: the hash of a line that somebody noted down earlier: it must still be there.
    """
    if not inspect(connection).has_table(_TABLE.name):
        return [f"The line {noted} that you noted is not in the log: there is none."] if noted else []
    found, expected, previous, hashes = [], 1, BEGINNING, set()
    for row in connection.execute(select(_TABLE).order_by(_TABLE.c.number)).mappings():
        number = row["number"]
        if number != expected:
            found.append(f"Lines {expected} to {number - 1} of the audit log are missing.")
        elif row["previous"] != previous:
            found.append(f"Line {number} of the audit log does not follow from line {number - 1}: one was changed.")
        if _hash(row) != row["sha256"]:
            found.append(f"Line {number} of the audit log was changed after it was written.")
        expected, previous = number + 1, row["sha256"]
        hashes.add(previous)
    if noted and noted not in hashes:
        found.append(f"The line {noted} that you noted is not in the log: its end was cut off, or it was written anew.")
    return found


def take_turn(connection: Connection) -> None:
    """Wait until nobody else adds to the log, or changes grades, before the transaction of `connection` ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN})"))
    elif connection.dialect.name == "sqlite":
        driver: Any = connection.connection.dbapi_connection
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare(connection: Connection) -> None:
    if not inspect(connection).has_table(_TABLE.name):
        connection.execute(CreateTable(_TABLE, if_not_exists=True))
        for statement in [_INDEX, *(_GUARDS if connection.dialect.name == "sqlite" else [])]:
            connection.execute(text(statement))


def _as_list(change: Change) -> list[Any]:
    score = change.score
    return [score.notebook, score.cell, score.kind, change.before, change.after]


def _hash(row: Any) -> str:
    content = [row[column.name] for column in _TABLE.columns if column.name != "sha256"]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()

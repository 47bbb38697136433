"""The people who may log in with a password, in one SQLite file that only the hub's own account can read."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from enum import Enum
from math import ceil
from pathlib import Path

from autograder.hub.lockout import Bound, places
from autograder.hub.passwords import Cost, Hash, hashed, new_code, plain_code, plain_password, refuse_poor
from autograder.hub.roster import ID

DAY = 86400.0
#: The failures of ids that cannot be one count together: nobody has such an id, and they could be endless.
MALFORMED = "?"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL, salt BLOB NOT NULL, n INTEGER NOT NULL, r INTEGER NOT NULL,
    p INTEGER NOT NULL, kind TEXT NOT NULL, changed REAL NOT NULL, end_sessions INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS failures (
    person TEXT NOT NULL, place TEXT NOT NULL, count REAL NOT NULL, last REAL NOT NULL, PRIMARY KEY (person, place)
);
CREATE INDEX IF NOT EXISTS oldest_failures ON failures (last);
CREATE TABLE IF NOT EXISTS acts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, act TEXT NOT NULL, whom TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS acts_stay_as_written BEFORE UPDATE ON acts
    BEGIN SELECT RAISE(ABORT, 'acts are only added'); END;
CREATE TRIGGER IF NOT EXISTS acts_stay BEFORE DELETE ON acts
    BEGIN SELECT RAISE(ABORT, 'acts are only added'); END;
"""


class Kind(Enum):
    """What a person proves who they are with."""

    CODE = "code"
    PASSWORD = "password"


class Verdict(Enum):
    """What became of an attempt to log in."""

    RIGHT = "right"
    #: The first-login code was right: its owner must choose a password now.
    MUST_CHOOSE = "must choose"
    #: The first-login code was right once, and is too old now.
    EXPIRED = "expired"
    WRONG = "wrong"
    #: There were too many failures; nothing was looked at.
    LOCKED = "locked"


@dataclass(frozen=True)
class Outcome:
    """The verdict, and for `LOCKED` the seconds to wait."""

    verdict: Verdict
    seconds: int = 0


@dataclass(frozen=True)
class Account:
    """An account as an instructor may see it. Times are in seconds since 1970."""

    id: str
    kind: Kind
    changed: float


@dataclass(frozen=True)
class Act:
    """Who did what to whom, and when."""

    at: float
    who: str
    act: str
    whom: str


class Accounts:
    """Accounts in the SQLite file `path`, which is made if need be. Threads and processes may share it.

    Args:
        path: its folder must be there.
        code_days: how long a first-login code is good for.
        cost: of new hashes; older ones are renewed when their owner logs in.
        clock: tells the time in seconds since 1970.
    """

    def __init__(
        self, path: Path, *, code_days: float = 30, cost: Cost | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.path, self.code_days, self.cost, self.clock = path, code_days, cost or Cost(), clock
        self._local = threading.local()
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        os.chmod(path, 0o600)
        self._connection().executescript(_SCHEMA)
        #: Somebody who is not there is checked against this, so that it takes as long as for somebody who is.
        self._nobody = hashed(new_code(), self.cost)

    # Who has an account

    def enrol(self, ids: Iterable[str]) -> dict[str, str]:
        """Give an account and a first-login code to each of `ids` without one; the codes by id, in that order."""
        ids = list(dict.fromkeys(ids))
        known = self.accounts()
        codes = {person: new_code() for person in ids if person not in known}
        rows = {person: self._row(person, code) for person, code in codes.items()}
        with self._writing(durable=True) as database:
            for person, row in rows.items():
                if not database.execute(f"INSERT OR IGNORE INTO accounts VALUES ({_MARKS})", row).rowcount:
                    del codes[person]  # another process has given this person a code meanwhile
        return codes

    def reset(self, person: str) -> str:
        """A new first-login code for `person`, in place of whatever they had; it ends their sessions."""
        code = new_code()
        row = self._row(person, code)
        with self._writing(durable=True) as database:
            database.execute(f"INSERT OR REPLACE INTO accounts VALUES ({_MARKS})", row)
        self.unlock(person)
        return code

    def remove(self, ids: Iterable[str]) -> None:
        """Take away the accounts of `ids`."""
        with self._writing(durable=True) as database:
            database.executemany("DELETE FROM accounts WHERE id = ?", [(person,) for person in ids])

    def accounts(self) -> dict[str, Account]:
        """All accounts, by id."""
        rows = self._connection().execute("SELECT id, kind, changed FROM accounts ORDER BY id")
        return {person: Account(person, Kind(kind), changed) for person, kind, changed in rows}

    # Proving who one is

    def check(self, person: str, secret: str, address: str, browser: str | None = None) -> Outcome:
        """Whether `secret` is the password, or the first-login code, of `person`.

        An attempt counts as a failure before it is looked at, so that a thousand at once win nothing.

        Args:
            address: where the attempt comes from.
            browser: the mark of a browser in which this person is known to have logged in before.
        """
        outcome, value = self._check(person, secret, address, browser)
        if value and outcome.verdict is Verdict.RIGHT and value.cost != self.cost:
            self._replace(person, value, hashed(plain_password(secret), self.cost), end_sessions=False)
        return outcome

    def set_password(self, person: str, secret: str, new: str, address: str, browser: str | None = None) -> Outcome:
        """Give `person` the password `new` if `secret`, their password or first-login code, proves who they are.

        It ends their sessions and uses up the code.

        Returns:
            what `check` says of `secret`, or `RIGHT` when `new` is their password from now on.

        Raises:
            PasswordRefused: if `new` is too easy to guess. Nothing has changed then.
        """
        outcome, value = self._check(person, secret, address, browser)
        if value is None or outcome.verdict not in (Verdict.RIGHT, Verdict.MUST_CHOOSE):
            return outcome
        refuse_poor(new, person, secret)
        done = self._replace(person, value, hashed(plain_password(new), self.cost), end_sessions=True)
        return Outcome(Verdict.RIGHT if done else Verdict.WRONG)

    def sessions_must_end(self, person: str) -> bool:
        """Whether the sessions of `person` must end because their secret has changed; says so once."""
        pending = "SELECT 1 FROM accounts WHERE id = ? AND end_sessions"
        if not self._connection().execute(pending, (person,)).fetchone():
            return False
        with self._writing() as database:
            done = database.execute("UPDATE accounts SET end_sessions = 0 WHERE id = ? AND end_sessions", (person,))
            return done.rowcount == 1

    # Lock-out

    def locked(self) -> dict[str, int]:
        """Those who have to wait somewhere before they may try again: for how many seconds at most, by id."""
        now, waits = self.clock(), dict[str, int]()
        for person, place, count, last in self._connection().execute("SELECT * FROM failures WHERE person != ''"):
            bound = places(person, place, None)[person, place]
            if seconds := ceil(bound.remaining(count, now - last)):
                waits[person] = max(seconds, waits.get(person, 0))
        return waits

    def unlock(self, person: str) -> None:
        """Forget the failures of `person`, wherever they came from."""
        with self._writing() as database:
            database.execute("DELETE FROM failures WHERE person = ?", (person,))

    # What instructors did

    def record(self, who: str, act: str, whom: str) -> None:
        """Write down that `who` did `act` to `whom`. What is written stays."""
        with self._writing(durable=True) as database:
            database.execute(
                "INSERT INTO acts (at, who, act, whom) VALUES (?, ?, ?, ?)", (self.clock(), who, act, whom)
            )

    def acts(self) -> list[Act]:
        """Everything that was written down, in that order."""
        return [Act(*row) for row in self._connection().execute("SELECT at, who, act, whom FROM acts ORDER BY number")]

    # Inside

    def _check(self, person: str, secret: str, address: str, browser: str | None) -> tuple[Outcome, Hash | None]:
        """The outcome, and the hash that `secret` fits, if it does."""
        counted = places(person if ID.fullmatch(person) else MALFORMED, address, browser)
        now = self.clock()
        before = self._count_failure(counted, now)
        if isinstance(before, Outcome):
            return before, None
        found = self._find(person)
        value, kind, changed = found or (self._nobody, Kind.PASSWORD, now)
        right = value.matches(plain_code(secret) if kind is Kind.CODE else plain_password(secret))
        if not right or not found:
            return Outcome(Verdict.WRONG), None
        self._uncount_failure(before, now)
        if kind is Kind.PASSWORD:
            return Outcome(Verdict.RIGHT), value
        old = now - changed > self.code_days * DAY
        return Outcome(Verdict.EXPIRED if old else Verdict.MUST_CHOOSE), value

    def _count_failure(self, counted: _Counted, now: float) -> _Before | Outcome:
        """Count a failure in each of the places `counted`, unless one of them is shut.

        Returns:
            what each place held before, or `LOCKED`.
        """
        with self._writing() as database:
            before, wait = {}, 0.0
            for (person, place), bound in counted.items():
                query = "SELECT count, last FROM failures WHERE person = ? AND place = ?"
                count, last = database.execute(query, (person, place)).fetchone() or (0.0, now)
                wait = max(wait, bound.remaining(count, now - last))
                before[person, place] = (bound.faded(count, now - last), last)
            if wait > 0:
                return Outcome(Verdict.LOCKED, ceil(wait))
            rows = [(*key, count + 1, now) for key, (count, _) in before.items()]
            database.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", rows)
            database.execute("DELETE FROM failures WHERE last < ?", (now - 10 * DAY,))
        return before

    def _uncount_failure(self, before: _Before, now: float) -> None:
        """It was none: the person's own slips here are forgotten, and what others have done stays as it was."""
        with self._writing() as database:
            for (person, place), (_, last) in before.items():
                if person and place:
                    database.execute("DELETE FROM failures WHERE person = ? AND place = ?", (person, place))
                else:
                    database.execute(
                        "UPDATE failures SET count = max(0, count - 1), last = CASE last WHEN ? THEN ? ELSE last END "
                        "WHERE person = ? AND place = ?",
                        (now, last, person, place),
                    )

    def _find(self, person: str) -> tuple[Hash, Kind, float] | None:
        query = "SELECT hash, salt, n, r, p, kind, changed FROM accounts WHERE id = ?"
        row = self._connection().execute(query, (person,)).fetchone()
        return row and (Hash(row[0], row[1], Cost(*row[2:5])), Kind(row[5]), row[6])

    def _row(self, person: str, code: str) -> tuple[object, ...]:
        return person, *_columns(hashed(plain_code(code), self.cost)), Kind.CODE.value, self.clock(), True

    def _replace(self, person: str, old: Hash, new: Hash, *, end_sessions: bool) -> bool:
        """Put the hash of a password in place of `old`, unless another has replaced that meanwhile; whether it did."""
        with self._writing(durable=True) as database:
            done = database.execute(
                "UPDATE accounts SET hash = ?, salt = ?, n = ?, r = ?, p = ?, kind = ?, changed = ?, "
                "end_sessions = max(end_sessions, ?) WHERE id = ? AND hash = ?",
                (*_columns(new), Kind.PASSWORD.value, self.clock(), end_sessions, person, old.value),
            )
            return done.rowcount == 1

    def _connection(self) -> sqlite3.Connection:
        """This thread's own connection; a child that was forked opens another."""
        pid, connection = getattr(self._local, "open", (None, None))
        if pid != os.getpid() or connection is None:
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            self._local.open = os.getpid(), connection
        return connection

    @contextmanager
    def _writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction, which a power cut leaves whole or undone; when it is `durable`, never undone."""
        database = self._connection()
        database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise


_MARKS = ", ".join("?" * 9)
_Counted = Mapping[tuple[str, str], Bound]
_Before = dict[tuple[str, str], tuple[float, float]]


def _columns(value: Hash) -> tuple[object, ...]:
    return value.value, value.salt, *astuple(value.cost)

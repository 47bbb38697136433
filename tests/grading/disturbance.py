"""Grading in a process of its own, what may be killed in it, and everything that it must leave behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from attacks.watch import adopting, descendants, end, left_behind
from grading.students import NAME, REFERENCE
from nbgrader.apps.api import NbGraderAPI
from sqlalchemy import event
from sqlalchemy.engine import Engine

from autograder.authoring.agreement import submit
from autograder.grading.course import Course

#: Seconds within which the processes of a grader that has ended must have ended too, on a machine that is very busy.
PATIENCE = 60.0

SLOW = "import time\ntime.sleep(0.7)\n"
#: Work whose feedback says the same every time, but for the seed; some of it takes a while.
WORK = {
    "right": REFERENCE,
    "Фирӯза Раҳимова": REFERENCE | {"sums.total": SLOW + REFERENCE["sums.total"]},
    "empty": {},
    "half": {"sums.total": SLOW + "def total(numbers): return sum(numbers)"},
    "none for nothing": REFERENCE | {"sums.total": "def total(numbers): return sum(numbers) if numbers else None"},
    "crashing": REFERENCE | {"sums.over": SLOW + "def over(numbers, limit):\n    raise RuntimeError('out of order')"},
    "broken": REFERENCE | {"sums.over": SLOW + "def over(numbers, limit) return numbers"},
    "late": REFERENCE | {"sums.total": "def total(numbers): return sum(numbers) if numbers else 'no'"},
    "slow": REFERENCE | {"sums.over": SLOW + REFERENCE["sums.over"]},
    "with data": REFERENCE | {"sums.total": "import os\nos.write(2, b'x' * 50_000)\n" + REFERENCE["sums.total"]},
}
POINTS = dict(zip(WORK, (6, 6, 0, 3, 5, 3, 3, 5, 6, 6), strict=True))


def hand_in_everything(course: Path) -> None:
    """The work of ten students, some with a time stamp, one with a file beside the notebook."""
    submit(NAME, WORK, course)
    for student in ("late", "right"):
        (course / "submitted" / student / NAME / "timestamp.txt").write_text("2026-02-01 10:00:00.5 UTC")
    (course / "submitted" / "with data" / NAME / "data.csv").write_text("1,2\n" * 2000)


@dataclass(frozen=True)
class Left:
    """Everything that grading leaves behind, without what is random.

    Attributes:
        gradebook: the rows of every table.
        files: of the course but for the gradebook: modes and contents by path.
    """

    gradebook: dict[str, list[str]]
    files: dict[str, tuple[int, bytes]]

    @classmethod
    def by(cls, course: Path, gradebook: Path | None = None) -> Left:
        """What there is in `course` now, which no grader is to be working in."""
        return cls(read_gradebook(gradebook or course / "gradebook.db"), read_files(course))

    def files_in(self, folder: str) -> dict[str, tuple[int, bytes]]:
        """Those below `folder`."""
        return {name: what for name, what in self.files.items() if name.startswith(f"{folder}/")}

    def other_than(self, wanted: Left) -> list[str]:
        """What is not as in `wanted`: changed files, and rows that only one of the two has."""
        names = self.files.keys() | wanted.files.keys()
        files = [name for name in sorted(names) if self.files.get(name) != wanted.files.get(name)]
        mine, theirs = ([f"{t}: {row}" for t, rows in one.gradebook.items() for row in rows] for one in (self, wanted))
        rows = [f"{mine.count(row)}, not {theirs.count(row)}, of {row}" for row in sorted({*mine, *theirs})]
        return files + [row for row in rows if not re.match(r"(\d+), not \1,", row)]


def read_gradebook(path: Path) -> dict[str, list[str]]:
    """Every table's rows as text, in order; a reference to a row is that row's own text, since ids are random.

    They are those of a copy, with its journal: SQLite would make the file anew where this process does not see it.
    """
    with TemporaryDirectory() as folder:
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, folder)
        return _rows(Path(folder, path.name))


def _rows(path: Path) -> dict[str, list[str]]:
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        database.row_factory = sqlite3.Row
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: list(map(dict, database.execute(f"SELECT * FROM {name}"))) for name in names}
        references = {
            name: {row["from"]: row["table"] for row in database.execute(f"PRAGMA foreign_key_list({name})")}
            for name in names
        }
    database.close()
    for row in rows.get("ustod_audit", []):  # a line is the same whenever, and in whatever order, it was written
        for column in ("number", "moment", "previous", "sha256"):
            del row[column]
    by_id = {(name, row["id"]): row for name in names for row in rows[name] if "id" in row}

    def spell(name: str, row: dict[str, object]) -> str:
        words = []
        for column, value in row.items():
            if value is not None and column in references[name]:
                other = references[name][column]
                words.append(f"{column}=({spell(other, by_id[other, value])})")
            elif not (column == "id" and re.fullmatch("[0-9a-f]{32}", str(value))):
                words.append(f"{column}={value!r}")
        return " ".join(words)

    return {name: sorted(spell(name, row) for row in rows[name]) for name in names}


def read_files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Modes and contents of all files and folders in `folder`, but for the gradebook.

    Seeds are left out, and so are the digests of files that hold some.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not name.startswith("gradebook.db"):
            content = path.read_bytes() if path.is_file() else b""
            shown = content[:64] if path.name == "sha256" else re.sub(rb'("seed": |seed )\d+', rb"\1", content)
            found[name] = (path.stat().st_mode, shown)
    return found


@dataclass(frozen=True)
class Undisturbed:
    """The class graded once in peace, to compare with.

    Attributes:
        course: before anything was graded; only to be copied.
        left: what grading left behind.
        seconds: that it took.
    """

    course: Path
    left: Left
    seconds: float

    def copy(self, folder: Path) -> Path:
        """A class of the test's own, not graded yet."""
        return Path(shutil.copytree(self.course, folder))

    def assert_whole(self, course: Path, gradebook: Path | None = None) -> None:
        """Nothing in `course`, where a grader has ended early, is half-written or seen as somebody's work."""
        found = Left.by(course, gradebook)
        for student in WORK:
            place = f"autograded/{student}/{NAME}"
            assert found.files_in(place) in ({}, self.left.files_in(place))
        api = NbGraderAPI(Course(course).directory)  # a path below /proc would not be one when resolved
        assert api.get_autograded_students(NAME) <= set(WORK)
        assert api.get_submitted_students(NAME) == set(WORK)


@dataclass(frozen=True)
class Ended:
    """How a grader ended: what it said as data (empty if it said nothing), and its words on standard error."""

    code: int
    data: dict[str, object]
    words: str


#: What may be killed: the command, its workers, its zygote and the twins of that, students' and judges' processes.
PARTS = ("grader", "worker", "zygote", "twin", "student", "judge")


class Grader:
    """A running `ustod grade`, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._psutil = psutil.Process(process.pid)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal as it comes from outside: Ctrl-C to the whole group, others to the command alone."""
        if number is signal.SIGINT:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    def wait(self, patience: float = 600) -> Ended:
        """Wait for its end. Raises `TimeoutExpired` if there is none within `patience` seconds."""
        said, words = self._process.communicate(timeout=patience)
        return Ended(self._process.returncode, json.loads(said) if said else {}, words)

    def parts(self) -> dict[str, list[psutil.Process]]:
        """Its processes of this moment by what they are."""
        found: dict[str, list[psutil.Process]] = {part: [] for part in PARTS}
        found["grader"].append(self._psutil)
        keepers: dict[int, list[int]] = {}
        shared, below_workers = set[int](), set[int]()
        with suppress(psutil.NoSuchProcess):
            for process in self._psutil.children(recursive=True):  # parents before children
                with suppress(psutil.Error, IndexError):
                    line, parent = process.cmdline(), process.ppid()
                    if "spawn_main" in " ".join(line) or parent in below_workers:
                        below_workers.add(process.pid)
                    if "spawn_main" in " ".join(line):
                        found["worker"].append(process)
                    elif parent in shared:
                        keepers[process.pid] = []
                        found["twin"].append(process)
                    elif parent in keepers:  # of one notebook, the student's process is made before the judge's
                        keepers[parent].append(process.pid)
                    elif below := [numbers for numbers in keepers.values() if parent in numbers]:
                        found["student" if below[0][0] == parent else "judge"].append(process)
                    elif '"modules"' in line[-1] and line[0] == sys.executable:
                        found["zygote"].append(process)
                        if process.pid in below_workers:
                            keepers[process.pid] = []
                        else:
                            shared.add(process.pid)
        return found


@contextmanager
def grading(course: Path, *arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> Iterator[Grader]:
    """A grader at work in `course`, started by `prefix`; asserts that no process is left when it has ended."""
    command = [sys.executable, "-m", "autograder.cli", "grade", NAME, "--course", str(course), "--workers", "2"]
    before = descendants()
    with adopting():
        process = subprocess.Popen(
            ["env", "--default-signal=INT", *prefix, *command, "--json", *arguments],  # who tests may be deaf to it
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
            start_new_session=True,
        )
        try:
            yield Grader(process)
            assert process.returncode is not None
            assert not left_behind(before, PATIENCE)
        finally:
            process.kill()
            end(before)
            process.communicate()


def die_at(step: int, folder: Path, work: Callable[[], object]) -> bool:
    """Do `work` in a fork, which is killed before its step of that number; False if it has no more than that.

    Steps are what changes files in `folder`, and the ends of transactions.
    """
    child = os.fork()
    if child == 0:
        left = step

        def count(what: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if what in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod") or (
                what == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            ):
                if not str(arguments[0]).startswith(str(folder)):
                    return
            elif what != "commit":
                return
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        event.listen(Engine, "commit", lambda connection: count("commit", ()))
        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)

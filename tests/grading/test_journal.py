"""The gradebook's file while submissions are graded."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from grading.students import NAME, Hand
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from autograder.errors import UstodError
from autograder.grading.course import open_course
from autograder.grading.engine import grade
from autograder.grading.journal import file_system, others_may_read, settled


def log_of(path: Path) -> str:
    """How SQLite keeps its log for whoever opens the file next."""
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "китоб 1.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE grade (score)")
        connection.commit()
    return path


class TestTheLog:
    def test_is_written_ahead_while_submissions_are_graded_and_not_afterwards(self, file: Path) -> None:
        with others_may_read(f"sqlite:///{file}", elsewhere=False):
            assert log_of(file) == "wal"
        assert log_of(file) == "delete"
        assert [path.name for path in file.parent.iterdir()] == [file.name]

    def test_is_as_it_was_for_readers_on_other_machines(self, file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = wal")
        with others_may_read(f"sqlite:///{file}", elsewhere=True):
            assert log_of(file) == "delete"

    def test_stays_as_it_is_where_memory_is_not_shared(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("autograder.grading.journal.LOCAL", frozenset())
        with others_may_read(f"sqlite:///{file}", elsewhere=False):
            assert log_of(file) == "delete"

    def test_stays_written_ahead_if_somebody_has_the_file_open_at_the_end(self, file: Path) -> None:
        with closing(sqlite3.connect(file)) as formgrader:
            with others_may_read(f"sqlite:///{file}", elsewhere=False):
                assert formgrader.execute("SELECT * FROM grade").fetchall() == []
            assert log_of(file) == "wal"
        with others_may_read(f"sqlite:///{file}", elsewhere=False):
            pass
        assert log_of(file) == "delete"

    @pytest.mark.parametrize("url", ["postgresql://u@h/d", "sqlite://", "sqlite:///nowhere.db"])
    def test_is_no_concern_of_other_gradebooks(self, url: str) -> None:
        with others_may_read(url, elsewhere=False):
            assert not Path("nowhere.db").exists()

    def test_of_what_is_no_database_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "gradebook.db"
        path.write_text("no database")
        with others_may_read(f"sqlite:///{path}", elsewhere=False):
            assert path.read_text() == "no database"


class TestTheUrl:
    @given(st.text("abc курс-_.", min_size=1).filter(lambda name: name not in (".", "..")))
    def test_leads_to_the_same_file_from_everywhere(self, name: str) -> None:
        for given_url in (f"sqlite:///{name}.db", f"sqlite:////course/{name}.db"):
            found = make_url(settled(given_url, Path("/course")))
            assert found.database == f"/course/{name}.db"
            assert found.query["timeout"] == "60"

    @pytest.mark.parametrize("url", ["postgresql://u:p@h/d?host=/tmp", "sqlite://"])
    def test_of_others_is_as_it_was(self, url: str) -> None:
        assert settled(url, Path("/course")) == url

    def test_keeps_the_patience_that_was_asked_for(self) -> None:
        assert "timeout=5" in settled("sqlite:///a.db?timeout=5", Path("/course"))

    def test_that_is_none_is_told(self) -> None:
        with pytest.raises(UstodError, match=r"The db_url 'gradebook' in /course/nbgrader_config\.py is no URL"):
            settled("gradebook", Path("/course"))


class TestFileSystems:
    def test_have_the_systems_own_name(self) -> None:
        assert file_system(Path("/proc/self/stat")) == "proc"

    def test_are_those_of_the_innermost_mount(self) -> None:
        assert file_system(Path("/dev/shm/gradebook.db")) == "tmpfs"


READER = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=0) as book:
    book.execute("BEGIN")
    book.execute("SELECT * FROM student").fetchall()
    print("reading", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_class_is_graded_while_somebody_reads_and_somebody_else_may_read(small_course: Path, hand_in: Hand) -> None:
    hand_in("amina")
    course = open_course(small_course)
    with others_may_read(course.directory.db_url, elsewhere=False):
        line = [sys.executable, "-c", READER, str(small_course / "gradebook.db")]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None and reader.stdout.readline() == b"reading\n"
            assert grade(course, NAME).graded == ["amina"]
            assert reader.poll() is None
            reader.communicate()

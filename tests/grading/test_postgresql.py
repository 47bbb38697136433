"""The gradebook in PostgreSQL, through nbgrader's own setting."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from grading.students import CLASS, NAME

from autograder.authoring.agreement import submit
from autograder.errors import UstodError
from autograder.grading.course import Course, open_course
from autograder.grading.engine import Grading, grade
from autograder.grading.summary import class_totals

#: The server refuses to run as root; in a namespace of users root is nobody.
NOBODY = ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []


def program(name: str) -> str:
    """Debian keeps the server's programs off the path."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(beside[-1]) if beside else None)
    assert found, f"{name} is not installed: make development"
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database in a server of its own, which listens on a socket in a file and nowhere else."""
    data = tmp_path_factory.mktemp("postgresql") / "data"
    initdb = [program("initdb"), "--pgdata", str(data), "--username=ustod", "--auth=trust", "--encoding=UTF8"]
    subprocess.run([*NOBODY, *initdb, "--locale=C", "--no-sync"], check=True, capture_output=True)
    with tempfile.TemporaryDirectory(prefix="pg-") as socket:  # the path of a socket has less than 108 bytes
        settings = ["listen_addresses=", "fsync=off", f"unix_socket_directories={socket}"]
        line = [*NOBODY, program("postgres"), "-D", str(data), *(word for one in settings for word in ("-c", one))]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready = [program("pg_isready"), "--quiet", "--host", socket]
        while subprocess.run(ready).returncode != 0:
            assert process.poll() is None
            time.sleep(0.1)
        yield f"postgresql://ustod@/postgres?host={socket}"
        process.send_signal(signal.SIGINT)
        process.wait()


def use(course: Path, url: str) -> Course:
    """Say in the course's configuration where the gradebook is."""
    config = course / "nbgrader_config.py"
    config.write_text(f"{config.read_text('utf-8')}\nc.CourseDirectory.db_url = {url!r}\n", "utf-8")
    return open_course(course)


@pytest.fixture
def course(server: str, small_course: Path) -> Course:
    """A released course whose gradebook is in the server, and nowhere else."""
    (small_course / "gradebook.db").unlink()
    course = use(small_course, server)
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", NAME, "--force", "--log-level=ERROR"]
    subprocess.run(command, cwd=course.root, check=True, capture_output=True)
    return course


@pytest.mark.slow
def test_a_class_has_the_scores_that_it_has_in_sqlite(course: Course, graded_class: tuple[Course, Grading]) -> None:
    submit(NAME, {student: answers for student, (answers, _, _) in CLASS.items()}, course.root)
    result = grade(course, NAME)
    assert result.problems == {} and result.graded == sorted(CLASS)
    assert class_totals(course, NAME) == class_totals(graded_class[0], NAME)
    assert grade(course, NAME).unchanged == sorted(CLASS)
    assert not (course.root / "gradebook.db").exists()


class TestThatCannotBeOpened:
    """One sentence, without the password."""

    def test_because_nobody_answers(self, small_course: Path) -> None:
        course = use(small_course, "postgresql://ustod:secret@127.0.0.1:1/postgres")
        with pytest.raises(
            UstodError, match=r"postgresql://ustod:\*\*\*@127\.0\.0\.1:1/postgres cannot be opened \(.*"
        ):
            course.assignment(NAME)

    def test_because_there_is_no_driver(self, small_course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        course = use(small_course, "postgresql+psycopg://ustod@127.0.0.1:1/absent")
        with pytest.raises(UstodError, match=r"needs a driver; .* with: pip install 'ustod\[postgresql\]'"):
            course.assignment(NAME)

    def test_because_it_is_no_database(self, small_course: Path) -> None:
        (small_course / "gradebook.db").write_text("no database")
        with pytest.raises(UstodError, match=r"gradebook\.db cannot be opened \(file is not a database\); see db_url"):
            open_course(small_course).assignment(NAME)

"""Every change of a grade leaves a line, in the transaction of the change itself."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gradebook.books import CHECK, ESSAY, hand_in, make_course
from nbgrader.api import Gradebook

from autograder.audit import watch
from autograder.audit.trail import Line, Score, faults, lines, replayed
from autograder.grading.course import Course

AUTO, MANUAL = Score("u90", CHECK, "auto"), Score("u90", ESSAY, "manual")
PENALTY = Score("u90", "", "penalty")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path / "курс")


def log(course: Course) -> list[Line]:
    with course.gradebook() as book:
        return list(lines(book.db().connection()))


def whole(course: Course, noted: str | None = None) -> list[str]:
    with course.gradebook() as book:
        return faults(book.db().connection(), noted)


def told(line: Line) -> dict[Score, tuple[float | None, float | None]]:
    return {change.score: (change.before, change.after) for change in line.changes}


def file(course: Course) -> Path:
    return course.root / "gradebook.db"


def test_the_first_grades_are_a_line_of_their_own(course: Course) -> None:
    with watch.because("graded", "anora"):
        hand_in(course, "s1", auto=2, penalty=0.5)
    (line,) = log(course)
    assert (line.who, line.why, line.student, line.assignment) == ("anora", "graded", "s1", "u90")
    assert told(line) == {AUTO: (None, 2.0), PENALTY: (None, 0.5)}
    assert whole(course) == []


def test_what_was_and_what_is_are_those_of_the_transaction_not_of_its_steps(course: Course) -> None:
    hand_in(course, "s1", auto=2)
    with course.gradebook() as book:
        (grade,) = [one for one in book.find_submission("u90", "s1").notebooks[0].grades if one.cell.name == CHECK]
        for step in (0, 1, 3):
            grade.auto_score = step
            book.db.flush()
    assert told(log(course)[-1]) == {AUTO: (2.0, 3.0)}


def test_nothing_is_logged_if_nothing_changes_or_the_change_is_not_kept(course: Course) -> None:
    hand_in(course, "s1", auto=2)
    hand_in(course, "s1", auto=2)
    with pytest.raises(ZeroDivisionError), course.gradebook() as book:
        for grade in book.find_submission("u90", "s1").notebooks[0].grades:
            grade.manual_score = 1
        book.db.flush()
        _ = 1 / 0
    assert len(log(course)) == 1


def test_a_grade_taken_away_is_logged(course: Course) -> None:
    hand_in(course, "s1", auto=2, manual=4)
    with Gradebook(course.directory.db_url, "ml") as book:
        book.remove_submission("u90", "s1")
    assert told(log(course)[-1]) == {AUTO: (2.0, None), MANUAL: (4.0, None)}
    with course.gradebook() as again:
        assert replayed(lines(again.db().connection())) == {}


def test_nbgraders_own_interface_is_watched_too(course: Course) -> None:
    hand_in(course, "s1", auto=2)
    with Gradebook(course.directory.db_url, "ml") as book:
        grade = book.find_grade(ESSAY, "u90", "u90", "s1")
        grade.manual_score = 4.5
        book.db.commit()
    assert told(log(course)[-1]) == {MANUAL: (None, 4.5)}


class TestBehindOurBack:
    def test_a_change_is_told_apart_from_the_next_one(self, course: Course) -> None:
        hand_in(course, "s1", auto=1)
        change(course, "UPDATE grade SET auto_score = 3 WHERE auto_score = 1")
        with watch.because("graded", "anora"):
            hand_in(course, "s1", auto=2)
        outside, ours = log(course)[1:]
        assert (outside.who, outside.why) == ("unknown", watch.OUTSIDE)
        assert told(outside) == {AUTO: (1.0, 3.0)}
        assert (ours.who, told(ours)) == ("anora", {AUTO: (3.0, 2.0)})

    def test_a_look_finds_it(self, course: Course) -> None:
        hand_in(course, "s1", auto=1)
        hand_in(course, "s2", auto=1)
        change(course, "UPDATE grade SET manual_score = 5 WHERE auto_score = 1")
        with course.gradebook() as book:
            assert watch.notice(book.db(), "another") == 0
            assert watch.notice(book.db()) == 2
            assert watch.notice(book.db()) == 0
        assert [line.why for line in log(course)[2:]] == [watch.OUTSIDE, watch.OUTSIDE]

    def test_a_gradebook_that_is_older_than_the_log_begins_with_what_is_there(self, course: Course) -> None:
        hand_in(course, "s1", auto=1)
        change(course, "DROP TABLE ustod_audit")
        with course.gradebook() as book:
            watch.notice(book.db())
        assert [(line.who, line.why) for line in log(course)] == [("unknown", watch.FOUND)]


class TestSpoilt:
    @pytest.fixture
    def three(self, course: Course) -> Iterator[Course]:
        for points in (1, 2, 3):
            hand_in(course, "s1", auto=points)
        for verb in ("update", "delete"):
            change(course, f"DROP TRIGGER ustod_audit_no_{verb}")
        yield course

    def test_an_edit_shows(self, three: Course) -> None:
        change(three, "UPDATE ustod_audit SET who = 'nobody' WHERE number = 2")
        assert whole(three) == ["Line 2 of the audit log was changed after it was written."]

    def test_an_edit_with_a_new_hash_shows_in_the_next_line(self, three: Course) -> None:
        change(three, f"UPDATE ustod_audit SET sha256 = '{'1' * 64}' WHERE number = 2")
        assert any("Line 3 of the audit log does not follow" in sentence for sentence in whole(three))

    def test_a_line_that_is_gone_shows(self, three: Course) -> None:
        change(three, "DELETE FROM ustod_audit WHERE number = 2")
        assert whole(three) == ["Lines 2 to 2 of the audit log are missing."]

    def test_an_end_that_is_gone_shows_to_whoever_noted_it(self, three: Course) -> None:
        noted = log(three)[-1].sha256
        assert whole(three, noted) == []
        change(three, "DELETE FROM ustod_audit WHERE number = 3")
        assert whole(three) == []
        assert "is not in the log" in whole(three, noted)[0]
        with three.gradebook() as book:
            assert watch.notice(book.db()) == 1  # and the grades are not those of the log any more


@pytest.mark.parametrize("statement", ["UPDATE ustod_audit SET who = 'nobody'", "DELETE FROM ustod_audit"])
def test_the_database_itself_refuses_to_change_the_log(course: Course, statement: str) -> None:
    hand_in(course, "s1", auto=1)
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        change(course, statement)


def test_two_programs_that_change_grades_at_a_time_make_one_chain(course: Course) -> None:
    for student in ("s1", "s2"):
        hand_in(course, student, auto=0)
    both = [start(course, student, 10) for student in ("s1", "s2")]
    for process in both:
        assert process.wait(120) == 0
    assert whole(course) == []
    assert len(log(course)) == 2 + 2 * 10


def test_killed_at_any_moment_there_is_no_change_without_its_line(course: Course) -> None:
    hand_in(course, "s1", auto=0)
    seen = set()
    for _ in range(4):
        process = start(course, "s1", 10_000)
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with course.gradebook() as book:
            assert watch.notice(book.db()) == 0
        assert whole(course) == []
        seen.add(len(log(course)))
    assert len(seen) == 4


def change(course: Course, statement: str) -> None:
    """As somebody does who opens the file with a tool of SQLite's."""
    with closing(sqlite3.connect(file(course), timeout=60)) as connection, connection:
        connection.execute(statement)


PROGRAM = """
    import sys
    from pathlib import Path
    from gradebook.books import hand_in
    from autograder.grading.course import open_course
    course = open_course(Path(sys.argv[1]))
    for number in range(int(sys.argv[3])):
        hand_in(course, sys.argv[2], auto=(number % 7) + 0.25)
        print(number, flush=True)
"""


def start(course: Course, student: str, times: int) -> subprocess.Popen[bytes]:
    """A program that gives `student` new scores, again and again."""
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": tests}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(course.root), student, str(times)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE if times > 100 else subprocess.DEVNULL)

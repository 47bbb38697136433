"""What an LMS or a spreadsheet gets is exactly what stands in the gradebook, and nothing in it runs."""

from __future__ import annotations

import csv
import io
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from gradebook.books import hand_in, make_course
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared import Ustod

from autograder.errors import UstodError
from autograder.gradebook.export import COLUMNS, to_canvas, to_csv, to_moodle, to_xlsx
from autograder.gradebook.standing import Person, Standing, Standings, State, Task, standings
from autograder.gradebook.tables import EXCEL_WITH_COMMAS, PLAIN, Dialect, harmless, original, plain_number
from autograder.grading.course import Course

NASTY = [
    "Раҳимова, Фирӯза",
    'Ҷамшед "Ҷим" Ғаниев',
    "two\nlines",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "a;=cmd|' /C calc'!A0",
    '"=1+1',
    "+992 900",
    "-5",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
]
numbers = st.floats(0, 1e6, allow_nan=False)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(NASTY)
works = st.one_of(
    st.builds(Standing, st.just(State.GRADED), numbers, numbers, st.just(datetime(2026, 2, 1, 11, 0, 5))),
    st.builds(Standing, st.just(State.WAITING), numbers),
    st.builds(Standing, st.sampled_from([State.UNGRADED, State.MISSING, State.AHEAD])),
)


@st.composite
def classes(draw: st.DrawFn) -> Standings:
    ids = draw(st.lists(st.sampled_from([f"s{number}" for number in range(9)]) | words, unique=True, max_size=5))
    people = [
        Person(one, draw(words), draw(words), draw(words), draw(st.sampled_from(["", "17", "x1"]))) for one in ids
    ]
    tasks = [Task("u01", 8.0), Task("u02 (проба)", draw(numbers), datetime(2026, 2, 1))]
    return Standings(people, tasks, {(one, task.name): draw(works) for one in ids for task in tasks})


def table(content: bytes, dialect: Dialect = PLAIN) -> list[list[str]]:
    text = content.decode("utf-8-sig" if dialect.marked else "utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=dialect.separator))


@given(st.text() | st.sampled_from(NASTY))
@example("=1")
@example("';  '=1,\"-x")
def test_what_is_made_harmless_begins_no_formula_and_can_be_had_back(text: str) -> None:
    safe = harmless(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert original(safe) == text


@given(numbers)
@example(0.1 + 0.2)
@example(1e-7)
def test_numbers_are_exact_and_have_no_exponent(number: float) -> None:
    assert re.fullmatch(r"\d+(\.\d+)?", plain_number(number))
    assert float(plain_number(number)) == number


@given(classes(), st.sampled_from([PLAIN, EXCEL_WITH_COMMAS]))
def test_csv_comes_back_as_it_was(grades: Standings, dialect: Dialect) -> None:
    head, *rows = table(to_csv(grades, dialect), dialect)
    assert head == list(COLUMNS)
    found = {(original(row[0]), original(row[4])): dict(zip(head, row, strict=True)) for row in rows}
    assert found.keys() == grades.of.keys()
    for (who, what), row in found.items():
        person, work = next(one for one in grades.people if one.id == who), grades.of[who, what]
        assert [original(row[name]) for name in ("last_name", "first_name", "email")] == [
            person.last_name,
            person.first_name,
            person.email,
        ]
        assert row["state"] == work.state.value
        assert read(row["score"], dialect) == work.score
        assert read(row["raw_score"], dialect) == work.raw


@given(classes())
def test_moodle_takes_back_what_its_own_export_has(grades: Standings) -> None:
    """Columns of https://docs.moodle.org/405/en/Grade_export; an empty cell is no grade, a zero is a zero."""
    head, *rows = table(to_moodle(grades))
    assert head[:5] == ["First name", "Last name", "ID number", "Username", "Email address"]
    assert head[5:-1] == [f"Assignment: {task.name} (Real)" for task in grades.tasks]
    assert head[-1] == "Last downloaded from this course"
    assert [original(row[2]) for row in rows] == [person.id for person in grades.people]
    for row, person in zip(rows, grades.people, strict=True):
        assert [original(cell) for cell in (row[0], row[1], row[4])] == [
            person.first_name,
            person.last_name,
            person.email,
        ]
        assert [read(cell) for cell in row[5:-1]] == [grades.of[person.id, task.name].score for task in grades.tasks]
        assert abs(int(row[-1]) - datetime.now(UTC).timestamp()) < 3600


@given(classes())
def test_canvas_reads_its_own_columns_and_the_points_possible(grades: Standings) -> None:
    """As Canvas's importer looks for them: the words in the first row, and "Points Possible" in a row after it."""
    head, possible, *rows = table(to_canvas(grades))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "u01", "u02 (проба)."]
    assert possible[0].strip() == "Points Possible"
    assert [float(cell) for cell in possible[5:]] == [task.points for task in grades.tasks]
    for row, person in zip(rows, grades.people, strict=True):
        assert original(row[2]) == original(row[3]) == person.id
        assert row[1] in ("", "17")
        assert "\n" not in row[0] and "\r" not in row[0]
        assert [read(cell) for cell in row[5:]] == [grades.of[person.id, task.name].score for task in grades.tasks]


@settings(max_examples=25)
@given(classes())
def test_a_workbook_holds_texts_and_numbers_and_no_formula(grades: Standings) -> None:
    book = openpyxl.load_workbook(io.BytesIO(to_xlsx(grades)))
    assert book.sheetnames == ["grades", "details"]
    assert not any(cell.data_type == "f" for sheet in book for row in sheet for cell in row)
    assert all(cell.quotePrefix for cell in book["details"]["A"][1:])
    values = [[cell.value for cell in row] for row in book["grades"]]
    assert values[0] == ["student", "last_name", "first_name", "email", "u01", "u02 (проба)"]
    for row, person in zip(values[1:], grades.people, strict=True):
        for cell, task in zip(row[4:], grades.tasks, strict=True):
            work = grades.of[person.id, task.name]
            assert cell == (work.state.value if work.score is None else pytest.approx(work.score, rel=1e-15))
        assert spaced(row[1]) == spaced(person.last_name)


def spaced(text: str | None) -> str:
    """XML has its own way with control characters and ends of lines."""
    return re.sub(r"_x[0-9A-Fa-f]{4}_|[\x00-\x1f\x7f\ufffe\uffff]", "", text or "")


def read(cell: str, dialect: Dialect = PLAIN) -> float | None:
    return float(cell.replace(dialect.decimal, ".")) if cell else None


class TestStates:
    @pytest.fixture
    def course(self, tmp_path: Path) -> Course:
        return make_course(tmp_path / "курс", ("u90", "u91"))

    def test_are_told_apart_from_zero(self, course: Course) -> None:
        hand_in(course, "zero", auto=0, manual=0)
        hand_in(course, "waiting", auto=3)
        hand_in(course, "late", auto=3, manual=4, penalty=1.5)
        hand_in(course, "very late", auto=1, manual=0, penalty=9)
        (course.root / "submitted" / "fresh" / "u90").mkdir(parents=True)
        with course.gradebook() as book:
            book.add_student("fresh")
            book.add_student("silent")
        of = standings(course, "u90").of
        found = {who: (work.state, work.score) for (who, _), work in of.items()}
        assert found == {
            "zero": (State.GRADED, 0.0),
            "waiting": (State.WAITING, None),
            "late": (State.GRADED, 5.5),
            "very late": (State.GRADED, 0.0),
            "fresh": (State.UNGRADED, None),
            "silent": (State.MISSING, None),
        }
        before = standings(course, "u90", now=datetime(2026, 1, 1, tzinfo=UTC)).of
        assert before["silent", "u90"].state is State.AHEAD

    def test_agree_with_nbgraders_own_sums(self, course: Course) -> None:
        for number in range(5):
            hand_in(course, f"s{number}", auto=number / 3, manual=number / 7, penalty=number / 11)
        found = standings(course)
        with course.gradebook() as book:
            for entry in book.assignment_submissions("u90"):
                work = found.of[entry.student.id, "u90"]
                assert work.raw == pytest.approx(entry.score, abs=1e-12)
                assert work.penalty == pytest.approx(entry.late_submission_penalty)
            assert [task.points for task in found.tasks] == [one.max_score for one in book.assignments]


class TestBadGradebooks:
    @pytest.fixture
    def course(self, tmp_path: Path) -> Course:
        course = make_course(tmp_path / "курс")
        hand_in(course, "s1", auto=2, manual=3)
        return course

    def test_that_are_not_there(self, course: Course) -> None:
        (course.root / "gradebook.db").unlink()
        with pytest.raises(UstodError, match=r"has no gradebook .*gradebook\.db; nothing was graded"):
            standings(course)

    @pytest.mark.parametrize("kept", [0.5, 0.9])
    def test_that_are_cut_off(self, course: Course, kept: float) -> None:
        path = course.root / "gradebook.db"
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * kept)])
        with pytest.raises(UstodError, match=r"gradebook\.db .*(damaged|cannot be)"):
            standings(course)

    def test_that_are_no_database(self, course: Course) -> None:
        (course.root / "gradebook.db").write_bytes(b"PK\x03\x04" * 5000)
        with pytest.raises(UstodError, match=r"damaged.*put a backup in its place"):
            standings(course)

    def test_of_an_older_nbgrader_lack_a_column(self, course: Course) -> None:
        with closing(sqlite3.connect(course.root / "gradebook.db")) as connection, connection:
            connection.execute("ALTER TABLE student DROP COLUMN lms_user_id")
        with pytest.raises(UstodError, match=r"of an older nbgrader.*nbgrader db upgrade"):
            standings(course)

    def test_that_another_program_holds(self, course: Course) -> None:
        config = course.root / "nbgrader_config.py"
        config.write_text(f"{config.read_text()}c.CourseDirectory.db_url = 'sqlite:///gradebook.db?timeout=0.2'\n")
        with closing(sqlite3.connect(course.root / "gradebook.db", isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            with pytest.raises(UstodError, match=r"another program holds it|held by another program"):
                standings(Course(course.root))

    def test_that_a_grader_writes_are_read_as_they_were(self, course: Course) -> None:
        with closing(sqlite3.connect(course.root / "gradebook.db", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE grade SET auto_score = 0")
            assert standings(course).of["s1", "u90"].score == 5.0


def test_the_command_writes_a_private_file_and_says_what_is_in_it(tmp_path: Path, ustod: Ustod) -> None:
    course = make_course(tmp_path / "курс")
    hand_in(course, "s1", auto=2, manual=3, person={"last_name": "=cmd|' /C calc'!A0"})
    hand_in(course, "s2", auto=2)
    for form, ending in (("csv", "csv"), ("moodle", "csv"), ("canvas", "csv"), ("xlsx", "xlsx")):
        out = tmp_path / f"{form}.{ending}"
        done: subprocess.CompletedProcess[str] = ustod(
            "export", "--course", course.root, "--format", form, "--out", out
        )
        assert done.returncode == 0, done.stderr
        assert "2 students, 1 assignments" in done.stdout
        assert "1 graded, 1 waiting for a manual grade" in done.stdout
        assert os.stat(out).st_mode & 0o777 == 0o600
    assert b",=" not in (tmp_path / "csv.csv").read_bytes()
    refused = ustod("export", "--course", course.root, "--out", tmp_path / "no" / "where.csv")
    assert refused.returncode == 1 and "cannot be written" in refused.stderr
    assert ustod("export", "--course", course.root, "--format", "word").returncode == 2

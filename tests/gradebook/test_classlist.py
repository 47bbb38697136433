"""Class lists reach the gradebook, and no grade is lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradebook.books import hand_in, make_course
from shared import Ustod

from autograder.errors import UstodError
from autograder.gradebook.classlist import enrol, read_people
from autograder.gradebook.export import to_canvas, to_csv, to_moodle
from autograder.gradebook.standing import Person, standings
from autograder.grading.course import Course


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path / "курс")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "рӯйхат.csv"


EXCEL = "Логин;Фамилия;Имя;Почта;Группа\r\ns1;Раҳимова;Фирӯза;f@example.org;1\r\ns2;Ғаниев;Ҷамшед;;1\r\n"
MOODLE = (
    '"First name","Last name","ID number","Email address",Groups\n'
    'Фирӯза,Раҳимова,s1,f@example.org,"A, B"\nҶамшед,Ғаниев,s2,,\n'
)
MOODLE_IN_RUSSIAN = (
    '"Имя","Фамилия","Индивидуальный номер","Адрес электронной почты","Группы"\n'
    "Фирӯза,Раҳимова,s1,f@example.org,\nҶамшед,Ғаниев,s2,,\n"
)
BOTH = [Person("s1", "Раҳимова", "Фирӯза", "f@example.org"), Person("s2", "Ғаниев", "Ҷамшед")]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(EXCEL, "utf-8-sig"), (EXCEL, "utf-16"), (MOODLE, "utf-8"), (MOODLE_IN_RUSSIAN, "utf-8")],
)
def test_lists_of_excel_and_of_moodle_are_read(path: Path, text: str, encoding: str) -> None:
    path.write_bytes(text.encode(encoding))
    assert list(read_people(path)) == BOTH


def test_excel_in_russian_without_letters_of_tajik_writes_windows_1251(path: Path) -> None:
    path.write_bytes("Логин;ФИО;Почта\r\ns1;Иванов Пётр;p@example.org\r\n".encode("cp1251"))
    assert list(read_people(path)) == [Person("s1", "Иванов Пётр", "", "p@example.org")]


def test_what_was_added_changed_and_left_alone_is_told_and_nobody_loses_a_grade(course: Course, path: Path) -> None:
    hand_in(course, "s1", auto=3, manual=4, person={"last_name": "Раҳимова", "first_name": "Ф.", "email": "f@x.org"})
    hand_in(course, "gone", auto=1, manual=1)
    path.write_text("id;last name;first name;email\ns1;Раҳимова;Фирӯза;\ns2;Ғаниев;Ҷамшед;j@x.org\n", "utf-8")
    done = enrol(course, path)
    assert (done.added, done.changed, done.others) == (["s2"], {"s1": "Ф. → Фирӯза"}, ["gone"])
    again = enrol(course, path)
    assert (again.added, again.changed, again.unchanged) == ([], {}, ["s1", "s2"])
    found = standings(course)
    assert {one.id: one.email for one in found.people} == {"s1": "f@x.org", "s2": "j@x.org", "gone": ""}
    assert [found.of[who, "u90"].score for who in ("s1", "gone")] == [7, 2]


@pytest.mark.parametrize("write", [to_csv, to_moodle])
def test_our_own_exports_can_be_read_as_lists(course: Course, path: Path, write: object) -> None:
    person = {"last_name": "=cmd|' /C calc'!A0", "first_name": 'a "b", c', "email": "x,y@example.org"}
    hand_in(course, "s1", auto=3, manual=4, person=person)
    assert callable(write)
    path.write_bytes(write(standings(course)))
    assert list(read_people(path)) == [Person("s1", *person.values())]


def test_an_export_for_canvas_is_no_list_of_names_but_of_ids(course: Course, path: Path) -> None:
    hand_in(course, "s1")
    path.write_bytes(to_canvas(standings(course)))
    with pytest.raises(UstodError, match="Line 2"):  # the points possible
        list(read_people(path))


def test_ids_can_be_taken_from_addresses(path: Path) -> None:
    path.write_text("First name,Last name,Email address\nФирӯза,Раҳимова,firuza@example.org\n", "utf-8")
    with pytest.raises(UstodError, match="--ids-from-email"):
        list(read_people(path))
    assert next(read_people(path, ids_from_email=True)).id == "firuza"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("name;email\na;b\n", "no column id"),
        ("id\n../../etc\n", "Line 2 of .*cannot be an id"),
        ("id\n.hidden\n", "Line 2"),
        ("id;name\n;x\n", "Line 2"),
        ("id\na\nb\na\n", "the id a is on line 2 too"),
        (f"id\n{'a' * 129}\n", "Line 2"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_changed(course: Course, path: Path, text: str, said: str) -> None:
    path.write_text(text, "utf-8")
    with pytest.raises(UstodError, match=said):
        enrol(course, path)
    assert standings(course).people == []


def test_a_list_that_is_not_there(course: Course, path: Path) -> None:
    with pytest.raises(UstodError, match="cannot be read"):
        enrol(course, path)


def test_the_command_tells(tmp_path: Path, path: Path, ustod: Ustod) -> None:
    course = make_course(tmp_path / "курс")
    hand_in(course, "stays", auto=1)
    path.write_text("id;name\ns1;[red]x\n", "utf-8")
    done = ustod("roster", path, "--course", course.root)
    assert done.returncode == 0, done.stderr
    assert "1 added, 0 changed, 0 left alone" in done.stdout and "kept: stays" in done.stdout

"""Class lists, as spreadsheets write them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import UstodError
from autograder.hub.roster import ID, RESERVED, Person, read_roster

FIRUZA = Person("s2301", "Раҳимова Фирӯза", "f@example.org", "1")
ids = st.from_regex(ID, fullmatch=True).filter(lambda text: not text.startswith(RESERVED))
words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=20).map(
    lambda text: " ".join(text.split())
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "рӯйхат.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators_of_spreadsheets_are_understood(path: Path, encoding: str, separator: str) -> None:
    rows = [("id", "name", "e-mail", "group"), ("s2301", "Раҳимова Фирӯза", "f@example.org", "1")]
    path.write_text("\r\n".join(separator.join(row) for row in rows) + "\r\n", encoding)
    assert read_roster(path) == [FIRUZA]


def test_excel_in_russian_writes_windows_1251_and_russian_titles(path: Path) -> None:
    path.write_text("Логин;ФИО;Почта;Группа\ns1;Иванов Пётр;p@example.org;2\n", "cp1251")
    assert read_roster(path) == [Person("s1", "Иванов Пётр", "p@example.org", "2")]


def test_a_name_holds_no_markup(path: Path) -> None:
    path.write_text("id,name,email\ns1,<script>alert(1)</script> Ш.,<b>x@y\n", "utf-8")
    assert read_roster(path) == [Person("s1", "scriptalert(1)/script Ш.", "bx@y")]


@given(people=st.lists(st.builds(Person, ids, words, words, words), unique_by=lambda one: one.id))
def test_what_csv_can_hold_comes_back(tmp_path_factory: pytest.TempPathFactory, people: list[Person]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["id", "name", "email", "group"], *([p.id, p.name, p.email, p.group] for p in people)])
    path = tmp_path_factory.mktemp("roster") / "list.csv"
    path.write_text(text.getvalue(), "utf-8")
    assert read_roster(path) == people


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("name,email\na,b\n", "has no column id"),
        ("id\nroot!\n", "Line 2"),
        ("id\n../../etc\n", "cannot be an id"),
        ("id\nustod-exchange\n", "cannot be an id"),
        ("id\ngrader-ml\n", "cannot be an id"),
        ("id,name\na,x\n\n,y\n", "Line 4"),
        ("id\na\nb\nA\n", "the id a is on line 2 too"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(path: Path, text: str, said: str) -> None:
    path.write_text(text, "utf-8")
    with pytest.raises(UstodError, match=said) as raised:
        read_roster(path)
    assert str(path) in str(raised.value)


def test_a_list_that_is_not_there_is_a_sentence(path: Path) -> None:
    with pytest.raises(UstodError, match="cannot be read"):
        read_roster(path)

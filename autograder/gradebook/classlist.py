"""Class lists, as spreadsheets of any language and Moodle's list of participants write them, for the gradebook.

Moodle's columns are those that its page of participants offers for download
(https://docs.moodle.org/405/en/Enrolled_users), in English and in Russian.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbgrader.api import Student

from autograder.errors import UstodError
from autograder.gradebook.standing import Person, opened
from autograder.gradebook.tables import decoded, original, rows_of
from autograder.grading.course import Course

#: The columns that are read, by their names in three languages; any other column is passed over.
COLUMNS = {
    "id": {
        *("id", "student id", "student", "username", "login", "id number", "sis user id", "sis login id"),
        *("рамз", "рақам", "логин", "номер", "индивидуальный номер", "имя пользователя"),
    },
    "name": {"name", "full name", "ном", "ному насаб", "имя", "фио", "полное имя"},
    "first_name": {"first name", "first_name", "firstname"},
    "last_name": {"last name", "last_name", "lastname", "surname", "насаб", "фамилия"},
    "email": {
        *("email", "e-mail", "mail", "email address", "почта", "эл. почта", "почтаи электронӣ"),
        "адрес электронной почты",
    },
    "group": {"group", "groups", "гурӯҳ", "гурӯҳҳо", "группа", "группы"},
    "lms_user_id": {"lms_user_id", "lms user id"},
}
#: What no folder may be called on some system; and what no id in a gradebook may be longer than.
_BAD_IN_IDS = re.compile(r'[/\\:*?"<>|\x00-\x1f]|^\.')
_LONGEST = 128


@dataclass
class Enrolled:
    """What a class list did to a gradebook: ids, and for those changed what they were and are in words.

    `others` are in the gradebook and not on the list; they, and everybody's grades, stay.
    """

    added: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def column_of(title: str) -> str:
    """Which of `COLUMNS` the `title` of a column names; empty if none."""
    plain = " ".join(title.split()).casefold()
    return next((name for name, titles in COLUMNS.items() if plain in titles), "")


def enrol(course: Course, path: Path, *, ids_from_email: bool = False) -> Enrolled:
    """Put everybody on the class list `path` into the gradebook of `course`.

    What the list does not say of somebody stays as it is, and nobody is taken out.

    Args:
        ids_from_email: whether the part of the e-mail before the @ is the id, for lists without ids.

    Raises:
        UstodError: if the list or the gradebook cannot be read; then nothing is changed.
    """
    people = list(read_people(path, ids_from_email=ids_from_email))
    done = Enrolled()
    with opened(course, empty_too=True) as book:
        there = {student.id: student for student in book.students}
        for person in people:
            told = {name: text for name, text in vars(person).items() if text and name != "id"}
            student = there.get(person.id)
            if student is None:
                book.db.add(Student(id=person.id, **told))
                done.added.append(person.id)
                continue
            news = {name: text for name, text in told.items() if getattr(student, name) != text}
            for name, text in news.items():
                before = getattr(student, name) or "–"
                done.changed[person.id] = ", ".join(filter(None, (done.changed.get(person.id), f"{before} → {text}")))
                setattr(student, name, text)
            if not news:
                done.unchanged.append(person.id)
        done.others = sorted(there.keys() - {person.id for person in people})
    return done


def read_people(path: Path, *, ids_from_email: bool = False) -> Iterator[Person]:
    """Everybody on the class list `path`.

    Raises:
        UstodError: if it cannot be read, names no ids, or a line has none that can be one.
    """
    try:
        rows = rows_of(decoded(path.read_bytes()))
    except OSError as error:
        raise UstodError(f"The class list {path} cannot be read: {error.strerror or error}.") from None
    names = _names(path, rows, ids_from_email=ids_from_email)
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = [" ".join(original(cell).split()) for cell in row]
        if not any(cells):
            continue
        values = {name: cell for name, cell in zip(names, cells, strict=False) if name}
        who = values.get("email", "").partition("@")[0] if ids_from_email else values.get("id", "")
        if not who or _BAD_IN_IDS.search(who) or len(who) > _LONGEST:
            raise UstodError(
                f"Line {number} of {path}: {who[:80]!r} cannot be an id, which names a folder; correct the list."
            )
        if who in seen:
            raise UstodError(f"Line {number} of {path}: the id {who} is on line {seen[who]} too.")
        seen[who] = number
        yield _person(who, values)


def _names(path: Path, rows: list[list[str]], *, ids_from_email: bool) -> list[str]:
    if not any(any(row) for row in rows):
        raise UstodError(f"The class list {path} is empty; its first line must name the columns id, name, email.")
    names = [column_of(title) for title in rows[0]]
    if "last_name" in names and "first_name" not in names:  # «Имя» beside «Фамилия»
        names = ["first_name" if name == "name" else name for name in names]
    for place, name in enumerate(names):  # of two columns of ids, as in our own file for Moodle, the first counts
        if name in names[:place]:
            names[place] = ""
    wanted = "email" if ids_from_email else "id"
    if wanted not in names:
        more = "" if ids_from_email else "; if e-mail addresses are all there is, add --ids-from-email"
        raise UstodError(f"The class list {path} has no column {wanted} in its first line: {rows[0]}{more}.")
    return names


def _person(who: str, values: dict[str, str]) -> Person:
    """A name in one column stays whole as the last name: which of its words is which, nobody can tell."""
    known = {name: values.get(name, "")[:_LONGEST] for name in ("last_name", "first_name", "email", "lms_user_id")}
    person = Person(who, **known)
    return (
        person
        if person.last_name or person.first_name
        else replace(person, last_name=values.get("name", "")[:_LONGEST])
    )

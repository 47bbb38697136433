"""Class lists, as spreadsheets of any language and Moodle's list of participants write them, for the gradebook.

Moodle's columns are those that its page of participants offers for download
(https://docs.moodle.org/405/en/Enrolled_users), in English and in Russian. A gradebook exported from Canvas is a class
list too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbgrader.api import Student

from autograder.errors import UstodError
from autograder.gradebook.standing import Person, opened
from autograder.gradebook.tables import columns_of, decoded, original, rows_of
from autograder.grading.course import Course

#: What no folder may be called on some system; and what no id in a gradebook may be longer than.
_BAD_IN_IDS = re.compile(r'[/\\:*?"<>|\x00-\x1f]|^\.')
_LONGEST = 128
#: In an export of Canvas other columns hold ids, the one called ID its own, and one row no student.
_OF_CANVAS = {"student": "name", "id": "lms_user_id"}
_NO_STUDENT = "Points Possible"


@dataclass
class Enrolled:
    """What a class list did to a gradebook: ids, and for those changed what they were and are in words.

    `others` are in the gradebook and not on the list; they, and everybody's grades, stay.
    """

    added: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


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
        if not any(cells) or cells[0] == _NO_STUDENT:
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
    names, titles = columns_of(rows[0]), [title.casefold().strip() for title in rows[0]]
    if "sis user id" in titles:
        names = [_OF_CANVAS.get(title, name) for title, name in zip(titles, names, strict=True)]
        names[titles.index("sis user id")] = "id"
    elif "id" not in names and "student" in titles:  # as our own exports call it
        names[titles.index("student")] = "id"
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

"""Changes to ``lab.toml`` and its class lists, which leave what people wrote there, comments too, as it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import tomlkit
from tomlkit.items import AoT

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.hub.lab import Course, Lab, read_lab
from autograder.hub.roster import Person, read_roster


def add_course(
    lab: Lab, name: str, instructors: Sequence[str], *, title: str = "", units: Sequence[str] = (), language: str | None
) -> Lab:
    """`lab` with one more course, written to its file; instructors who are not known yet are entered too.

    Raises:
        UstodError: if there is such a course, or a name cannot be one; the file is as it was then.
    """
    if name in {course.name for course in lab.courses}:
        raise UstodError(f"{lab.path} has a course {name} already.")
    document = tomlkit.parse(lab.path.read_text("utf-8-sig"))
    known = {one.id for one in lab.instructors}
    for who in instructors:
        if who not in known:
            _table(document, "instructors").append(tomlkit.item({"id": who}))
    table = {"name": name, "title": title, "language": language, "units": list(units), "instructors": list(instructors)}
    _table(document, "courses").append(tomlkit.item({key: value for key, value in table.items() if value}))
    return _write(lab, tomlkit.dumps(document))


def add_students(lab: Lab, name: str, source: Path, *, replace: bool = False) -> tuple[Lab, int, int]:
    """`lab` with the students of the class list `source` in the course `name`.

    Those who are on the course's list already get the new name and address; with `replace` the others are taken off.

    Returns:
        The lab, how many students are new, and how many were taken off.

    Raises:
        UstodError: if the class list cannot be read, or there is no such course.
    """
    course = lab.course(name)
    before = {person.id: person for person in lab.rosters[name]}
    given = {person.id: person for person in read_roster(source)}
    if teaching := sorted(set(given) & {one.id for one in lab.instructors}):
        raise UstodError(f"{source} lists {teaching[0]}, who is an instructor; remove one of the two.")
    after = given if replace else before | given
    relative = course.roster or Path("rosters") / f"{name}.csv"
    path = lab.path.parent / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, _csv(list(after.values())), mode=0o600)
    changed = _name_roster(lab, course, relative)
    return changed, len(set(after) - set(before)), len(set(before) - set(after))


def _csv(people: Sequence[Person]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["id", "name", "email", "group"])
    rows.writerows([person.id, person.name, person.email, person.group] for person in people)
    return text.getvalue()


def _name_roster(lab: Lab, course: Course, relative: Path) -> Lab:
    if course.roster is not None:
        return read_lab(lab.path)
    document = tomlkit.parse(lab.path.read_text("utf-8-sig"))
    for table in _table(document, "courses"):
        if table["name"] == course.name:
            table["roster"] = str(relative)
    return _write(lab, tomlkit.dumps(document))


def _table(document: tomlkit.TOMLDocument, name: str) -> AoT:
    if name not in document:
        document[name] = tomlkit.aot()
    found = document[name]
    if not isinstance(found, AoT):
        raise UstodError(f"Write the {name} of the lab's file as [[{name}]] tables, so that one can be added.")
    return found


def _write(lab: Lab, text: str) -> Lab:
    """Put `text` in the place of the lab's file if it is a lab; otherwise leave the file alone."""
    trial = lab.path.with_name(f".{lab.path.name}.new")
    write_text(trial, text, mode=lab.path.stat().st_mode & 0o777)
    try:
        read_lab(trial)
        trial.replace(lab.path)
    except UstodError as error:
        trial.unlink()
        raise UstodError(str(error).replace(str(trial), str(lab.path))) from None
    return read_lab(lab.path)

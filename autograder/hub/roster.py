"""Class lists: CSV with the columns id, name, e-mail and group, as spreadsheets of any language write it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import UstodError
from autograder.gradebook.classlist import column_of
from autograder.gradebook.tables import decoded, rows_of

#: What a person's id may look like: it becomes part of an account's name, of paths and of addresses.
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,24}")
#: Accounts of the lab itself.
RESERVED = ("grader-", "ustod-")


@dataclass(frozen=True)
class Person:
    """Somebody on a class list. `id` is what they log in as."""

    id: str
    name: str = ""
    email: str = ""
    group: str = ""


def read_roster(path: Path) -> list[Person]:
    """Everybody on the class list `path`.

    UTF-8 with or without a byte order mark, UTF-16 and Windows-1251 are understood; so are commas, semicolons and tabs.

    Raises:
        UstodError: if the file cannot be read, has no column of ids, or a line has no id that can be one.
    """
    try:
        text = decoded(path.read_bytes())
    except OSError as error:
        raise UstodError(f"The class list {path} cannot be read: {error.strerror or error}.") from None
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise UstodError(
            f"The class list {path} is empty; its first line must name the columns id, name, email, group."
        )
    rows = iter(rows_of(text))
    names = [column_of(title) for title in next(rows)]
    if "id" not in names:
        raise UstodError(f"The class list {path} has no column id in its first line: {lines[0].strip()[:80]}")
    people = list(_people(path, names, rows))
    return people


def _people(path: Path, names: list[str], rows: Iterator[list[str]]) -> Iterator[Person]:
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        values = {name: cell for name, cell in zip(names, cells, strict=False) if name}
        who = values.get("id", "").lower()
        if not ID.fullmatch(who) or who.startswith(RESERVED):
            raise UstodError(
                f"Line {number} of {path}: {values.get('id', '')!r} cannot be an id; use up to 25 Latin letters, "
                "digits, - and _, beginning with a letter or a digit."
            )
        if who in seen:
            raise UstodError(f"Line {number} of {path}: the id {who} is on line {seen[who]} too.")
        seen[who] = number
        shown = {name: "".join(c for c in text if c.isprintable()) for name, text in values.items()}
        name = shown.get("name") or " ".join(filter(None, (shown.get("last_name"), shown.get("first_name"))))
        yield Person(who, name, shown.get("email", ""), shown.get("group", ""))

"""A whole lab in an island: everything that `ustod hub up` starts, and the people who use it."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hub.seats import Seat

from autograder.hub.authority import ca_certificate
from autograder.hub.lab import Lab, read_lab

FOLDER = Path("/srv/lab")
INSTRUCTOR, COURSE, ASSIGNMENT = "karimova", "ml", "ps1"
PASSWORD = "деҳқони доно"

NAMES = ("Раҳимова Фирӯза", "Ғафуров Далер", "Қодирова Ҷамила", "Ҳакимов Ӯктам", "Юсупова Ситора", "Шарифов Ҳӣлол")

TOML = """
name = "Лабораторияи 204"
languages = ["tg", "ru", "en"]

[server]
name = "lab.local"

[storage]
cache = "{cache}"

[limits]
memory = "2 GiB"

[[instructors]]
id = "{instructor}"
name = "Каримова Нигора"

[[courses]]
name = "{course}"
title = "Омӯзиши мошинӣ"
language = "tg"
instructors = ["{instructor}"]
roster = "ml.csv"
"""

#: An assignment that an instructor writes: one answer, and tests of which one is hidden.
SOLUTION = """def double(numbers):
    ### BEGIN SOLUTION
    return [2 * number for number in numbers]
    ### END SOLUTION"""
TESTS = """assert double([1]) == [2]
### BEGIN HIDDEN TESTS
assert double([3, 4]) == [6, 8]
### END HIDDEN TESTS"""
RIGHT = "def double(numbers):\n    return [number + number for number in numbers]"
WRONG = "def double(numbers):\n    return [2] * len(numbers)"


def source_notebook() -> dict[str, object]:
    """The instructor's notebook."""

    def cell(name: str, source: str, **about: object) -> dict[str, object]:
        nbgrader = {"grade_id": name, "schema_version": 3, "cell_type": "code", "task": False, **about}
        code = {"cell_type": "code", "execution_count": None, "outputs": [], "source": source, "id": name}
        return {**code, "metadata": {"nbgrader": nbgrader}}

    answer = cell("double", SOLUTION, grade=False, solution=True, locked=False)
    tests = cell("double-tests", TESTS, grade=True, solution=False, locked=True, points=4)
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"cells": [answer, tests], "metadata": spec, "nbformat": 4, "nbformat_minor": 5}


def students(count: int) -> list[str]:
    """Their ids; the first is all digits, as some universities have them."""
    return ["2301001", *(f"s{number}" for number in range(2, count + 1))][:count]


def ustod(*arguments: object) -> str:
    """What `ustod hub …` says about the lab."""
    command = [sys.executable, "-m", "autograder.cli", "hub", *map(str, arguments), "--lab", str(FOLDER / "lab.toml")]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr + logs()
    return done.stdout


def logs() -> str:
    """The last words of each of the lab's programs."""
    found = sorted(Path("/srv/ustod/hub/logs").glob("*.log"))
    return "\n".join(f"== {path.name}\n{path.read_text('utf-8')[-3000:]}" for path in found)


class WholeLab:
    """A lab with `count` students, up."""

    def __init__(self, count: int, more: str = "") -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        toml = TOML.format(cache=os.environ["HF_HOME"], instructor=INSTRUCTOR, course=COURSE) + more
        (FOLDER / "lab.toml").write_text(toml, "utf-8")
        self.ids = students(count)
        write_roster(FOLDER / "ml.csv", self.ids)
        ustod("up")
        self.lab: Lab = read_lab(FOLDER / "lab.toml")
        self.codes = codes_on_slips(self.lab)
        self.seats = [self.seat(person) for person in self.ids]
        self.instructor = self.seat(INSTRUCTOR)

    def seat(self, person: str) -> Seat:
        """A computer of the lab, at which `person` sits."""
        return Seat(self.lab.address, person, ca_certificate(self.lab))

    def first_login(self, seat: Seat) -> None:
        """With the code on the slip; afterwards the password is `PASSWORD`."""
        seat.log_in(self.codes[seat.name], PASSWORD)

    def formgrader(self, act: str, assignment: str = ASSIGNMENT) -> dict[str, object]:
        """Press a button of formgrader: assign, release, collect, …"""
        path = f"services/{COURSE}/formgrader/api/assignment/{assignment}/{act}"
        answer = self.instructor.ask("POST", path, json={}).json()
        assert answer["success"], answer
        return dict(answer)

    def release(self, assignment: str = ASSIGNMENT) -> None:
        """The instructor writes the assignment and releases it."""
        server = f"services/{COURSE}/"
        self.instructor.ask("GET", f"{server}lab")
        for folder in ("source", f"source/{assignment}"):
            self.instructor.ask("PUT", f"{server}api/contents/{folder}", json={"type": "directory"})
        self.instructor.save(f"source/{assignment}/{assignment}.ipynb", source_notebook(), server)
        self.formgrader("assign", assignment)
        self.formgrader("release", assignment)


def write_roster(path: Path, ids: Sequence[str]) -> None:
    """A class list as Excel in Russian writes it."""
    rows = [f"{person};{NAMES[number % len(NAMES)]};{person}@example.org;1" for number, person in enumerate(ids)]
    path.write_text("\n".join(["id;name;email;group", *rows]) + "\n", "utf-8-sig")


def codes_on_slips(lab: Lab) -> dict[str, str]:
    """The first-login code of each person, read off the printed slips."""
    codes = {}
    for page in (lab.storage.hub / "slips").glob("*.html"):
        text = html.unescape(re.sub(r"<[^>]+>", " ", page.read_text("utf-8").partition("<body")[2]))
        words = text.split()
        for place, word in enumerate(words):
            if re.fullmatch(r"[A-Z0-9]{5}-[A-Z0-9]{5}", word):
                known = [other for other in words[:place] if other in lab.people]
                codes[known[-1]] = word
    return codes

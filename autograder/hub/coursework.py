"""In the account of a course: build its units and enter its students in its gradebook.

``python -m autograder.hub.coursework`` reads its order, JSON, from standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from autograder.authoring.build import build_course, write_config
from autograder.authoring.unit import find_units, read_unit
from autograder.environment import put_own_programs_on_path
from autograder.errors import UstodError
from autograder.hub.lab import Course, Lab

#: The longest that a cell of a submission may run in a course that begins without units, in seconds.
CELL_SECONDS = 120


def order_for(lab: Lab, course: Course, folder: Path) -> dict[str, Any]:
    """What `fill` is to do for `course`, whose directory is `folder`."""
    return {
        "folder": str(folder),
        "name": course.name,
        "language": course.language or lab.languages[0],
        "units": course.units,
        "students": [[one.id, one.name, one.email] for one in lab.rosters[course.name]],
    }


def fill(order: dict[str, Any]) -> None:
    """Build those of the order's units that the course does not have, and enter those students whom it does not know.

    What an instructor has changed stays.
    """
    put_own_programs_on_path()
    folder = Path(order["folder"])
    found = [read_unit(path) for path in find_units(order["units"])] if order["units"] else []
    new = [unit for unit in found if not (folder / "source" / unit.name).exists()]
    if new:
        build_course(new, order["language"], folder, course=order["name"])
    write_config(folder, order["name"], CELL_SECONDS)
    _enter(folder, order["name"], order["students"])


def _enter(folder: Path, course: str, students: list[list[str]]) -> None:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", course) as gradebook:
        known = {student.id: student for student in gradebook.students}
        for who, name, email in students:
            last, _, first = name.partition(" ")
            wanted = {"first_name": first or None, "last_name": last or None, "email": email or None}
            student = known.get(who)
            if student is None or any(getattr(student, key) != value for key, value in wanted.items()):
                gradebook.update_or_create_student(who, **wanted)


if __name__ == "__main__":
    try:
        fill(json.load(sys.stdin))
    except UstodError as error:
        sys.exit(str(error))

"""Grades for an LMS and for spreadsheets.

What is not a grade is never written as one: work that is missing, not graded yet, or waiting for a person leaves the
cell of the score empty, so that no LMS takes it for a zero.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import datetime

from autograder.gradebook.standing import Person, Standings
from autograder.gradebook.tables import PLAIN, Cell, Dialect, as_csv

#: One line for each student and assignment.
COLUMNS = (
    *("student", "last_name", "first_name", "email", "assignment", "state", "score", "max_score"),
    *("raw_score", "late_penalty", "submitted", "due"),
)


def to_csv(grades: Standings, dialect: Dialect = PLAIN) -> bytes:
    """All that is known, a line for each student and assignment. Times are UTC."""
    return as_csv([COLUMNS, *_details(grades)], dialect)


def to_moodle(grades: Standings, dialect: Dialect = PLAIN) -> bytes:
    """For Moodle: Grades, Import, CSV file; map from "ID number", "Username" or "Email address".

    The columns are those of Moodle's own export, which its import takes back
    (https://docs.moodle.org/405/en/Grade_import). An empty cell is "no grade". The last column lets Moodle refuse a
    grade that is older than its own.
    """
    head = ["First name", "Last name", "ID number", "Username", "Email address"]
    items = [f"Assignment: {task.name} (Real)" for task in grades.tasks]
    rows: list[list[Cell]] = [[*head, *items, "Last downloaded from this course"]]
    now = float(int(time.time()))
    for person in grades.people:
        scores = [grades.of[person.id, task.name].score for task in grades.tasks]
        rows.append([person.first_name, person.last_name, person.id, person.id, person.email, *scores, now])
    return as_csv(rows, dialect)


def to_canvas(grades: Standings, dialect: Dialect = PLAIN) -> bytes:
    """For Canvas: Grades, Import.

    The columns are those of Canvas's own export, with the row of points possible that its import reads
    (https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807). Students
    are found by "SIS User ID" or "SIS Login ID"; "ID" is Canvas's own number and stays empty unless the gradebook
    knows it as the LMS's id of the student.
    """
    names = [_canvas_title(task.name) for task in grades.tasks]
    rows: list[list[Cell]] = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *names]]
    rows.append(["    Points Possible", None, None, None, None, *(task.points for task in grades.tasks)])
    for person in grades.people:
        number = person.lms_user_id if person.lms_user_id.isdecimal() else ""
        scores = [grades.of[person.id, task.name].score for task in grades.tasks]
        rows.append([_one_line(_sorted_name(person)), number, person.id, person.id, "", *scores])
    return as_csv(rows, dialect)


def to_xlsx(grades: Standings, dialect: Dialect = PLAIN) -> bytes:
    """A workbook: a sheet with a column for each assignment, and one with all that is known. Nothing in it is a
    formula; numbers have the 16 digits of the format."""
    import xlsxwriter  # type: ignore[import-untyped]

    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True, "constant_memory": False}) as book:
        bold = book.add_format({"bold": True})
        text = book.add_format()
        text.set_quote_prefix()  # stays text, even if somebody edits the cell
        head: list[Cell] = ["student", "last_name", "first_name", "email", *(task.name for task in grades.tasks)]
        sheets: dict[str, list[list[Cell]]] = {
            "grades": [head, *_overview(grades)],
            "details": [[*COLUMNS], *_details(grades)],
        }
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 1)
            sheet.set_column(0, 3, 18)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(number, column, cell, bold if number == 0 else text)
                    elif cell is not None:
                        sheet.write_number(number, column, cell)
    return content.getvalue()


#: What `ustod export` writes, by the name of the format: how, and the ending of the file's name.
FORMATS: dict[str, tuple[Callable[[Standings, Dialect], bytes], str]] = {
    "csv": (to_csv, ".csv"),
    "moodle": (to_moodle, ".csv"),
    "canvas": (to_canvas, ".csv"),
    "xlsx": (to_xlsx, ".xlsx"),
}


def _details(grades: Standings) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for person in grades.people:
        for task in grades.tasks:
            work = grades.of[person.id, task.name]
            about = [person.id, person.last_name, person.first_name, person.email, task.name, work.state.value]
            numbers = [work.score, task.points, work.raw, work.penalty if work.raw is not None else None]
            rows.append([*about, *numbers, _moment(work.submitted), _moment(task.due)])
    return rows


def _overview(grades: Standings) -> list[list[Cell]]:
    """A student's line: the score, or the state in words where there is none."""
    rows: list[list[Cell]] = []
    for person in grades.people:
        works = [grades.of[person.id, task.name] for task in grades.tasks]
        cells = [work.state.value if work.score is None else work.score for work in works]
        rows.append([person.id, person.last_name, person.first_name, person.email, *cells])
    return rows


def _moment(time: datetime | None) -> str | None:
    return time.isoformat(" ", "seconds") if time is not None else None


def _sorted_name(person: Person) -> str:
    """As Canvas sorts: "last, first"."""
    return ", ".join(filter(None, (person.last_name, person.first_name))) or person.id


def _one_line(text: str) -> str:
    """Canvas looks at the first three lines of the file, as lines, to find out what separates cells."""
    return " ".join(text.split())


def _canvas_title(name: str) -> str:
    """Canvas reads a number in parentheses at the end of a title as the number of one of its assignments."""
    return f"{_one_line(name)}." if name.rstrip().endswith(")") else _one_line(name)

"""Rubrics: what a person looks at who grades a cell, in ``rubrics/<assignment>.toml`` of the course.

The folder stands beside ``source``, so that nothing of it is released to students.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from nbgrader.api import Assignment, GradeCell, Notebook, SolutionCell, TaskCell
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.gradebook.standing import opened
from autograder.grading.course import Course
from autograder.student.texts import LANGUAGES

Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Words = Annotated[str, Field(min_length=1, max_length=2000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Level(_Part):
    """What a criterion is met by, and what that is worth."""

    points: Points
    text: Words


class Criterion(_Part):
    """One thing to look at, with its levels."""

    name: Words
    levels: Annotated[tuple[Level, ...], Field(min_length=2)]

    @property
    def most(self) -> float:
        """The points of its best level."""
        return max(level.points for level in self.levels)


class CellRubric(_Part):
    """How one cell is graded, and comments that are often made on it."""

    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    comments: tuple[Words, ...] = ()

    @property
    def points(self) -> float:
        """What the cell is worth."""
        return sum(criterion.most for criterion in self.criteria)


class Rubric(_Part):
    """How the cells of an assignment are graded by a person; `comments` are for all of them."""

    language: str = "en"
    comments: tuple[Words, ...] = ()
    cells: dict[str, CellRubric] = {}


def rubric_file(root: Path, assignment: str) -> Path:
    """Where the rubric of `assignment` stands in the course directory `root`."""
    return root / "rubrics" / f"{assignment}.toml"


def read_rubric(path: Path) -> Rubric | None:
    """The rubric in the file `path`; None if there is no such file.

    Raises:
        UstodError: if it cannot be read, or says what a rubric does not.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        rubric = Rubric.model_validate(content)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UstodError(f"The rubric {path} is wrong at {where}: {first['msg']}.") from None
    except (OSError, ValueError) as error:
        raise UstodError(f"The rubric {path} cannot be read: {error}.") from None
    if rubric.language not in LANGUAGES:
        raise UstodError(
            f"The rubric {path} is in the language {rubric.language!r}; use one of {', '.join(LANGUAGES)}."
        )
    return rubric


def faults(course: Course, assignment: str) -> list[str]:
    """What does not fit between the rubric of `assignment` and its cells, as sentences.

    Raises:
        UstodError: if there is no rubric, or it cannot be read.
    """
    path = rubric_file(course.root, assignment)
    rubric = read_rubric(path)
    if rubric is None:
        raise UstodError(f"There is no rubric {path}; ustod rubric new {assignment} writes one to begin with.")
    manual = manual_cells(course, assignment)
    found = [f"{assignment} has no cell {name} that a person grades." for name in rubric.cells.keys() - manual.keys()]
    found += [f"The cell {name} has no rubric." for name in manual.keys() - rubric.cells.keys()]
    for name in rubric.cells.keys() & manual.keys():
        if (points := rubric.cells[name].points) != manual[name]:
            found.append(f"The criteria of {name} add up to {points:g} points; the cell is worth {manual[name]:g}.")
    return sorted(found)


def manual_cells(course: Course, assignment: str) -> dict[str, float]:
    """The cells of `assignment` that a person grades, each with its points."""
    with opened(course) as book:
        session = book.db()
        both = select(SolutionCell.name)
        graded = (
            select(kind.name, kind.max_score)
            .join(Notebook, kind.notebook_id == Notebook.id)
            .join(Assignment, Notebook.assignment_id == Assignment.id)
            .where(Assignment.name == assignment)
            for kind in (GradeCell, TaskCell)
        )
        plain, tasks = (dict(session.execute(query).tuples().all()) for query in graded)
        answers = set(session.execute(both).scalars())
    return {name: points for name, points in plain.items() if name in answers} | tasks


def new_rubric(course: Course, assignment: str) -> Path:
    """Write a rubric to begin with: a criterion for each cell that a person grades.

    Raises:
        UstodError: if there is one already, or no such cell.
    """
    path = rubric_file(course.root, assignment)
    cells = manual_cells(course, assignment)
    if path.exists():
        raise UstodError(f"The rubric {path} is there already, and was left as it is.")
    if not cells:
        raise UstodError(f"No cell of {assignment} is graded by a person: it needs no rubric.")
    lines = ['language = "en"', 'comments = ["Well done."]', ""]
    for name, points in cells.items():
        quoted = _toml(name)
        lines += [f"[cells.{quoted}]", f"comments = [{_toml('Say how you know.')}]", "", f"[[cells.{quoted}.criteria]]"]
        lines += ['name = "What is looked at"', "levels = ["]
        lines += [f"    {{ points = {worth:g}, text = {_toml(text)} }}," for worth, text in _levels(points)]
        lines += ["]", ""]
    path.parent.mkdir(exist_ok=True)
    write_text(path, "\n".join(lines))
    return path


def _levels(points: float) -> list[tuple[float, str]]:
    return [(0, "missing"), (points / 2, "half of it"), (points, "all of it")]


def _toml(text: str) -> Any:
    """`text` as TOML writes it; JSON's way is one of TOML's."""
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

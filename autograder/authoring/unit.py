"""A unit: its lesson, its checks and its `unit.toml`, read together and held against each other."""

from __future__ import annotations

import ast
import re
import tomllib
import traceback
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import course
from autograder.authoring.lesson import Kind, Lesson, read_lesson
from autograder.authoring.mistakes import AuthorMistake, line_of
from autograder.authoring.slicing import slice_checks
from autograder.errors import UstodError
from autograder.student.answers import CHECK_FILE
from autograder.student.protocol import Check, load_checks


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Budget(_Strict):
    """What the reference notebook may use on two cores."""

    cpu_minutes: float = Field(gt=0)
    memory_mb: int = Field(gt=0)
    cell_seconds: int = Field(gt=0, description="wall-clock seconds for one cell when a submission is graded")


class ExerciseTexts(_Strict):
    """Title and hints of an exercise."""

    title: str
    hints: tuple[str, ...] = ()


class Threshold(_Strict):
    """Where a bar in a check comes from."""

    bar: float
    best_wrong: float
    worst_right: float
    note: str = ""


class UnitFile(_Strict):
    """A `unit.toml`."""

    title: str
    question: str
    outcomes: tuple[str, ...] = Field(min_length=1)
    prerequisites: tuple[str, ...] = ()
    minutes: int = Field(gt=0)
    points: float = Field(gt=0)
    assets: tuple[str, ...] = ()
    budget: Budget
    exercises: dict[str, ExerciseTexts]
    thresholds: dict[str, Threshold] = {}
    survivors: dict[str, str] = {}
    spoiled: dict[str, str] = {}


@dataclass(frozen=True)
class Unit:
    """One unit of a course, read and found consistent."""

    folder: Path
    about: UnitFile
    lesson: Lesson
    checks: tuple[Check, ...]
    checks_source: str

    @property
    def name(self) -> str:
        """The folder's name, which is also nbgrader's name of the assignment."""
        return self.folder.name

    def points(self, exercise: str) -> float:
        """What `exercise` is worth."""
        return sum(check.points for check in self.checks if check.exercise == exercise)

    @cached_property
    def hidden(self) -> dict[str, str]:
        """For each exercise, the source of its hidden checks with all that they use."""
        return {
            exercise: slice_checks(self.checks_source, [c.name for c in self.checks if c.exercise == exercise])
            for exercise in self.lesson.exercises
        }


def without_asides(unit: Unit) -> Unit:
    """`unit` with only the cells that later ones may need."""
    cells = tuple(cell for cell in unit.lesson.cells if cell.kind is not Kind.ASIDE)
    return replace(unit, lesson=replace(unit.lesson, cells=cells))


def units_folder() -> Path:
    """The folder of the installed course."""
    return Path(next(iter(course.__path__)))


def find_units(names: list[str] | None = None, folder: Path | None = None) -> list[Path]:
    """The folders of the named units in order; a name may be short (``u04``) or a path. All units without names.

    Raises:
        UstodError: if a name fits no unit.
    """
    folder = folder or units_folder()
    everything = sorted(path.parent for path in folder.glob("u[0-9]*/unit.toml"))
    if not names:
        return everything
    found = []
    for name in names:
        if (Path(name) / "unit.toml").is_file():
            found.append(Path(name).resolve())
            continue
        fitting = [path for path in everything if path.name == name or path.name.split("_")[0] == name]
        if len(fitting) != 1:
            known = ", ".join(path.name for path in everything)
            raise UstodError(f"There is no unit {name}; the course has {known}.")
        found += fitting
    return found


def read_unit(folder: Path) -> Unit:
    """Read the unit in `folder`.

    Raises:
        AuthorMistake: with file and line, if the parts are malformed or do not fit together.
    """
    for name in ("unit.toml", "lesson.py", "checks.py"):
        if not (folder / name).is_file():
            raise AuthorMistake(folder / name, 1, "this file of the unit is missing.")
    about = _read_about(folder / "unit.toml")
    lesson = read_lesson(folder / "lesson.py")
    source = (folder / "checks.py").read_text(encoding="utf-8")
    checks = _read_checks(folder / "checks.py", source)
    unit = Unit(folder, about, lesson, tuple(checks), source)
    _hold_together(unit)
    return unit


def _read_about(path: Path) -> UnitFile:
    text = path.read_text(encoding="utf-8")
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        number = int(line[1]) if line else text.count("\n") + 1
        raise AuthorMistake(path, number, f"this is not TOML: {error}.") from None
    try:
        return UnitFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        raise AuthorMistake(path, _line_of_key(text, place), f"{'.'.join(place)}: {first['msg'].lower()}.") from None


def _line_of_key(text: str, place: list[str]) -> int:
    """The line of `text` that sets the key at `place`, or else the one that opens the table nearest to it."""
    table: list[str] = []
    best, found = 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            table = _keys(f"{line.split(']')[0].lstrip('[')}.x = 1")[:-1]
            keys = table
        else:
            keys = [*table, *_keys(f"{line.split('=')[0]} = 1")] if "=" in line else []
        if len(keys) > best and keys == place[: len(keys)]:
            best, found = len(keys), number
    return found


def _keys(line: str) -> list[str]:
    """The parts of the dotted key of a line such as ``a."b.c" = 1``; none where it has no key."""
    try:
        inner: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return []
    keys = []
    while isinstance(inner, dict) and inner:
        key, inner = next(iter(inner.items()))
        keys.append(key)
    return keys


def _read_checks(path: Path, source: str) -> list[Check]:
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise AuthorMistake(path, error.lineno or 1, f"this is not Python: {error.msg}.") from None
    if "'''" in source:
        line = line_of(source, "'''")
        raise AuthorMistake(path, line, "write strings without three single quotes; the build puts the file in them.")
    name = f"{CHECK_FILE} of {path.parent.name}>"
    try:
        return load_checks(source, name)
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        line = next((number for number in reversed(lines) if number), 1)
        raise AuthorMistake(path, line, f"the file cannot be loaded: {type(error).__name__}: {error}.") from error


def _hold_together(unit: Unit) -> None:
    path = unit.folder / "checks.py"
    toml = unit.folder / "unit.toml"
    exercises = unit.lesson.of(Kind.EXERCISE)
    names: set[str] = set()
    for check in unit.checks:
        line = check.function.__code__.co_firstlineno
        if check.exercise not in exercises:
            raise AuthorMistake(path, line, f"the check {check.name} is of the unknown exercise {check.exercise}.")
        if check.name in names:
            raise AuthorMistake(path, line, f"there are two checks with the name {check.name}.")
        if not check.sentence:
            raise AuthorMistake(path, line, f"the check {check.name} has no docstring; state the property in one.")
        if check.points <= 0:
            raise AuthorMistake(path, line, f"the check {check.name} must be worth more than {check.points:g} points.")
        names.add(check.name)
    for exercise, cell in exercises.items():
        if not unit.points(exercise):
            raise AuthorMistake(unit.lesson.path, cell.line, f"the exercise {exercise} has no check in checks.py.")
        patience = sum(check.seconds for check in unit.checks if check.exercise == exercise)
        if patience > unit.about.budget.cell_seconds:
            line = line_of(toml.read_text(encoding="utf-8"), r"^cell_seconds\b")
            sentence = f"cell_seconds is less than the {patience:g} seconds that the checks of {exercise} may take."
            raise AuthorMistake(toml, line, sentence)
    text = toml.read_text(encoding="utf-8")
    total = sum(check.points for check in unit.checks)
    if total != unit.about.points:
        sentence = f"points is {unit.about.points:g}, but the checks are worth {total:g} together."
        raise AuthorMistake(toml, line_of(text, r"^points\s*="), sentence)
    if different := sorted(unit.about.exercises.keys() ^ exercises.keys()):
        have = "unit.toml" if different[0] in unit.about.exercises else "lesson.py"
        other = "lesson.py" if have == "unit.toml" else "unit.toml"
        sentence = f"the exercise {different[0]} is in {have} but not in {other}."
        raise AuthorMistake(toml, line_of(text, rf"^\[exercises\.\"?{different[0]}"), sentence)

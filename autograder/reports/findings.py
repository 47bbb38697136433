"""What the checks said of a whole class: for every submission the state of every property, read from ``autograded/``.

A test cell of a plain nbgrader course is one property. Where a submission's graded notebook is not at hand, its scores
stand for it.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.grading.course import Course
from autograder.reports.register import Item, Register
from autograder.student.grade import MIME
from autograder.student.running import State

#: States as they stand in tables of numbers; -1 where nothing is known.
STATES = tuple(State)
CODE = {state: code for code, state in enumerate(STATES)}
UNKNOWN = -1
#: So much of what a faulty check said is kept.
LONGEST_FAULT = 1000


@dataclass(frozen=True)
class Property:
    """One thing that is tested.

    Attributes:
        item: the column of the register that it belongs to.
        exercise: the exercise's id; the cell's name in a plain course.
        name: the check's; empty if the whole test cell is one property.
        sentence: what must hold, untranslated.
        points: what it is worth.
    """

    item: int
    exercise: str
    name: str
    sentence: str
    points: float


@dataclass(frozen=True)
class Fault:
    """A check that failed by itself, with the end of what it said, once for each property."""

    column: int
    student: str
    said: str


@dataclass
class Findings:
    """The tables; their rows are the register's students, their columns the properties.

    Attributes:
        states: codes of `STATES`, or `UNKNOWN`.
        hints: which of `texts` was shown as a hint; -1 for none.
        texts: hints, untranslated.
        faults: the first of each property.
        unread: how many submissions have no graded notebook at hand.
    """

    properties: list[Property]
    states: NDArray[np.int8]
    hints: NDArray[np.int32]
    texts: list[str]
    faults: list[Fault] = field(default_factory=list)
    unread: int = 0

    def of_item(self, item: int) -> list[int]:
        """The columns of the properties of one graded cell."""
        return [column for column, one in enumerate(self.properties) if one.item == item]

    def count(self, column: int, state: State) -> int:
        """How many students have `state` in a column."""
        return int((self.states[:, column] == CODE[state]).sum())


def read_findings(course: Course, register: Register) -> Findings:
    """Read the graded notebook of every student of `register`, one at a time."""
    reader = _Reader(register)
    for row, student in enumerate(register.students):
        folder = course.folder("autograded", student, register.assignment)
        missing = 0
        for notebook in dict.fromkeys(item.notebook for item in register.items):
            cells = _test_cells(folder / f"{notebook}.ipynb")
            missing += cells is None
            reader.read(row, notebook, cells or {})
        reader.unread += bool(missing)
    return reader.findings()


class _Reader:
    def __init__(self, register: Register) -> None:
        self.register = register
        self.unread = 0
        self.faults: dict[int, Fault] = {}
        self._columns: dict[tuple[int, str], int] = {}
        self._properties: list[Property] = []
        self._texts: dict[str, int] = {}
        self._entries = array("l")  # row, column, state, hint of one property after the other

    def read(self, row: int, notebook: str, cells: Mapping[str, Mapping[str, Any]]) -> None:
        for number, item in enumerate(self.register.items):
            if item.notebook != notebook or item.by_hand:
                continue
            outputs = [output for output in _list(cells.get(item.cell, {}).get("outputs")) if isinstance(output, dict)]
            kept = next((data for output in outputs if (data := _kept(output))), None)
            if kept is not None:
                for outcome in kept["outcomes"]:
                    self._outcome(row, number, str(kept.get("exercise", item.cell)), outcome)
            else:
                column = self._column(Property(number, item.cell, "", "", item.points))
                self._enter(row, column, self._state(row, number, item, outputs), -1)

    def _outcome(self, row: int, number: int, exercise: str, outcome: Mapping[str, Any]) -> None:
        name, sentence = str(outcome.get("name", "")), str(outcome.get("sentence", ""))
        column = self._column(Property(number, exercise, name, sentence, float(outcome.get("points", 0))))
        try:
            state = State(outcome.get("state", ""))
        except ValueError:
            return
        hint = str(outcome.get("hint", ""))
        self._enter(row, column, state, self._texts.setdefault(hint, len(self._texts)) if hint else -1)
        if state is State.FAULT and column not in self.faults:
            said = str(outcome.get("traceback", ""))[-LONGEST_FAULT:]
            self.faults[column] = Fault(column, self.register.students[row], said)

    def _state(self, row: int, number: int, item: Item, outputs: list[dict[str, Any]]) -> State:
        """What a plain test cell says: the error that ended it, else its points."""
        error = next((str(output.get("ename")) for output in outputs if output.get("output_type") == "error"), "")
        if self.register.scores[row, number] >= item.points:
            return State.RIGHT
        if "Timeout" in error:
            return State.TIMED_OUT
        if error == "NotImplementedError":
            return State.NOT_ATTEMPTED
        return State.CRASHED if error and not error.endswith("AssertionError") else State.WRONG

    def _column(self, one: Property) -> int:
        key = (one.item, one.name)
        if key not in self._columns:
            self._columns[key] = len(self._properties)
            self._properties.append(one)
        return self._columns[key]

    def _enter(self, row: int, column: int, state: State, hint: int) -> None:
        self._entries.extend((row, column, CODE[state], hint))

    def findings(self) -> Findings:
        """The tables. A cell that gave outcomes for some has no column of its own for the others."""
        detailed = {one.item for one in self._properties if one.name}
        kept = [c for c, one in enumerate(self._properties) if one.name or one.item not in detailed]
        kept.sort(key=lambda column: (self._properties[column].item, column))
        place = {column: number for number, column in enumerate(kept)}
        shape = (len(self.register.students), len(kept))
        states = np.full(shape, UNKNOWN, np.int8)
        hints = np.full(shape, -1, np.int32)
        entries = np.array(self._entries, np.int64).reshape(-1, 4)
        for row, column, state, hint in entries:
            if column in place:
                states[row, place[column]], hints[row, place[column]] = state, hint
            else:  # the test was ended from outside: all that it tests came out alike
                for other in (c for c in kept if self._properties[c].item == self._properties[column].item):
                    if states[row, place[other]] == UNKNOWN and state != CODE[State.RIGHT]:
                        states[row, place[other]] = state
        faults = [
            Fault(place[fault.column], fault.student, fault.said)
            for fault in self.faults.values()
            if fault.column in place
        ]
        properties = [self._properties[column] for column in kept]
        return Findings(properties, states, hints, list(self._texts), faults, self.unread)


def _test_cells(path: Path) -> dict[str, Mapping[str, Any]] | None:
    """The graded cells of a notebook by name; None if it is not there or cannot be read.

    Read as plain JSON: nbformat's own reading, which holds every cell against a schema, takes ten times as long.
    """
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return dict(_graded(data))


def _graded(data: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for cell in _list(data.get("cells") if isinstance(data, dict) else None):
        about = cell.get("metadata", {}).get("nbgrader", {}) if isinstance(cell, dict) else {}
        if isinstance(about, dict) and about.get("grade") and cell.get("cell_type") == "code":
            yield str(about.get("grade_id")), cell


def _kept(output: Mapping[str, Any]) -> dict[str, Any] | None:
    data = output.get("data")
    found = data.get(MIME) if isinstance(data, dict) else None
    is_whole = isinstance(found, dict) and all(isinstance(one, dict) for one in _list(found.get("outcomes")))
    return found if is_whole and isinstance(found, dict) and _list(found.get("outcomes")) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

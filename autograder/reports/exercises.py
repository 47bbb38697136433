"""An autograded notebook as a learner should read it: by exercise, what each property gave, beside their own code."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import Formatter
from typing import Any

from autograder.judge.cells import public_part
from autograder.judge.conductor import ENDED, LATE, MISSING
from autograder.kernel.limits import SENTENCES
from autograder.reports.marks import Mark
from autograder.reports.words import ENDINGS, NO_RESPONSE
from autograder.student.grade import MIME
from autograder.student.running import Outcome, State
from autograder.student.sidecar import Sidecar
from autograder.student.table import LABEL, Detail, details
from autograder.student.texts import Texts

#: What marks the part of a test that students must not see, as nbgrader does it unless a course says otherwise.
MARKERS = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
#: A picture of more than this many bytes is left out; a text is cut there.
LARGEST_FIGURE, LONGEST_TEXT = 2 << 20, 4000
#: A line of a hidden check as short as this says nothing.
SHORTEST_SECRET = 6
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: A notebook file has the evidence in the order of the alphabet; people want what was tried first.
_ORDER = {name: place for place, name in enumerate(LABEL)}
_FIGURES = ("image/png", "image/jpeg")

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Property:
    """What one check, or one test cell of a plain notebook, gave.

    Attributes:
        state: what happened; None if somebody has still to grade it.
        points: what it is worth; None where only the whole cell has points.
    """

    state: State | None
    sentence: str
    score: float = 0.0
    points: float | None = None
    details: list[Detail] = field(default_factory=list)


@dataclass
class Exercise:
    """One exercise: cells of the learner's and the graded cells that belong to them.

    Attributes:
        code: the learner's own cells, as written; `written` are those that are text.
        figures: pictures that these cells drew, as data URLs.
        comments: what an instructor wrote.
        hint: the first hint of the unit, if there is one.
        seed: repeats what the checks drew; None where there are none.
    """

    title: str
    score: float = 0.0
    points: float = 0.0
    waits: bool = False
    code: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    properties: list[Property] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    hint: str = ""
    seed: int | None = None

    @property
    def state(self) -> State | None:
        """The worst of what its properties gave, and what the points say where there are none; None while it waits."""
        if self.waits:
            return None
        states = {one.state for one in self.properties if one.state not in (State.RIGHT, None)}
        if states == {State.FAULT} or self.score >= self.points:
            return State.RIGHT
        order = (State.TIMED_OUT, State.CRASHED, State.WRONG)
        if states == {State.NOT_ATTEMPTED}:
            return State.NOT_ATTEMPTED
        return next((state for state in order if state in states), State.WRONG)


@dataclass(frozen=True)
class Trouble:
    """A cell outside the exercises that stopped with an error."""

    code: str
    error: str


@dataclass(frozen=True)
class Reading:
    """An autograded notebook, read."""

    title: str
    exercises: list[Exercise]
    troubles: list[Trouble] = field(default_factory=list)


def read_exercises(
    notebook: Mapping[str, Any],
    marks: Mapping[str, Mark],
    comments: Mapping[str, str],
    sidecar: Sidecar,
    say: Texts,
    texts: Texts,
    markers: tuple[str, str] = MARKERS,
) -> Reading:
    """Read an autograded notebook of format 4.

    Args:
        notebook: the data of the file. What a student may have changed in it is taken for text, whatever it is.
        marks: the gradebook's scores by cell.
        comments: the instructor's, by cell.
        sidecar: what is known of the exercises.
        say: says the words of the page.
        texts: says those of the unit.
        markers: of the hidden part of a test.
    """
    cells = [cell for cell in _list(notebook.get("cells")) if isinstance(cell, Mapping)]
    reader = _Reader(marks, comments, sidecar, say, texts, secrets(cells, markers))
    for cell in cells:
        reader.read(cell)
    return Reading(reader.title, reader.finished(), reader.troubles)


def secrets(cells: Sequence[Cell], markers: tuple[str, str] = MARKERS) -> frozenset[str]:
    """The lines of hidden checks in the notebook's tests, but for those that the notebook shows elsewhere."""
    hidden: set[str] = set()
    shown: set[str] = set()
    for cell in cells:
        source = text_of(cell.get("source"))
        visible = public_part(source, *markers) if _is_test(cell) else source
        shown.update(line.strip() for line in visible.splitlines())
        if visible != source:
            hidden.update(line.strip() for line in source.splitlines())
    return frozenset(line for line in hidden - shown if len(line) >= SHORTEST_SECRET)


class _Reader:
    """Goes through a notebook from the top and puts together what belongs together."""

    def __init__(
        self,
        marks: Mapping[str, Mark],
        comments: Mapping[str, str],
        sidecar: Sidecar,
        say: Texts,
        texts: Texts,
        hidden: frozenset[str],
    ) -> None:
        self._marks, self._comments, self._say, self._texts, self._hidden = marks, comments, say, texts, hidden
        self._known = {name.replace(".", "-"): exercise for name, exercise in sidecar.exercises.items()}
        self._done: list[Exercise] = []
        self._now: Exercise | None = None
        self._heading = ""
        self.title = ""
        self.troubles: list[Trouble] = []

    def finished(self) -> list[Exercise]:
        """The exercises, once every cell was read: those with points, or with something said about them."""
        self._close()
        return [one for one in self._done if one.points or one.properties or one.comments]

    def read(self, cell: Cell) -> None:
        """Take in the next cell."""
        source, about = text_of(cell.get("source")), _about(cell)
        name = str(about.get("grade_id", ""))
        if about.get("task"):
            self._begin(name).written.append(source)
            self._comment(name)
            self._mark(name, [Property(self._state_by_points(name), "")])
            self._close()
        elif about.get("solution"):
            now = self._now
            if now is None or now.properties or about.get("grade"):
                now = self._begin(name)
            (now.code if cell.get("cell_type") == "code" else now.written).append(source)
            now.figures += _figures(cell)
            self._comment(name)
            if about.get("grade"):
                self._mark(name, [Property(self._state_by_points(name), "")])
                self._close()
        elif _is_test(cell):
            outcomes = outcomes_of(cell)
            self._mark(name, self._properties(cell, name, outcomes))
            if outcomes and self._now is not None:
                self._now.seed = outcomes[0].seed
        elif cell.get("cell_type") == "markdown":
            self._note_heading(source)
        elif not about.get("locked") and (error := self._error(cell)):
            self.troubles.append(Trouble(source, error[1]))

    def _begin(self, name: str) -> Exercise:
        self._close()
        known = self._known.get(name) or self._known.get(name.removesuffix("-check"))
        title = self._texts(known.title) if known else self._heading or name
        self._now = Exercise(title, hint=self._texts(known.hints[0]) if known and known.hints else "")
        return self._now

    def _close(self) -> None:
        if self._now is not None:
            self._done.append(self._now)
        self._now = None

    def _comment(self, name: str) -> None:
        comment = self._comments.get(name, "")
        if comment and self._now is not None:
            self._now.comments.append(self._say(comment) if comment == NO_RESPONSE else comment)

    def _mark(self, name: str, properties: list[Property]) -> None:
        if self._now is None:
            self._now = self._begin(name)
        mark = self._marks.get(name, Mark(0, 0))
        self._now.score += mark.score
        self._now.points += mark.points
        self._now.waits |= mark.waits
        self._now.properties += properties

    def _note_heading(self, source: str) -> None:
        for line in source.splitlines():
            if found := re.match(r"(#{1,6})\s+(.*?)\s*#*$", line):
                if not self.title:
                    self.title = found[2]
                self._heading = found[2]

    def _state_by_points(self, name: str) -> State | None:
        mark = self._marks.get(name, Mark(0, 0))
        if mark.waits:
            return None
        if self._comments.get(name) == NO_RESPONSE and not mark.score:
            return State.NOT_ATTEMPTED
        return State.RIGHT if mark.score >= mark.points else State.WRONG

    def _properties(self, cell: Cell, name: str, outcomes: Sequence[Outcome]) -> list[Property]:
        """What the test `cell` found: by property where it uses checks, else as one."""
        if outcomes:
            return [self._of_outcome(outcome) for outcome in outcomes]
        mark, error = self._marks.get(name, Mark(0, 0)), self._error(cell)
        if error is None or mark.waits:
            return [Property(self._state_by_points(name), name, mark.score, mark.points)]
        state, told = error
        trace = self._students_traceback(cell)
        more = [Detail(self._say("Your code stopped with"), trace, code=True)] if trace else []
        what = [Detail(self._say("What came back"), told, code=state is State.WRONG)] if told else []
        return [Property(state, name, mark.score, mark.points, [*what, *more])]

    def _of_outcome(self, outcome: Outcome) -> Property:
        tried = sorted(outcome.evidence.items(), key=lambda piece: _ORDER.get(piece[0], len(_ORDER)))
        outcome = replace(outcome, evidence=dict(tried))
        rows = [row._replace(text=self._discreet(row.text)) for row in details(outcome, self._texts)]
        sentence = self._texts(outcome.sentence)
        return Property(outcome.state, sentence, outcome.score, outcome.points, rows)

    def _error(self, cell: Cell) -> tuple[State, str] | None:
        """In which state an error left the cell, and what to say of it."""
        for output in _outputs(cell):
            if output.get("output_type") != "error":
                continue
            kind, text = text_of(output.get("ename")), self._discreet(text_of(output.get("evalue")))
            if kind in (ENDED, LATE):
                return State.TIMED_OUT if kind == LATE else State.CRASHED, in_words(text, self._say)
            if kind in (MISSING, "NotImplementedError"):
                return State.NOT_ATTEMPTED, ""
            if kind == "AssertionError":
                return State.WRONG, text
            return State.CRASHED, f"{kind}: {text}".rstrip(": ")
        return None

    def _students_traceback(self, cell: Cell) -> str:
        """The part of a test's traceback that is in the student's code."""
        for output in _outputs(cell):
            for part in _list(output.get("traceback")):
                if isinstance(part, str) and part.startswith("In the student's code:\n"):
                    return self._discreet(part.partition("\n")[2])
        return ""

    def _discreet(self, text: str) -> str:
        """`text` without colours, cut if it is long, and without a line of a hidden check."""
        plain = _COLOURS.sub("", text)
        if len(plain) > LONGEST_TEXT:
            plain = plain[: LONGEST_TEXT // 2] + " … " + plain[-LONGEST_TEXT // 2 :]
        for line in self._hidden:
            if line in plain:
                plain = plain.replace(line, "…")
        return plain


def outcomes_of(cell: Cell) -> list[Outcome]:
    """What the checks of a test cell gave; none if it holds no such thing, or not in the form in which we write it."""
    for output in _outputs(cell):
        data = _dict(output.get("data")).get(MIME)
        try:
            outcomes = [Outcome.from_dict(entry) for entry in _list(_dict(data).get("outcomes"))]
            if outcomes and all(map(_is_plain, outcomes)):
                return outcomes
        except (KeyError, TypeError, ValueError):
            continue
    return []


def _is_plain(outcome: Outcome) -> bool:
    texts = [outcome.name, outcome.sentence, outcome.hint, outcome.traceback, outcome.missing]
    texts += [*outcome.evidence.keys(), *outcome.evidence.values()] if isinstance(outcome.evidence, dict) else [None]
    return isinstance(outcome.points, int | float) and all(isinstance(text, str) for text in texts)


def in_words(text: str, say: Callable[..., str]) -> str:
    """What was said of a process that ended, or of a limit that was hit, in the language of `say`."""
    for known, told in {**{sentence: sentence for sentence in SENTENCES.values()}, **ENDINGS}.items():
        names = [name for _, name, _, _ in Formatter().parse(known) if name]
        pattern = re.escape(known)
        for name in names:
            pattern = pattern.replace(re.escape(f"{{{name}}}"), rf"(?P<{name}>[\d.,]+)")
        if found := re.search(pattern, text):
            return say(told, **found.groupdict())
    return say("The process that ran your code ended before it was done. It said: {text}", text=text)


def text_of(value: object) -> str:
    """A text of a notebook file, which has it as one string or as a list of lines; empty if it is neither."""
    if isinstance(value, str):
        return value
    return "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else ""


def _figures(cell: Cell) -> Iterator[str]:
    for output in _outputs(cell):
        data = _dict(output.get("data"))
        for kind in _FIGURES:
            text = "".join(text_of(data.get(kind)).split())
            if text and len(text) <= LARGEST_FIGURE:
                try:
                    base64.b64decode(text, validate=True)
                except (binascii.Error, ValueError):
                    continue
                yield f"data:{kind};base64,{text}"
                break


def _is_test(cell: Cell) -> bool:
    about = _about(cell)
    return cell.get("cell_type") == "code" and bool(about.get("grade")) and not about.get("solution")


def _about(cell: Cell) -> Mapping[str, Any]:
    return _dict(_dict(cell.get("metadata")).get("nbgrader"))


def _outputs(cell: Cell) -> list[Mapping[str, Any]]:
    return [output for output in _list(cell.get("outputs")) if isinstance(output, Mapping)]


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

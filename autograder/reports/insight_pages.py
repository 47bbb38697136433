"""`ustod report`: a page for each assignment and one for the course, which need no network, with every number as CSV.

The pages hold names and grades of a whole class: they are written for the instructor's account and group alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from autograder.files import needs_room, write_bytes
from autograder.gradebook.standing import opened
from autograder.gradebook.tables import EXCEL_WITH_COMMAS, Cell, Dialect, as_csv
from autograder.grading.course import Course
from autograder.reports import plots
from autograder.reports.findings import STATES, Property
from autograder.reports.insight import AssignmentInsight, Silence, fallen_silent, is_over, study_assignment
from autograder.reports.register import Person, assignments, people
from autograder.reports.statistics import summary
from autograder.reports.suspicions import BEST, Reason
from autograder.reports.words import words
from autograder.student.running import State
from autograder.student.sidecar import course_folder
from autograder.student.table import WORD, points, with_code
from autograder.student.texts import LANGUAGES, Texts, read_catalog

TEMPLATES = Path(__file__).parent / "templates" / "ustod"
#: Rows of a list of students, and properties in a plot, that a page shows; the CSV has all.
MOST_ROWS, MOST_BARS = 100, 12
#: Below this correlation an exercise hardly tells who can from who cannot (Ebel and Frisbie, chapter 13).
WEAK = 0.2


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers, for a page and for a CSV file.

    Attributes:
        file: name of the CSV.
        kinds: how a page shows the numbers of each column: ``%`` as percent, ``.2`` with two decimals, empty as they
            are. Text in a column of kind ``source`` stands in the language of the unit's sources.
        shown: rows for the page; all of them without.
    """

    file: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    kinds: Sequence[str] = ()
    shown: int = MOST_ROWS

    def cell(self, row: Sequence[Cell], column: int) -> str | Markup:
        """What a page shows."""
        value, kind = row[column], self.kinds[column] if self.kinds else ""
        if value is None:
            return "–"
        if isinstance(value, str):
            return Markup(with_code(value)) if kind in ("source", "code") else value
        if kind == "%":
            return f"{100 * value:.0f} %"
        return f"{value:.2f}" if kind == ".2" else points(round(value, 2))

    def is_number(self, column: int) -> bool:
        """Whether the column holds numbers."""
        return all(not isinstance(row[column], str) for row in self.rows) and bool(self.rows)


def write_report(
    course: Course,
    assignment: str | None = None,
    *,
    language: str | None = None,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> list[Path]:
    """Write the pages below ``report/`` in the course; those of `assignment` alone if it is given.

    Args:
        language: of the pages; that of the course's notebooks without it.
        now: the moment from which assignments count as over.
        progress: is told what is being done.

    Returns:
        The pages.

    Raises:
        UstodError: if the gradebook cannot be read, or the disk is full.
    """
    folder = course.root / "report"
    with opened(course) as gradebook, needs_room(course.root):
        session = gradebook.db()
        names = [assignment] if assignment else assignments(session)
        written = []
        lines = []
        for name in names:
            progress(name)
            insight = study_assignment(session, course, name, partial(_tell, progress, name))
            spoken = language or (insight.sidecar.language if insight.sidecar.language in LANGUAGES else "en")
            written.append(_write_assignment(folder / name, insight, spoken, course))
            lines.append(_Line.of(insight, now))
        if assignment is None:
            spoken = language or "en"
            written.append(_write_course(folder, course.root.name, lines, people(session), spoken, course))
    return written


def _tell(progress: Callable[[str], None], name: str, done: int, total: int) -> None:
    progress(f"{name} {done}/{total}")


@dataclass(frozen=True)
class _Line:
    """What the page of the course says of one assignment; without the tables of numbers it came from."""

    name: str
    due: datetime | None
    over: bool
    points: float
    totals: Mapping[str, float]
    there: frozenset[str]
    late: int
    doubtful: int
    faults: int
    language: str

    @classmethod
    def of(cls, insight: AssignmentInsight, now: datetime | None) -> _Line:
        register = insight.register
        return cls(
            register.assignment,
            register.due,
            is_over(register, now),
            register.points,
            dict(zip(register.students, map(float, register.totals), strict=True)),
            frozenset([*register.students, *insight.ungraded]),
            sum(register.late(row) > 0 for row in range(len(register.students))),
            sum(bool(one.reasons) for one in insight.discriminations),
            sum(insight.findings.count(column, State.FAULT) for column in range(len(insight.findings.properties))),
            insight.sidecar.language,
        )

    @property
    def shares(self) -> list[float]:
        """Scores in percent."""
        return [100 * total / self.points for total in self.totals.values()] if self.points else []


def _write_assignment(folder: Path, insight: AssignmentInsight, language: str, course: Course) -> Path:
    say = words(language)
    unit = course_folder(insight.sidecar.unit) if insight.sidecar.unit else None
    texts = Texts(language, {**(read_catalog(unit / "po", language) if unit else {})})
    view = _AssignmentView(insight, say, texts)
    page = render("insight.html.j2", language, view=view, insight=insight, register=insight.register)
    return write_page(folder, page, view.tables, language, course)


def write_page(folder: Path, page: str, tables: Sequence[Table], language: str, course: Course) -> Path:
    """Write a page and its tables as CSV into `folder`, below ``report/``, for the instructor's account and group."""
    top = course.root / "report"
    shared = course.directory.groupshared
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder, *folder.parents):
        if place == top or top in place.parents:
            place.chmod(0o2770 if shared else 0o750)
    mode = 0o660 if shared else 0o640
    dialect = Dialect(marked=True) if language == "en" else EXCEL_WITH_COMMAS
    for table in tables:
        write_bytes(folder / table.file, as_csv([table.heads, *table.rows], dialect), mode)
    path = folder / "index.html"
    write_bytes(path, page.encode("utf-8", "backslashreplace"), mode)
    return path


def render(template: str, language: str, **shown: Any) -> str:
    """The page that a template of ours makes of what is `shown`."""
    return str(_template(template, language).render(**shown))


class _AssignmentView:
    """What the template of an assignment's page needs, in the words of its language."""

    def __init__(self, insight: AssignmentInsight, say: Texts, texts: Texts) -> None:
        self.insight, self.say, self.texts = insight, say, texts
        self.register, self.findings = insight.register, insight.findings
        self.numbers = _numbers([(item.notebook, item.cell) for item in self.register.items])
        self.names = {person.id: person.name for person in insight.people}
        self.size = max(len(insight.people), len(self.register.students))

    @property
    def tables(self) -> list[Table]:
        """Every table of the page that has rows."""
        every = [self.scores, self.distribution, self.exercises, self.properties, self.misconceptions]
        return [table for table in [*every, self.unexplained, self.doubtful, self.faults, self.absent] if table.rows]

    def exercise(self, item: int) -> str:
        """The title of the exercise that a graded cell belongs to; else the cell's name."""
        found = next((one.exercise for one in self.findings.properties if one.item == item), "")
        known = self.insight.sidecar.exercises.get(found)
        return self.texts(known.title) if known else self.register.items[item].cell

    def number(self, column: int) -> str:
        """Of a property: that of its exercise, and its own within it."""
        one = self.findings.properties[column]
        place = self.findings.of_item(one.item).index(column) + 1
        return f"{self.numbers[one.item]}.{place}" if one.name else self.numbers[one.item]

    def sentence(self, one: Property) -> str:
        """What must hold; in a plain course the name of the test cell."""
        return self.texts(one.sentence) if one.sentence else (one.name or self.register.items[one.item].cell)

    @property
    def scores(self) -> Table:
        say, register = self.say, self.register
        heads = [say("Student"), say("Name"), say("Handed in (UTC)"), say("Hours late")]
        heads += [f"{number} {item.cell}" for number, item in zip(self.numbers, register.items, strict=True)]
        heads += [say("Penalty"), say("Score"), say("Waits for a manual grade")]
        totals = register.totals
        rows: list[list[Cell]] = []
        for row, student in enumerate(register.students):
            when = register.times[row]
            stamp = f"{when:%Y-%m-%d %H:%M:%S}" if when else ""
            marks = [float(score) for score in register.scores[row]]
            waits = say("yes") if register.waiting[row] else ""
            name, late = self.names.get(student, student), round(register.late(row), 2)
            end: list[Cell] = [float(register.penalties[row]), float(totals[row]), waits]
            rows.append([student, name, stamp, late, *marks, *end])
        return Table("scores.csv", say("Scores of every student"), heads, rows, shown=0)

    @property
    def distribution(self) -> Table:
        say, found = self.say, summary(self.register.totals)
        heads = [say("Measure"), say("Points"), say("Share")]
        if found is None:
            return Table("distribution.csv", say("Distribution of scores"), heads, [])
        measures = (
            (say("lowest"), found.lowest),
            (say("lower quartile"), found.lower_quartile),
            (say("median"), found.median),
            (say("mean"), found.mean),
            (say("upper quartile"), found.upper_quartile),
            (say("highest"), found.highest),
            (say("standard deviation"), found.deviation),
        )
        most = self.register.points
        rows: list[list[Cell]] = [[name, value, value / most if most else None] for name, value in measures]
        return Table("distribution.csv", say("Distribution of scores"), heads, rows, ("", ".2", "%"))

    @property
    def exercises(self) -> Table:
        say = self.say
        heads = [say("No."), say("Exercise"), say("Points"), say("Mean share"), say("All points")]
        heads += [say("Correlation"), say("Best minus worst")]
        rows: list[list[Cell]] = [
            [
                *(self.numbers[item], self.exercise(item), self.register.items[item].points, one.share, one.full),
                *(one.correlation, one.upper_lower),
            ]
            for item, one in enumerate(self.insight.exercises)
        ]
        return Table("exercises.csv", say("Exercises"), heads, rows, ("", "", "", "%", "", ".2", ".2"))

    @property
    def properties(self) -> Table:
        """The most failed first."""
        say = self.say
        order = self._most_failed()
        heads = [say("No."), say("Property"), say("Points"), say("Failed"), *(say(WORD[state]) for state in STATES)]
        heads += [say("Correlation")]
        rows: list[list[Cell]] = []
        for column in order:
            one, figures = self.findings.properties[column], self.insight.discriminations[column]
            counts = [self.findings.count(column, state) for state in STATES]
            failed = figures.failed / figures.known if figures.known else None
            rows.append([self.number(column), self.sentence(one), one.points, failed, *counts, figures.correlation])
        kinds = ("", "code", "", "%", *[""] * len(STATES), ".2")
        return Table("properties.csv", say("Properties, the most failed first"), heads, rows, kinds)

    @property
    def misconceptions(self) -> Table:
        say = self.say
        heads = [say("No."), say("Misconception"), say("Only this failed"), say("Other things failed too")]
        heads += [say("Share"), say("File")]
        column = {one.name: number for number, one in enumerate(self.findings.properties)}
        graded = len(self.register.students)
        rows: list[list[Cell]] = []
        for met in self.insight.sightings or ():
            alone, among = len(met.alone), len(met.among)
            names = [name.split("/")[-1] for name in met.misconception.names]
            text = f" {say('or')}: ".join(met.misconception.sentences)
            rows.append(
                [
                    *(self.number(column[met.misconception.check]), text, alone, among),
                    *((alone + among) / graded, ", ".join(names)),
                ]
            )
        return Table("misconceptions.csv", say("Known misconceptions"), heads, rows, ("", "source", "", "", "%", ""))

    @property
    def unexplained(self) -> Table:
        say = self.say
        heads = (say("No."), say("Property"), say("Students"))
        ordered = sorted(self.insight.unexplained.items(), key=lambda entry: -len(entry[1]))
        known = self.insight.sightings is not None
        rows: list[list[Cell]] = [
            [self.number(column), self.sentence(self.findings.properties[column]), len(students)]
            for column, students in ordered
            if known
        ]
        return Table(
            "unexplained.csv", say("Wrong in a way that no known misconception explains"), heads, rows, ("", "code", "")
        )

    @property
    def doubtful(self) -> Table:
        say = self.say
        reasons = {
            Reason.REVERSED: say("those who do well otherwise fail it more often"),
            Reason.BEST_FAIL: say("most of the best fail it"),
        }
        heads = [say("No."), say("Property"), say("Why"), say("Correlation"), say("The best"), say("Of them failed")]
        heads += [say("Look at")]
        rows: list[list[Cell]] = [
            [
                *(self.number(column), self.sentence(self.findings.properties[column])),
                "; ".join(reasons[reason] for reason in one.reasons),
                *(one.correlation, one.best, one.best_failed, ", ".join(one.examples)),
            ]
            for column, one in enumerate(self.insight.discriminations)
            if one.reasons
        ]
        kinds = ("", "code", "", ".2", "", "", "")
        return Table("doubtful.csv", say("Checks whose results look wrong"), heads, rows, kinds)

    @property
    def faults(self) -> Table:
        say = self.say
        heads = (say("No."), say("Property"), say("Students"), say("First"), say("What the check said"))
        rows: list[list[Cell]] = []
        for fault in self.findings.faults:
            one = self.findings.properties[fault.column]
            last = fault.said.strip().splitlines()[-1:] or [""]
            count = self.findings.count(fault.column, State.FAULT)
            rows.append([self.number(fault.column), self.sentence(one), count, fault.student, last[0]])
        return Table("faults.csv", say("Grader faults"), heads, rows, ("", "code", "", "", ""))

    @property
    def absent(self) -> Table:
        say = self.say
        rows: list[list[Cell]] = [[person.id, person.name] for person in self.insight.missing]
        return Table("missing.csv", say("Nothing handed in"), (say("Student"), say("Name")), rows)

    @property
    def late(self) -> int:
        """Submissions after the due date."""
        return sum(self.register.late(row) > 0 for row in range(len(self.register.students)))

    @property
    def plot_of_scores(self) -> Markup:
        say = self.say
        labels = (say("Score"), say("Students"), say("mean"), say("median"))
        return plots.histogram(list(map(float, self.register.totals)), self.register.points, labels, say("Scores"))

    @property
    def plot_of_exercises(self) -> Markup:
        say = self.say
        found = zip(self.numbers, self.insight.exercises, strict=True)
        items = [(number, one.share, one.correlation) for number, one in found]
        labels = (say("Mean share of the points, %"), say("Correlation"))
        return plots.item_map(items, labels, say("Difficulty and discrimination of the exercises"))

    @property
    def plot_of_properties(self) -> Markup:
        say = self.say
        rows = [
            (self.number(column), {state: self.findings.count(column, state) for state in STATES})
            for column in self._most_failed()[:MOST_BARS]
        ]
        title = say("States of the properties that fail most")
        return plots.state_bars(rows, {state: say(WORD[state]) for state in STATES}, say("Students, %"), title)

    @property
    def plot_of_arrivals(self) -> Markup:
        say, register = self.say, self.register
        times = [when for when in register.times if when is not None]
        start = register.due or min(times, default=None)
        hours = [(when - start).total_seconds() / 3600 for when in times if start is not None]
        across = say("Days before and after the due date") if register.due else say("Days after the first one")
        labels = (across, say("Handed in, % of the class"), say("due"))
        return plots.arrivals(hours, max(1, self.size), labels, register.due is not None, say("Submissions over time"))

    @property
    def has_times(self) -> bool:
        """Whether anybody noted when something was handed in."""
        return any(when is not None for when in self.register.times)

    @property
    def best_share(self) -> str:
        """Who counts as one of the best."""
        return f"{100 * BEST:.0f}"

    @property
    def weak(self) -> list[str]:
        """Exercises that hardly tell who can from who cannot."""
        found = zip(self.numbers, self.insight.exercises, strict=True)
        return [number for number, one in found if one.correlation is not None and one.correlation < WEAK]

    def _most_failed(self) -> list[int]:
        figures = self.insight.discriminations
        columns = range(len(self.findings.properties))
        return sorted(columns, key=lambda column: -figures[column].failed / (figures[column].known or 1))


def _numbers(cells: Sequence[tuple[str, str]]) -> list[str]:
    """What exercises are called in plots: 1, 2, …"""
    return [str(number) for number, _ in enumerate(cells, 1)]


def _write_course(
    folder: Path, title: str, lines: list[_Line], everybody: list[Person], language: str, course: Course
) -> Path:
    say = words(language)
    handed_in = {line.name: set(line.there) for line in lines}
    silent, never = fallen_silent(everybody, handed_in, [line.name for line in lines if line.over])
    tables = [
        _assignments_table(lines, everybody, say),
        _silence_table("silent.csv", say("Fallen silent"), silent, say),
        _silence_table("never.csv", say("Never handed in anything"), never, say),
        _students_table(lines, everybody, {one.person.id: one for one in [*silent, *never]}, say),
    ]
    boxes = plots.score_boxes(
        [(_short(line.name), line.shares) for line in lines], say("Score, %"), say("Scores of each assignment")
    )
    bars = plots.count_bars(
        [(_short(line.name), _attendance(line, everybody)) for line in lines],
        (say("in time"), say("late"), say("missing")),
        say("Students"),
        say("Who handed in"),
    )
    shown = {"title": title, "lines": lines, "people": everybody, "tables": tables, "boxes": boxes, "bars": bars}
    page = render("insight_course.html.j2", language, **shown)
    return write_page(folder, page, [table for table in tables if table.rows], language, course)


def _short(name: str) -> str:
    """For a plot: the number of a unit, or the name as far as there is room."""
    first = name.split("_")[0]
    return first if first[1:].isdigit() else name[:14]


def _attendance(line: _Line, everybody: Sequence[Person]) -> tuple[int, int, int]:
    missing = sum(person.id not in line.there for person in everybody)
    return len(line.there) - line.late, line.late, missing


def _assignments_table(lines: Sequence[_Line], everybody: Sequence[Person], say: Texts) -> Table:
    heads = [say("Assignment"), say("Due (UTC)"), say("in time"), say("late"), say("missing"), say("Mean")]
    heads += [say("Median"), say("Doubtful checks"), say("Grader faults")]
    rows: list[list[Cell]] = []
    for line in lines:
        found = summary(np.array(line.shares))
        middle: list[Cell] = [found.mean / 100, found.median / 100] if found else [None, None]
        due = f"{line.due:%Y-%m-%d %H:%M}" if line.due else ""
        rows.append([line.name, due, *_attendance(line, everybody), *middle, line.doubtful, line.faults])
    kinds = ("", "", "", "", "", "%", "%", "", "")
    return Table("assignments.csv", say("Assignments"), heads, rows, kinds, shown=1000)


def _silence_table(file: str, caption: str, found: Sequence[Silence], say: Texts) -> Table:
    heads = (say("Student"), say("Name"), say("Last handed in"), say("Missed since"))
    rows: list[list[Cell]] = [[one.person.id, one.person.name, one.last, one.missed] for one in found]
    return Table(file, caption, heads, rows)


def _students_table(
    lines: Sequence[_Line], everybody: Sequence[Person], silent: Mapping[str, Silence], say: Texts
) -> Table:
    heads = (say("Student"), say("Name"), *(line.name for line in lines), say("Score"), say("Missed since"))
    rows: list[list[Cell]] = []
    for person in everybody:
        totals = [line.totals.get(person.id) for line in lines]
        missed = silent[person.id].missed if person.id in silent else 0
        rows.append([person.id, person.name, *totals, sum(total or 0.0 for total in totals), missed])
    return Table("students.csv", say("Every student"), heads, rows, shown=0)


@lru_cache
def _template(name: str, language: str) -> Any:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    environment.globals |= {"say": words(language), "language": language}
    environment.filters |= {"points": lambda number: points(round(number, 2))}
    return environment.get_template(name)

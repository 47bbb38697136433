"""Feedback for a student: a page for each graded notebook, which shows from a stick and prints.

It stands where nbgrader's own would, in ``feedback/``, so that nbgrader releases it as its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from nbgrader.preprocessors import ClearHiddenTests

from autograder.errors import one_line
from autograder.files import needs_room, write_text
from autograder.grading.course import Course
from autograder.reports.exercises import Exercise, Reading, Trouble, read_exercises
from autograder.reports.marks import Marks, Standing, graded_students, marks
from autograder.reports.words import words
from autograder.student.running import State
from autograder.student.sidecar import SIDECAR, Sidecar, course_folder
from autograder.student.table import LOOK, WORD, points, with_code
from autograder.student.texts import LANGUAGES, Texts, read_catalog

#: Students whose scores are in memory at a time.
BATCH = 50
#: Files beside a page from which nbgrader knows which submission it belongs to.
NOTES = ("timestamp.txt", "submission_secret.txt")
#: Exercises that a page names as the next to look at.
NEXT = 3
TEMPLATES = Path(__file__).parent / "templates" / "ustod"


@dataclass(frozen=True)
class Line:
    """One assignment in the table of the course: its score, or words in its place."""

    assignment: str
    score: float | None
    points: float
    words: str
    here: bool

    @property
    def percent(self) -> int:
        """For the bar."""
        return percent(self.score or 0, self.points)


@dataclass(frozen=True)
class Page:
    """What a page shows of one notebook of a submission.

    Attributes:
        score: after `penalty`, the points that being late costs.
        next: number, exercise and where to look, of the first that are not right.
        has_notebook: whether the autograded notebook is at hand.
    """

    title: str
    student: str
    assignment: str
    score: float
    points: float
    penalty: float
    handed_in: datetime | None
    course: list[Line]
    exercises: list[Exercise] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    next: list[tuple[int, Exercise, str]] = field(default_factory=list)
    has_notebook: bool = True

    @property
    def percent(self) -> int:
        """For the bar."""
        return percent(self.score, self.points)

    @property
    def waits(self) -> bool:
        """Whether something is still to be graded by hand."""
        return any(exercise.waits for exercise in self.exercises)

    @property
    def all_right(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.exercises) and all(exercise.state is State.RIGHT for exercise in self.exercises)


def write_feedback(
    course: Course,
    assignment: str,
    students: Sequence[str] | None = None,
    *,
    language: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[str], list[str]]:
    """Write the feedback pages of `students`, of everybody graded without them.

    Args:
        language: of the pages; that of each notebook without it.

    Returns:
        For whom a page was written, and for whom not, with the reason.

    Raises:
        UstodError: if the gradebook cannot be read, or the disk is full.
    """
    chosen = sorted(set(students)) if students is not None else graded_students(course, assignment)
    written: list[str] = []
    failed: list[str] = []
    with needs_room(course.root):
        for some in _batches(chosen):
            found = marks(course, assignment, some)
            for student in some:
                problem = "" if student in found else "has no graded submission; see ustod grade"
                try:
                    if not problem:
                        _write(course, assignment, found[student], language)
                        written.append(student)
                except (OSError, ValueError) as error:
                    needs_room_else(error)
                    problem = f"the page could not be written ({error})"
                if problem:
                    failed.append(f"{one_line(student)}: {problem}")
                progress(len(written) + len(failed), len(chosen))
    return written, failed


def needs_room_else(error: Exception) -> None:
    """Raise `error` again if it is for want of room: it would be the same for everybody else."""
    if getattr(error, "errno", None) in (28, 122):
        raise error


def page_of(course: Course, assignment: str, entry: Marks, notebook: str, language: str | None = None) -> str:
    """The page of one notebook as HTML.

    Args:
        entry: what the gradebook holds about the submission.
        notebook: its name.
        language: of the page; that of the notebook without it.
    """
    sidecar = _sidecar(course, assignment, entry.student)
    data = _notebook(course.folder("autograded", entry.student, assignment) / f"{notebook}.ipynb")
    spoken = language or (sidecar.language if sidecar.language in LANGUAGES else "en")
    say, texts = words(spoken), _texts(sidecar, spoken)
    cells, comments = entry.cells.get(notebook, {}), entry.comments.get(notebook, {})
    if data is not None:
        reading = read_exercises(data, cells, comments, sidecar, say, texts, markers(course))
    else:
        alone = [
            Exercise(name, mark.score, mark.points, mark.waits, comments=[comments[name]] if name in comments else [])
            for name, mark in cells.items()
        ]
        reading = Reading("", alone)
    penalty = entry.penalties.get(notebook, 0.0)
    page = Page(
        title=texts(reading.title) if reading.title else notebook,
        student=entry.name,
        assignment=assignment,
        score=sum(mark.score for mark in cells.values()) - penalty,
        points=sum(mark.points for mark in cells.values()),
        penalty=penalty,
        handed_in=entry.handed_in,
        course=[_line(course, entry.student, one, assignment, say) for one in entry.course],
        exercises=reading.exercises,
        troubles=reading.troubles,
        next=list(islice(_next(reading.exercises, say), NEXT)),
        has_notebook=data is not None,
    )
    return str(_template(spoken).render(page=page))


def markers(course: Course) -> tuple[str, str]:
    """What marks the hidden part of a test in `course`."""
    clearing = ClearHiddenTests(parent=course.converter)
    return str(clearing.begin_test_delimeter), str(clearing.end_test_delimeter)


def percent(score: float, most: float) -> int:
    """`score` in percent of `most`, from 0 to 100."""
    return max(0, min(100, round(100 * score / most))) if most > 0 else 0


def _write(course: Course, assignment: str, entry: Marks, language: str | None) -> None:
    """Write the pages of one submission, and take away those of notebooks that it has no more."""
    folder = course.folder("feedback", entry.student, assignment)
    if course.root not in folder.resolve().parents:
        raise ValueError(f"the folder {folder} is not in the course")
    folder.mkdir(parents=True, exist_ok=True)
    mode = 0o664 if course.directory.groupshared else 0o644
    for notebook in entry.cells:
        write_text(folder / f"{notebook}.html", page_of(course, assignment, entry, notebook, language), mode)
    for page in folder.glob("*.html"):
        if page.stem not in entry.cells:
            page.unlink()
    for name in NOTES:
        note = course.folder("autograded", entry.student, assignment) / name
        if note.is_file() and not note.is_symlink():
            shutil.copyfile(note, folder / name)


def _line(course: Course, student: str, standing: Standing, here: str, say: Texts) -> Line:
    """Scores that have not been given back yet stay the instructor's."""
    name, is_here = standing.assignment, standing.assignment == here
    if standing.score is None:
        return Line(name, None, standing.points, say("not handed in"), is_here)
    if is_here or any(course.folder("feedback", student, name).glob("*.html")):
        return Line(name, standing.score, standing.points, "", is_here)
    return Line(name, None, standing.points, say("not given back yet"), is_here)


def _next(exercises: Sequence[Exercise], say: Texts) -> Iterator[tuple[int, Exercise, str]]:
    where = say("Where to look")
    for number, exercise in enumerate(exercises, 1):
        if exercise.state in (State.RIGHT, None):
            continue
        found = [row.text for one in exercise.properties for row in one.details if row.label == where]
        broken = [one.sentence for one in exercise.properties if one.state is not State.RIGHT]
        named = [text for text in [*found, exercise.hint, *broken] if text]
        yield number, exercise, named[0] if named else ""


def _sidecar(course: Course, assignment: str, student: str) -> Sidecar:
    """What is known of the assignment's exercises: from the instructor, else from what was graded."""
    for folder in (course.folder("source", ".", assignment), course.folder("autograded", student, assignment)):
        try:
            return Sidecar.from_json((folder / SIDECAR).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return Sidecar("")


def _notebook(path: Path) -> Mapping[str, Any] | None:
    """The data of a notebook in format 4; None if it is not there or no notebook. Read without nbformat's check of
    every output against its schema, which takes longer than all else; only older formats need nbformat."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and data.get("nbformat") == 4:
            return data
        older: Mapping[str, Any] = nbformat.read(path, as_version=4)
        return older
    except Exception:  # whatever the file may hold
        return None


def _texts(sidecar: Sidecar, language: str) -> Texts:
    """The words of the unit, those of its hidden checks too, where the course is installed."""
    folder = course_folder(sidecar.unit) if sidecar.unit else None
    own = read_catalog(folder / "po", language) if folder else {}
    return Texts(language, {**own, **(sidecar.messages if sidecar.language == language else {})})


@lru_cache
def _template(language: str) -> Any:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    say = words(language)

    def state(which: State | None) -> Markup:
        mark, word = ("…", say("waits for your instructor")) if which is None else (LOOK[which][0], say(WORD[which]))
        return Markup('<span class="state {}">{} {}</span>').format(css(which), mark, word)

    def worth(one: Any) -> str:
        return f"{points(one.score)} / {points(one.points)}"

    environment.filters |= {"points": points, "ticks": lambda text: Markup(with_code(text)), "css": css}
    environment.globals |= {"say": say, "state": state, "worth": worth, "language": language}
    return environment.get_template("feedback.html.j2")


def css(state: State | None) -> str:
    """The class in the style sheet."""
    return "waits" if state is None else str(escape(state.replace(" ", "-")))


def _batches(students: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(students), BATCH):
        yield students[start : start + BATCH]

"""What an instructor should know about a class: computed here, shown by `insight_pages`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from autograder.authoring.unit import find_units
from autograder.errors import UstodError
from autograder.grading.course import Course
from autograder.reports.findings import Findings, read_findings
from autograder.reports.misconceptions import Sighting, known_misconceptions, sightings
from autograder.reports.register import Person, Register, people, read_register
from autograder.reports.statistics import correlation, upper_minus_lower
from autograder.reports.suspicions import Discrimination, discriminations
from autograder.student.sidecar import SIDECAR, Sidecar


@dataclass(frozen=True)
class ExerciseFigures:
    """One graded cell in numbers.

    Attributes:
        share: the mean score as a share of its points: its difficulty, 1 for the easiest.
        full: students with all its points.
        correlation: of its score with the rest of the score; None where it cannot be said.
        upper_lower: how much more of its points the best 27 percent of the class have than the worst.
    """

    share: float
    full: int
    correlation: float | None
    upper_lower: float | None


@dataclass(frozen=True)
class AssignmentInsight:
    """Everything about one assignment.

    Attributes:
        people: everybody in the gradebook.
        missing: those of them who handed in nothing.
        ungraded: ids of those whose work is there and not graded yet.
        sidecar: what is known of the exercises.
        sightings: of known misconceptions; None for an assignment that has none to compare with.
        unexplained: for each property the rows of students whose wrong answer no known misconception explains.
        problem: why misconceptions could not be compared, as a sentence.
    """

    register: Register
    findings: Findings
    people: list[Person]
    missing: list[Person]
    ungraded: list[str]
    sidecar: Sidecar
    exercises: list[ExerciseFigures]
    discriminations: list[Discrimination]
    sightings: list[Sighting] | None = None
    unexplained: dict[int, tuple[int, ...]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Silence:
    """Somebody who has stopped, or never begun, to hand in.

    Attributes:
        last: the last assignment that they handed in; empty if none.
        missed: how many that are over they have not handed in since.
    """

    person: Person
    last: str
    missed: int


def study_assignment(
    session: Session,
    course: Course,
    assignment: str,
    hear: Callable[[int, int], None] = lambda done, total: None,
) -> AssignmentInsight:
    """Everything about `assignment`.

    Args:
        hear: is told how many runs of works in ``rejected/`` of how many are done, the first time that they are needed.
    """
    register = read_register(session, course, assignment)
    findings = read_findings(course, register)
    everybody = people(session)
    graded = {*register.students}
    ungraded = [student for student in course.students_with(assignment) if student not in graded]
    there = graded | {*ungraded}
    sidecar = read_sidecar(course, assignment)
    met: list[Sighting] | None = None
    unexplained: dict[int, tuple[int, ...]] = {}
    problem = ""
    if folder := unit_folder(sidecar):
        try:
            kept = course.root / ".ustod" / "misconceptions" / f"{sidecar.unit}.json"
            met, unexplained = sightings(known_misconceptions(folder, kept, hear), findings)
        except UstodError as error:
            problem = str(error)
    return AssignmentInsight(
        register,
        findings,
        everybody,
        [person for person in everybody if person.id not in there],
        ungraded,
        sidecar,
        _exercises(register),
        discriminations(register, findings),
        met,
        unexplained,
        problem,
    )


def fallen_silent(
    everybody: list[Person], handed_in: dict[str, set[str]], over: list[str]
) -> tuple[list[Silence], list[Silence]]:
    """Who has fallen silent, and who was never heard.

    Args:
        handed_in: for each assignment, in order, who did.
        over: the assignments that should have been handed in by now, in the same order.

    Returns:
        Those who handed in something, and nothing of what is over since, longest silence first; and those who never
        handed in anything, if anything is over.
    """
    order = list(handed_in)
    silent: list[Silence] = []
    never: list[Silence] = []
    for person in everybody:
        last = next((name for name in reversed(order) if person.id in handed_in[name]), "")
        after = order[order.index(last) + 1 :] if last else order
        missed = sum(name in over for name in after)
        if missed:
            (silent if last else never).append(Silence(person, last, missed))
    return sorted(silent, key=lambda one: -one.missed), never


def is_over(register: Register, now: datetime | None = None) -> bool:
    """Whether the assignment should have been handed in: its day has come, or it has none and somebody did."""
    moment = (now or datetime.now(UTC)).replace(tzinfo=None)
    return register.due < moment if register.due is not None else bool(register.students)


def read_sidecar(course: Course, assignment: str) -> Sidecar:
    """What the instructor's files say of the assignment's exercises; nothing in a plain nbgrader course."""
    try:
        return Sidecar.from_json((course.folder("source", ".", assignment) / SIDECAR).read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, json.JSONDecodeError):
        return Sidecar("")


def unit_folder(sidecar: Sidecar) -> Path | None:
    """The folder of the unit in the installed course that the assignment was built from; None if there is none."""
    try:
        return find_units([sidecar.unit])[0] if sidecar.unit else None
    except UstodError:
        return None


def _exercises(register: Register) -> list[ExerciseFigures]:
    totals = register.scores.sum(axis=1)
    found = []
    for number, item in enumerate(register.items):
        scores = register.scores[:, number]
        shares = scores / item.points if item.points else scores * 0
        found.append(
            ExerciseFigures(
                float(shares.mean()) if len(shares) else 0.0,
                int((scores >= item.points).sum()),
                correlation(scores, totals - scores),
                upper_minus_lower(shares, totals),
            )
        )
    return found

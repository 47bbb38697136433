"""Students ask for a grade to be looked at again; the instructor answers; both are kept in the gradebook.

An answer and the change of the grade, if there is one, take effect together. The answer stands as a comment on the
student's work, where formgrader and every kind of feedback show it, and in the audit log.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry, SubmittedNotebook
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert, inspect, select, update

from autograder.audit import trail
from autograder.audit.watch import because, somebody
from autograder.errors import UstodError, one_line
from autograder.gradebook.standing import opened
from autograder.grading.course import Course
from autograder.student.regrade import FILE, LONGEST
from autograder.student.texts import LANGUAGES, Texts

#: Bytes of a file of requests, and how many it may hold.
LARGEST, MOST = 256 << 10, 100

_TABLE = Table(
    "ustod_regrade",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("student", String(128), nullable=False),
    Column("assignment", String(128), nullable=False),
    Column("exercise", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked", String(40), nullable=False),
    Column("language", String(8), nullable=False),
    Column("answer", Text),
    Column("answered", String(40)),
    Column("who", Text),
)


@dataclass(frozen=True)
class Request:
    """One request. `asked` is a time as the student's computer had it; `answer` is None while it waits."""

    number: int
    student: str
    assignment: str
    exercise: str
    reason: str
    asked: str
    language: str
    answer: str | None = None
    answered: str | None = None
    who: str | None = None


def take(course: Course, student: str, content: bytes, source: str) -> int:
    """Put the requests of `student` in a file's `content` into the queue. Counts those that were not there yet.

    Args:
        source: what to call the file in a sentence.

    Raises:
        UstodError: if it is no file of requests, or is about what the gradebook does not know.
    """
    assignment, wanted = _read(content, source)
    new = 0
    with opened(course) as book:
        try:
            submission = book.find_submission(assignment, student)
        except MissingEntry:
            raise UstodError(
                f"{one_line(student)} asks in {source} for a regrade of {one_line(assignment)[:80]}, of which the "
                "gradebook has no work of theirs; grade it first."
            ) from None
        cells = {cell.name for notebook in submission.notebooks for cell in _cells(notebook)}
        connection = book.db().connection()
        trail.take_turn(connection)
        _TABLE.create(connection, checkfirst=True)
        for one in wanted:
            if not {one["exercise"], f"{one['exercise']}-check"} & cells:
                raise UstodError(f"The file {source} asks about {one['exercise'][:80]!r}, which {assignment} has not.")
            row = {"student": student, "assignment": assignment, **one}
            digest = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
            if not connection.execute(select(_TABLE.c.number).where(_TABLE.c.sha256 == digest)).first():
                connection.execute(insert(_TABLE).values(row | {"sha256": digest}))
                new += 1
    return new


def handed_in(course: Course) -> list[tuple[str, Path]]:
    """Files of requests that lie beside work that was handed in, each with its student."""
    with opened(course) as book:
        names = [entry.name for entry in book.assignments]
    found = []
    for name in names:
        for student in course.students_with(name):
            path = course.folder("submitted", student, name) / FILE
            if path.is_file() and not path.is_symlink():
                found.append((student, path))
    return found


def queue(course: Course, *, all_of_them: bool = False, student: str | None = None) -> list[Request]:
    """Requests that wait for an answer, or all of them; the oldest first."""
    with opened(course) as book:
        connection = book.db().connection()
        if not inspect(connection).has_table(_TABLE.name):
            return []
        query = select(_TABLE).order_by(_TABLE.c.number)
        if not all_of_them:
            query = query.where(_TABLE.c.answer.is_(None))
        if student is not None:
            query = query.where(_TABLE.c.student == student)
        rows = connection.execute(query).mappings()
        return [Request(**{name: row[name] for name in Request.__dataclass_fields__}) for row in rows]


def answer(course: Course, number: int, words: str, score: float | None = None) -> Request:
    """Answer the request `number`; with `score`, that is what the exercise is worth from now on.

    Raises:
        UstodError: if there is no such request, it is answered already, or the score is not one of the exercise.
    """
    if not words.strip():
        raise UstodError(f"Say something to the student in the answer to request {number}.")
    found = next((one for one in queue(course, all_of_them=True) if one.number == number), None)
    if found is None or found.answer is not None:
        what = "is answered already" if found else "is not in the queue"
        raise UstodError(f"The request {number} {what}; see ustod regrade list.")
    reason = f"regrade {number} ({one_line(found.reason)[:200]}): {one_line(words)[:200]}"
    with because(reason), opened(course) as book:
        connection = book.db().connection()
        trail.take_turn(connection)
        changed = _apply(book, found, score)
        _comment(book, found, words)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        values = {"answer": words, "answered": now, "who": somebody()}
        connection.execute(update(_TABLE).where(_TABLE.c.number == number).values(values))
        if not changed:
            trail.append(connection, somebody(), reason, found.student, found.assignment, ())
    return found


def _read(content: bytes, source: str) -> tuple[str, list[dict[str, str]]]:
    try:
        if len(content) > LARGEST:
            raise ValueError(f"it has {len(content)} bytes")
        found = json.loads(content)
        assignment, requests = found["assignment"], found["requests"]
        if not isinstance(assignment, str) or len(requests) > MOST:
            raise ValueError("it names no assignment, or asks too much")
        return assignment, [_checked(one) for one in requests]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UstodError(
            f"The file {source} holds no requests for a regrade ({one_line(str(error))[:80]}); ask for another copy."
        ) from None


def _checked(one: dict[str, Any]) -> dict[str, str]:
    texts = {name: one[name] for name in ("exercise", "reason", "asked")}
    if not all(isinstance(text, str) and text.strip() for text in texts.values()) or len(texts["exercise"]) > 120:
        raise ValueError("an exercise, a reason or a time is missing")
    language = one.get("language")
    texts["language"] = language if language in LANGUAGES else "en"
    return texts | {"reason": texts["reason"][:LONGEST], "asked": texts["asked"][:40]}


def _cells(notebook: SubmittedNotebook) -> list[Any]:
    return [entry.cell for entry in (*notebook.grades, *notebook.comments)]


def _apply(book: Gradebook, request: Request, score: float | None) -> bool:
    """Give the exercise its new score. Whether the grade is another one now."""
    if score is None:
        return False
    names = (f"{request.exercise}-check", request.exercise)
    submission = book.find_submission(request.assignment, request.student)
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades if grade.cell.name in names]
    if not grades:
        raise UstodError(f"The exercise {request.exercise} has no points of its own; answer in words alone.")
    grade = min(grades, key=lambda one: names.index(one.cell.name))
    if not 0 <= score <= grade.max_score:
        raise UstodError(f"The exercise {request.exercise} is worth 0 to {grade.max_score:g} points, not {score:g}.")
    before = grade.manual_score
    grade.manual_score, grade.needs_manual_grade = score, False
    book.db.flush()
    return bool(before != score)


def _comment(book: Gradebook, request: Request, words: str) -> None:
    """Put the answer where formgrader and feedback show comments: at the exercise, or the first place for them."""
    texts = Texts(request.language)
    told = texts("You asked: {reason}\n\nAnswer: {answer}", reason=request.reason, answer=words)
    submission = book.find_submission(request.assignment, request.student)
    comments = [comment for notebook in submission.notebooks for comment in notebook.comments]
    here = [comment for comment in comments if comment.cell.name == request.exercise] or comments
    if here:
        here[0].manual_comment = "\n\n".join(filter(None, (here[0].comment, told)))

"""Grades go to the LMS through LTI's Assignment and Grade Services 2.0 (https://www.imsglobal.org/spec/lti-ags/v2p0)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Student

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.gradebook.lti import Platform, Refusal
from autograder.gradebook.standing import Standing, State, Task, opened, standings
from autograder.grading.course import Course

_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
_SCORE = "application/vnd.ims.lis.v1.score+json"
#: https://www.imsglobal.org/spec/lti-nrps/v2p0
_MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
#: How far the student, and how far the grading, has come, in the words of the specification.
_PROGRESS = {
    State.GRADED: ("Completed", "FullyGraded"),
    State.WAITING: ("Submitted", "PendingManual"),
    State.UNGRADED: ("Submitted", "Pending"),
}


@dataclass
class Sent:
    """What one passback did: ids of students, and sentences. Nobody who has handed nothing in is sent a grade."""

    sent: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def send_grades(
    course: Course,
    platform: Platform,
    assignment: str,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Sent:
    """Send to the LMS what has changed in `assignment` since the last time; everything with `force`.

    What was sent is noted as it goes, so that a lost link costs nothing: the next call goes on.

    Raises:
        UstodError: if the LMS cannot be reached, or refuses us altogether.
    """
    grades = standings(course, assignment)
    task = grades.tasks[0]
    note = course.root / ".ustod" / "lti" / f"{assignment}.json"
    known: dict[str, Any] = {} if force else _read(note)
    done = Sent()
    item = _scores_url(_line_item(platform, task))
    people = [one for one in grades.people if grades.of[one.id, task.name].state in _PROGRESS]
    try:
        for number, person in enumerate(people, 1):
            content = _score(task, grades.of[person.id, task.name])
            if not person.lms_user_id:
                done.strangers.append(person.id)
            elif known.get(person.id) == [person.lms_user_id, content]:
                done.unchanged.append(person.id)
            elif why := _send(platform, item, person.lms_user_id, content):
                done.problems.append(f"{person.id}: {why}")
            else:
                known[person.id] = [person.lms_user_id, content]
                done.sent.append(person.id)
            progress(number, len(people))
    finally:
        note.parent.mkdir(parents=True, exist_ok=True)
        write_text(note, json.dumps(known, ensure_ascii=False, indent=1) + "\n", mode=0o600)
    return done


def learn_members(course: Course, platform: Platform) -> tuple[int, list[str]]:
    """Note in the gradebook which user of the LMS each student is: the one with the same id, or the same e-mail.

    Returns:
        How many are known now, and who is not.

    Raises:
        UstodError: if the LMS cannot be asked.
    """
    if not platform.settings.members:
        raise UstodError(f'The file {course.root / "lti.toml"} does not say where members are; add members = "https…".')
    by_id: dict[str, str] = {}
    by_email: dict[str, str] = {}
    for member in platform.get_all(platform.settings.members, _MEMBERS, "members"):
        user = str(member.get("user_id") or "")
        if user and member.get("lis_person_sourcedid"):
            by_id[str(member["lis_person_sourcedid"])] = user
        if user and member.get("email"):
            email = str(member["email"]).casefold()
            by_email[email] = "" if email in by_email else user  # two with one address: it tells nothing
    with opened(course) as book:
        students: list[Student] = book.students
        for student in students:
            found = by_id.get(student.id) or by_email.get((student.email or "").casefold())
            student.lms_user_id = found or student.lms_user_id
        unknown = [student.id for student in students if not student.lms_user_id]
        return len(students) - len(unknown), unknown


def _line_item(platform: Platform, task: Task) -> str:
    """The address of the assignment's column in the LMS's gradebook, which is made if there is none."""
    items = platform.settings.line_items
    for item in platform.get_all(items, _ITEMS):
        if item.get("resourceId") == task.name and isinstance(item.get("id"), str):
            return str(item["id"])
    if task.points <= 0:
        raise UstodError(f"The assignment {task.name} is worth no points: an LMS has no column for that.")
    column = {"label": task.name, "scoreMaximum": task.points, "resourceId": task.name, "tag": "ustod"}
    made = platform.post(items, _ITEM, column)
    if not isinstance(made, dict) or not isinstance(made.get("id"), str):
        raise UstodError(f"The LMS made no column for {task.name}; make one there, or ask its administrator.")
    return str(made["id"])


def _scores_url(item: str) -> str:
    """Where scores of a column go: ``/scores`` stands before what may follow a question mark, as in Moodle."""
    path, mark, query = item.partition("?")
    return f"{path}/scores{mark}{query}"


def _score(task: Task, work: Standing) -> dict[str, Any]:
    activity, grading = _PROGRESS[work.state]
    content: dict[str, Any] = {"activityProgress": activity, "gradingProgress": grading}
    if work.score is not None:
        content |= {"scoreGiven": work.score, "scoreMaximum": task.points}
    return content


def _send(platform: Platform, url: str, user: str, content: dict[str, Any]) -> str:
    """Send one score; why the LMS does not take it, if it does not. Without a link all of them would fail."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        platform.post(url, _SCORE, {"userId": user, "timestamp": now, **content})
    except Refusal as refusal:
        if refusal.status in (401, 403):
            raise
        return str(refusal)
    return ""


def _read(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

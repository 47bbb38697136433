"""What a learner has done so far, read from the lines that their notebooks leave, and carried to another computer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.errors import UstodError
from autograder.student.texts import LANGUAGES

#: The file's name, in the learner's folder.
PROGRESS = ".ustod-progress.jsonl"
#: Between two signs of work that are further apart, in seconds, somebody was away.
PAUSE = 600
#: The largest file that is taken in, in bytes: years of work.
LARGEST = 8 << 20

Event = dict[str, Any]


@dataclass
class Tried:
    """What became of one exercise: the best that was reached."""

    done: bool = False
    score: float = 0.0
    points: float = 0.0


@dataclass
class Progress:
    """What the lines say.

    Attributes:
        exercises: by unit and exercise.
        seconds: spent on each unit: the time between two signs of work, unless it is longer than `PAUSE`.
        last: the unit worked on last; empty if none was.
        language: the one chosen last; empty if none was.
    """

    exercises: dict[tuple[str, str], Tried] = field(default_factory=dict)
    seconds: dict[str, int] = field(default_factory=dict)
    last: str = ""
    language: str = ""


def read_progress(path: Path) -> Progress:
    """The progress kept in the file `path`; none if there is no such file. Torn lines are passed over."""
    progress = Progress()
    before: dict[str, int] = {}
    for event in events(path):
        if "language" in event:
            progress.language = event["language"]
            continue
        unit, now = event["unit"], event["time"]
        gap = now - before.get(unit, now)
        progress.seconds[unit] = progress.seconds.get(unit, 0) + (gap if gap <= PAUSE else 0)
        before[unit] = now
        progress.last = unit
        if "exercise" in event:
            tried = progress.exercises.setdefault((unit, event["exercise"]), Tried())
            tried.done |= event["done"]
            tried.score, tried.points = max(tried.score, event["score"]), event["points"]
    return progress


def events(path: Path) -> list[Event]:
    """The events in the file `path`, oldest first, each once."""
    try:
        return _sorted(path.read_bytes().splitlines())
    except FileNotFoundError:
        return []


def choose_language(path: Path, language: str) -> None:
    """Remember the language of the page."""
    _append(path, [{"time": int(time.time()), "language": language}])


def packed(path: Path) -> bytes:
    """The progress as a small file to carry."""
    return b"".join(_line(event) + b"\n" for event in events(path))


def take_in(path: Path, carried: bytes) -> int:
    """Add what a carried file holds, and what is not known here yet, to the progress in `path`. Nothing is taken away.

    Returns:
        How many lines were new.

    Raises:
        UstodError: if it holds no progress.
    """
    found = _sorted(carried[:LARGEST].splitlines())
    if not found:
        raise UstodError("This file holds no progress; choose one that this page has saved.")
    known = {_line(event) for event in events(path)}
    new = [event for event in found if _line(event) not in known]
    _append(path, new)
    return len(new)


def _append(path: Path, some: Iterable[Event]) -> None:
    """In one piece: notebooks may add lines at the same time."""
    data = b"".join(b"\n" + _line(event) for event in some)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sorted(lines: Iterable[bytes]) -> list[Event]:
    found = {_line(event): event for line in lines if (event := _event(line)) is not None}
    return [found[line] for line in sorted(found, key=lambda line: (found[line]["time"], line))]


def _line(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _event(line: bytes) -> Event | None:
    """The event that a line tells of, in the form in which it is written; None if it is none."""
    try:
        event = json.loads(line)
        moment = event["time"]
        if type(moment) is not int or not 0 <= moment < 2**40:
            return None
        if event.keys() == {"time", "language"}:
            return event if event["language"] in LANGUAGES else None
        right = type(event["unit"]) is str
        if event.keys() != {"time", "unit"}:
            right &= event.keys() == {"time", "unit", "exercise", "done", "score", "points"}
            right &= type(event["exercise"]) is str and type(event["done"]) is bool
            right &= all(type(event[key]) in (int, float) and abs(event[key]) < 1e6 for key in ("score", "points"))
        return event if right else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None

"""The Course page as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, Template

from autograder.lab.course import next_stage, stages
from autograder.lab.progress import read_progress
from autograder.lab.words import HERE, NAMES, words
from autograder.student.table import points
from autograder.student.texts import LANGUAGES, Texts


def render(
    *,
    folder: Path,
    progress: Path,
    language: str,
    first: str,
    base: str,
    token: str,
    message: str = "",
    fields: Mapping[str, object] | None = None,
) -> str:
    """The page.

    Args:
        folder: the learner's.
        progress: the file of their progress.
        language: that was asked for; empty for the one chosen last, or, before that, `first`.
        base: the address of the server's pages.
        token: goes back with a form, so that no other site can send one.
        message: what to say first, with its `fields`.
    """
    known = read_progress(progress)
    spoken = next(one for one in (language, known.language, first, "en") if one in LANGUAGES)
    course = stages(folder, known, spoken)
    say = words(spoken)
    return _template().render(
        say=say,
        language=spoken,
        languages=NAMES,
        course=course,
        next=next_stage(course, known),
        written_in=sorted({NAMES[one.language] for one in course if one.language != spoken}),
        score=sum(stage.score or 0 for stage in course),
        points_of_course=sum(stage.points for stage in course),
        seconds=sum(stage.seconds for stage in course),
        base=base,
        token=token,
        message=say(message, **(fields or {})) if message else "",
        spent=lambda seconds: _spent(seconds, say),
    )


def _spent(seconds: int, say: Texts) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours and not minutes:
        return say("{hours} h", hours=hours)
    if hours:
        return say("{hours} h {minutes} min", hours=hours, minutes=minutes)
    return say("{minutes} min", minutes=minutes)


@lru_cache
def _template() -> Template:
    environment: Any = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"points": points, "path": quote}
    template: Template = environment.get_template("course.html")
    return template

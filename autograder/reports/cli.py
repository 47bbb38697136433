"""The verbs of `ustod` with which an instructor looks at a class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from autograder.errors import UstodError, one_line
from autograder.student.texts import LANGUAGES
from autograder.terminal import terminal

app = typer.Typer(no_args_is_help=True)
console = terminal()
progress = terminal(stderr=True)

CourseFolder = Annotated[Path, typer.Option("--course", help="The course directory.")]
Language = Annotated[
    Optional[str], typer.Option("--lang", help=f"Language of the pages: {', '.join(LANGUAGES)}; the course's without.")
]


@app.command()
def report(
    assignment: Annotated[Optional[str], typer.Argument(help="Only this one; all, and the course, without.")] = None,
    course: CourseFolder = Path(),
    lang: Language = None,
) -> None:
    """Write pages for instructors: scores, exercises, misconceptions, doubtful checks, who has fallen silent."""
    from autograder.grading.course import open_course
    from autograder.reports.insight_pages import write_report

    opened = open_course(course)
    name = opened.assignment(assignment) if assignment else None
    with progress.status("") as status:
        pages = write_report(opened, name, language=_language(lang), progress=lambda doing: status.update(doing))
    for page in pages:
        console.print(page, soft_wrap=True, highlight=False)


@app.command()
def similar(assignment: str, course: CourseFolder = Path(), lang: Language = None) -> None:
    """List pairs of submissions that share more than the assignment and the class explain. A hint, and no proof."""
    from autograder.grading.course import open_course
    from autograder.reports.similarity_pages import write_similar

    opened = open_course(course)
    page, found = write_similar(opened, opened.assignment(assignment), language=_language(lang))
    console.print(f"{found.count} submissions, {len(found.pairs)} pairs stand out")
    console.print(page, soft_wrap=True, highlight=False)
    if found.unread:
        names = ", ".join(map(one_line, found.unread))
        raise UstodError(f"{len(found.unread)} submissions have no notebook that can be read: {names}.")


def _language(code: str | None) -> str | None:
    if code is not None and code not in LANGUAGES:
        raise typer.BadParameter(f"choose one of {', '.join(LANGUAGES)}", param_hint="--lang")
    return code

"""`ustod similar`: a list of pairs that stand out, and each pair side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.files import needs_room, write_bytes
from autograder.gradebook.standing import opened
from autograder.gradebook.tables import Cell
from autograder.grading.course import Course
from autograder.reports.insight import read_sidecar
from autograder.reports.insight_pages import Table, render, write_page
from autograder.reports.register import people
from autograder.reports.similarity import Comparison, Pair, Passage, Submission, compare_class
from autograder.reports.words import words
from autograder.student.texts import LANGUAGES, Texts

#: Pairs that get a page side by side; the CSV names all.
MOST_PAIRS = 100


@dataclass(frozen=True)
class Side:
    """One cell of one student: its lines, each with whether the other has it too."""

    cell: str
    lines: list[tuple[str, bool]]

    @property
    def marked(self) -> bool:
        """Whether any of it is shared."""
        return any(marked for _, marked in self.lines)


def write_similar(
    course: Course,
    assignment: str,
    *,
    language: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Path, Comparison]:
    """Write the pages below ``report/<assignment>/similar/`` in the course, in place of those of an earlier run.

    Args:
        language: of the pages; that of the course's notebooks without it.

    Raises:
        UstodError: if there are fewer than two submissions, or the disk is full.
    """
    found = compare_class(course, assignment)
    spoken = language or read_sidecar(course, assignment).language
    spoken = spoken if spoken in LANGUAGES else "en"
    say = words(spoken)
    with opened(course) as gradebook:
        names = {person.id: person.name for person in people(gradebook.db())}
    folder = course.root / "report" / assignment / "similar"
    with needs_room(course.root):
        for old in folder.glob("*.html"):
            old.unlink()
        shown = found.pairs[:MOST_PAIRS]
        table = _table(found.pairs, names, say)
        page = render("similar.html.j2", spoken, assignment=assignment, found=found, table=table, shown=len(shown))
        path = write_page(folder, page, [table], spoken, course)
        for number, pair in enumerate(shown, 1):
            progress(number, len(shown))
            text = render(
                "similar_pair.html.j2",
                spoken,
                assignment=assignment,
                pair=pair,
                names=names,
                sides=(_sides(pair.first, pair), _sides(pair.second, pair)),
            )
            write_bytes(
                folder / f"{number}.html", text.encode("utf-8", "backslashreplace"), path.stat().st_mode & 0o777
            )
    return path, found


def _table(pairs: list[Pair], names: dict[str, str], say: Texts) -> Table:
    heads = [say("No."), say("Student"), say("Other student"), say("Shared by the first"), say("Shared by the second")]
    rows: list[list[Cell]] = [
        [
            *(str(number), _name(pair.first, names), _name(pair.second, names)),
            *(pair.shares[0], pair.shares[1], round(pair.bits, 1)),
        ]
        for number, pair in enumerate(pairs, 1)
    ]
    kinds = ("", "", "", "%", "%", "")
    return Table("similar.csv", say("Pairs that share much"), [*heads, say("Bits")], rows, kinds, MOST_PAIRS)


def _name(submission: Submission, names: dict[str, str]) -> str:
    name = names.get(submission.student, submission.student)
    return name if name == submission.student else f"{name} ({submission.student})"


def _sides(submission: Submission, pair: Pair) -> list[Side]:
    """The cells of one of the pair, those with something shared first, in the order of their names."""
    sides = [_side(passage, pair.common) for passage in submission.passages]
    return sorted(sides, key=lambda side: (not side.marked, side.cell))


def _side(passage: Passage, common: frozenset[int]) -> Side:
    marked = {line for one in passage.prints if one.value in common for line in range(one.first, one.last + 1)}
    lines = [(line, number in marked) for number, line in enumerate(passage.source.split("\n"))]
    return Side(passage.cell, lines)

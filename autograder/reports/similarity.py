"""Pairs of submissions that share more than the assignment and the class explain.

What two submissions share counts by how rare it is in the class: a fingerprint that m of n students have is worth
log2(n / (m - 1)) bits, as much as it would surprise to meet it in one more of the others. What stands in the
assignment, in its reference or in another answer that the unit knows counts nothing, nor does what a fifth of the class
has.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from autograder.authoring.unit import read_unit
from autograder.authoring.variants import read_variants
from autograder.errors import UstodError
from autograder.grading.course import Course
from autograder.grading.submission import MOST_NOTEBOOK
from autograder.judge.cells import bound
from autograder.reports.fingerprints import Fingerprint, fingerprints, tokens
from autograder.reports.insight import read_sidecar, unit_folder

#: A pair is named if it shares this part of the smaller one's bits, and at least so many bits. Measured on code of real
#: beginners, in 12 classes of 200: 5 of 238,800 honest pairs are, and all of 72 copies with other names.
SHARE, BITS = 0.75, 40.0
#: What this part of a class has in common, or so many students, needs no explanation.
COMMON, CROWD = 0.2, 60


@dataclass(frozen=True)
class Passage:
    """Code of one cell that a student wrote, with its fingerprints.

    Attributes:
        cell: nbgrader's name of the cell; empty for one that the student added.
    """

    cell: str
    source: str
    prints: tuple[Fingerprint, ...]


@dataclass(frozen=True)
class Submission:
    """Everything that a student wrote for an assignment."""

    student: str
    when: datetime | None
    passages: tuple[Passage, ...]

    @property
    def values(self) -> set[int]:
        """The fingerprints."""
        return {one.value for passage in self.passages for one in passage.prints}


@dataclass(frozen=True)
class Pair:
    """Two submissions and what they share.

    Attributes:
        bits: what both have, by its rareness.
        shares: what part of each one's bits that is.
        common: the fingerprints that both have and that count.
    """

    first: Submission
    second: Submission
    bits: float
    shares: tuple[float, float]
    common: frozenset[int]

    @property
    def share(self) -> float:
        """The part of the smaller one's bits."""
        return max(self.shares)


@dataclass(frozen=True)
class Comparison:
    """A class compared: how many submissions, which pairs stand out, and who could not be read."""

    count: int
    pairs: list[Pair]
    unread: list[str]


def compare_class(course: Course, assignment: str) -> Comparison:
    """Compare all submissions of `assignment` with one another.

    Raises:
        UstodError: if there are fewer than two.
    """
    students = course.students_with(assignment)
    if len(students) < 2:
        raise UstodError(
            f"There are fewer than two submissions of {assignment} in {course.submitted}; see ustod collect."
        )
    task = _Assignment(course, assignment)
    submissions = []
    unread = []
    for student in students:
        found = task.read(student)
        if found is None:
            unread.append(student)
        else:
            submissions.append(found)
    return Comparison(len(submissions), compare(submissions, task.explained), unread)


def compare(submissions: Sequence[Submission], explained: Collection[int] = ()) -> list[Pair]:
    """The pairs of `submissions` that stand out, the most alike first.

    Args:
        explained: fingerprints that count nothing.
    """
    count = len(submissions)
    prints = [submission.values.difference(explained) for submission in submissions]
    holders: dict[int, list[int]] = defaultdict(list)
    for number, values in enumerate(prints):
        for value in values:
            holders[value].append(number)
    worth = {value: _bits(len(numbers), count) for value, numbers in holders.items()}
    totals = [sum(worth[value] for value in values) for values in prints]
    shared: Counter[tuple[int, int]] = Counter()
    for value, numbers in holders.items():
        if 1 < len(numbers) <= min(CROWD, max(4, COMMON * count)):
            for both in combinations(numbers, 2):
                shared[both] += worth[value]  # type: ignore[assignment]
    pairs = []
    for (one, other), bits in shared.items():
        if bits >= BITS and bits >= SHARE * min(totals[one], totals[other]):
            common = frozenset(v for v in prints[one] & prints[other] if len(holders[v]) <= max(4, COMMON * count))
            shares = (bits / totals[one], bits / totals[other])
            pairs.append(Pair(submissions[one], submissions[other], float(bits), shares, common))
    return sorted(pairs, key=lambda pair: (-pair.share, -pair.bits, pair.first.student, pair.second.student))


def read_passages(sources: Iterable[tuple[str, str]], given: Collection[str] = ()) -> tuple[Passage, ...]:
    """Passages of cells, each a name and its code.

    Args:
        given: names that the assignment gave, which are compared as they are.
    """
    return tuple(Passage(cell, source, tuple(fingerprints(tokens(source, given)))) for cell, source in sources)


def _bits(holders: int, count: int) -> float:
    return max(0.0, math.log2(count / max(1, holders - 1)))


class _Assignment:
    """What the assignment gave to everybody, and how a student's notebook is read beside it."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.course, self.assignment = course, assignment
        self.notebooks = course.notebooks(assignment)
        given, known = self._given(), self._known()
        self.unchanged = {source.strip() for _, source in given}
        self.names = frozenset[str]().union(*(bound(source) for _, source in given))
        passages = read_passages([*given, *known], self.names)
        self.explained = frozenset(one.value for passage in passages for one in passage.prints)

    def read(self, student: str) -> Submission | None:
        """What the student wrote; None if no notebook of theirs can be read."""
        folder = self.course.folder("submitted", student, self.assignment)
        cells: list[tuple[str, str]] = []
        read = False
        for notebook in self.notebooks:
            path = folder / f"{notebook}.ipynb"
            found = list(_code_cells(path))
            read |= bool(found)
            cells += [(name, source) for name, source, own in found if own and source.strip() not in self.unchanged]
        if not read:
            return None
        try:
            when = self.course.directory.get_existing_timestamp(str(folder))
        except (ValueError, OverflowError, OSError):
            when = None
        return Submission(student, when, read_passages(cells, self.names))

    def _given(self) -> list[tuple[str, str]]:
        """The cells that students were given, else all of the instructor's."""
        released = [self.course.folder("release", ".", self.assignment) / f"{name}.ipynb" for name in self.notebooks]
        found = [(name, source) for path in released for name, source, _ in _code_cells(path)]
        return found or self._source()

    def _source(self) -> list[tuple[str, str]]:
        paths = [self.course.folder("source", ".", self.assignment) / f"{name}.ipynb" for name in self.notebooks]
        return [(name, source) for path in paths for name, source, _ in _code_cells(path)]

    def _known(self) -> list[tuple[str, str]]:
        """The reference, and the other answers, right and wrong, that the unit knows."""
        found = self._source()
        folder = unit_folder(read_sidecar(self.course, self.assignment))
        if folder is not None:
            for variant in read_variants(read_unit(folder)):
                found += [(name.replace(".", "-"), source) for name, source in variant.answers.items()]
        return found


def _code_cells(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Name, code, and whether a student may write in it, of each cell of the notebook at `path`, if it can be read."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_NOTEBOOK:
            return
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    cells = data.get("cells") if isinstance(data, Mapping) else None
    for cell in cells if isinstance(cells, list) else ():
        if not isinstance(cell, Mapping) or cell.get("cell_type") != "code":
            continue
        about = _mapping(_mapping(cell.get("metadata")).get("nbgrader"))
        own = bool(about.get("solution")) or not (about.get("locked") or about.get("grade"))
        yield str(about.get("grade_id", "")), _text(cell.get("source")), own


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(source: Any) -> str:
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""

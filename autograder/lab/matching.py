"""Which cell is which in three notebooks: the course's as it was placed, the course's of today, and the learner's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

from nbformat import NotebookNode

#: Two paragraphs that have this part of their words in common are one paragraph, reworded.
REWORDED = 0.5

Alike = Callable[[NotebookNode, NotebookNode], bool]


@dataclass(eq=False)
class Slot:
    """One cell of the course in the three notebooks, wherever it stands there.

    Attributes:
        placed: as the learner got it; None if it came later.
        course: as the course has it today; None if it is gone.
        mine: the learner's; None if it was deleted.
        own: the cells that the learner has put after it.
    """

    placed: NotebookNode | None
    course: NotebookNode | None
    mine: NotebookNode | None = None
    own: list[NotebookNode] = field(default_factory=list)


@dataclass(frozen=True)
class Matching:
    """The slots in the orders of the notebooks.

    Attributes:
        placed: those of the notebook that the learner got.
        course: those of the course of today.
        mine: for each of the learner's cells its slot; None for a cell that the learner has added.
    """

    placed: list[Slot]
    course: list[Slot]
    mine: list[Slot | None]


def match(placed: Sequence[NotebookNode], course: Sequence[NotebookNode], mine: Sequence[NotebookNode]) -> Matching:
    """Find for each cell of the course what has become of it."""
    now = pair(placed, course, _reworded)
    slots = [Slot(cell, course[now[number]] if number in now else None) for number, cell in enumerate(placed)]
    known = {now[number]: slots[number] for number in now}
    today = [known.get(number) or Slot(None, cell) for number, cell in enumerate(course)]
    found: list[Slot | None] = [None] * len(mine)
    for number, place in pair(mine, placed, _lost_its_name).items():
        found[number] = slots[place]
    fresh = [slot for slot in today if slot.placed is None]
    rest = [number for number, slot in enumerate(found) if slot is None]
    for number, place in pair([mine[n] for n in rest], [slot.course for slot in fresh if slot.course]).items():
        found[rest[number]] = fresh[place]
    for cell, slot in zip(mine, found, strict=True):
        if slot is not None:
            slot.mine = cell
    return Matching(slots, today, found)


def pair(first: Sequence[NotebookNode], second: Sequence[NotebookNode], alike: Alike | None = None) -> dict[int, int]:
    """For numbers of cells of `first`, the numbers of the same cells of `second`.

    After cells that nobody changed, nbgrader's `grade_id` says it best, then the cell's own id, then its text. Where as
    many cells are left between two that are found, these may be the same in order.

    Args:
        alike: whether two cells that are left in the same place may be the same; without it, none are.
    """
    pairs: dict[int, int] = {}
    for key in (_text_and_id, _role_and_id, role, _id, _text):
        free: dict[object, list[int]] = {}
        taken = set(pairs.values())
        for number, cell in enumerate(second):
            if number not in taken and (name := key(cell)) is not None:
                free.setdefault(name, []).append(number)
        for number, cell in enumerate(first):
            if number not in pairs and (places := free.get(key(cell))):
                pairs[number] = places.pop(0)
    if alike is not None:
        _pair_by_place(first, second, pairs, alike)
    return pairs


def _pair_by_place(
    first: Sequence[NotebookNode], second: Sequence[NotebookNode], pairs: dict[int, int], alike: Alike
) -> None:
    ends = [(-1, -1), *sorted(pairs.items()), (len(first), len(second))]
    taken = set(pairs.values())
    for (start, other_start), (end, other_end) in pairwise(ends):
        ours, theirs = range(start + 1, end), range(other_start + 1, other_end)
        if len(ours) != len(theirs) or taken & set(theirs):
            continue
        pairs.update((a, b) for a, b in zip(ours, theirs, strict=True) if alike(first[a], second[b]))


def graded(cell: NotebookNode) -> dict[str, Any]:
    """nbgrader's metadata of `cell`; empty for a cell that nbgrader does not know, or whose metadata is broken."""
    about = cell.metadata.get("nbgrader")
    return about if isinstance(about, dict) and isinstance(about.get("grade_id"), str) else {}


def is_answer(cell: NotebookNode) -> bool:
    """Whether `cell` is a place for an answer of the learner's."""
    return bool(graded(cell).get("solution"))


def content(cell: NotebookNode) -> tuple[object, ...]:
    """What somebody has written in `cell`, pictures included, and not what came of running it."""
    return cell.cell_type, cell.source, cell.get("attachments") or {}


def role(cell: NotebookNode) -> object:
    """What the grader calls `cell`, with what it is for; None for other cells."""
    about = graded(cell)
    return (about["grade_id"], bool(about.get("solution")), cell.cell_type) if about else None


def _text_and_id(cell: NotebookNode) -> object:
    return (*content(cell)[:2], cell.id) if "id" in cell else None


def _role_and_id(cell: NotebookNode) -> object:
    name = role(cell)
    return (name, cell.get("id")) if name is not None else None


def _id(cell: NotebookNode) -> object:
    return (cell.cell_type, cell.id) if "id" in cell else None


def _text(cell: NotebookNode) -> object:
    return (cell.cell_type, cell.source) if cell.source.strip() else None


def _lost_its_name(mine: NotebookNode, placed: NotebookNode) -> bool:
    """Whether `mine` may be a cell that the grader needs, with its metadata wiped out; any other cell may be new."""
    return bool(graded(placed)) and not graded(mine) and bool(mine.cell_type == placed.cell_type)


def _reworded(one: NotebookNode, other: NotebookNode) -> bool:
    if graded(one) or graded(other) or one.cell_type != other.cell_type:
        return False
    words, others = one.source.split(), other.source.split()
    return SequenceMatcher(None, words, others, autojunk=False).ratio() >= REWORDED


def woven(first: Iterable[Slot], second: Iterable[Slot]) -> list[Slot]:
    """`first`, with each slot that `second` alone has after the one that stands before it in `second`."""
    order = list(first)
    place = 0
    for slot in second:
        if slot not in order:
            order.insert(place, slot)
        place = order.index(slot) + 1
    return order

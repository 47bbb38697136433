"""A learner's notebook meets a newer course: the text becomes the course's, and what the learner wrote stays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import count
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from autograder.authoring.lesson import STUB
from autograder.lab.matching import Slot, content, graded, is_answer, match, role, woven
from autograder.student.texts import Texts

#: The name of the cell above answers to exercises that are gone; the space keeps it apart from any `grade_id`.
FORMER = "former answers"
#: Metadata of a cell that nbgrader and the course decide on, whatever the learner's notebook says.
_COURSES_OWN = ("nbgrader", "deletable", "editable")


def merge(placed: NotebookNode | None, course: NotebookNode, mine: NotebookNode, texts: Texts) -> NotebookNode:
    """`mine` with the text of `course`.

    Whatever the learner wrote stands in the result: answers in their places, cells of their own after the cells that
    they followed. Where the course changed the beginning of an exercise that is answered, a note below the answer
    shows the new one. An answer to an exercise that is gone stands at the end. A cell of the course that the learner
    deleted stays deleted, unless the grader needs it.

    Args:
        placed: the notebook of the course that `mine` began as; None if it is not known any more.
        course: the notebook as the course has it today.
        mine: the learner's; valid, as `course` is.
        texts: the words of the notes that are put in.
    """
    if placed is None:
        placed = presumed(course, mine)
    metadata = _three_ways(placed.metadata, course.metadata, mine.metadata)
    cells = _Merge(placed.cells, course.cells, mine.cells, texts).cells()
    merged: NotebookNode = deepcopy(_but(course, metadata=metadata, cells=_with_ids(cells)))
    return merged


def presumed(course: NotebookNode, mine: NotebookNode) -> NotebookNode:
    """What can be told from `mine` alone of the notebook that it began as.

    A cell that the grader knows carries a checksum of what was released, and the id of every other cell of the course
    is the beginning of its text's.
    """
    today = {role(cell): cell for cell in course.cells if graded(cell)}
    ids = {cell.id: cell for cell in course.cells if not graded(cell)}
    cells: list[NotebookNode] = []
    seen: set[object] = set()
    for cell in mine.cells:
        name = role(cell) or cell.get("id")
        if name is None or name in seen:
            continue
        seen.add(name)
        about, now = graded(cell), today.get(role(cell))
        if about and now is not None and about.get("checksum") == graded(now).get("checksum"):
            cells.append(now)
        elif about and about.get("checksum") == _checksum(cell):
            cells.append(cell)
        elif about:
            cells.append(_but(cell, source=""))  # answered, and nobody knows what it began as
        elif now := ids.get(name):
            cells.append(now)
        elif hashlib.sha256(cell.source.encode()).hexdigest()[:12] == str(name).split("-")[0]:
            cells.append(cell)
    return NotebookNode(cells=deepcopy(cells), metadata={})


def _checksum(cell: NotebookNode) -> str:
    """nbgrader's checksum of `cell`; empty where its metadata is not nbgrader's."""
    from nbgrader.utils import compute_checksum

    try:
        return str(compute_checksum(cell))
    except (KeyError, TypeError, ValueError):
        return ""


class _Merge:
    """The merge of the cells of three notebooks."""

    def __init__(
        self,
        placed: Sequence[NotebookNode],
        course: Sequence[NotebookNode],
        mine: Sequence[NotebookNode],
        texts: Texts,
    ) -> None:
        self.texts = texts
        self._ids = {cell.id for cell in course}
        self._noted = {note for cell in mine if (note := _note_in(cell))}
        cells = [cell for cell in mine if not _note_in(cell) or _note_in(cell) == FORMER]
        matching = match(placed, course, [cell for cell in cells if not _note_in(cell)])
        self._head: list[NotebookNode] = []  # the learner's cells before the first of the course
        self._tail: list[NotebookNode] = []  # answers to exercises that are gone, and what stands among them
        order = self._follow(cells, iter(matching.mine))
        kept = [slot for slot in matching.placed if slot.course is not None]
        if kept == [slot for slot in matching.course if slot.placed is not None]:
            self._slots = woven(order, matching.course)
        else:  # the course has put its cells into another order
            self._slots = woven(matching.course, order)

    def _follow(self, cells: Sequence[NotebookNode], slots: Iterator[Slot | None]) -> list[Slot]:
        """The slots in the learner's order; each learns which cells of the learner's own follow it."""
        order: list[Slot] = []
        own = self._head
        for cell in cells:
            if _note_in(cell) == FORMER:
                own = self._tail
            elif (slot := next(slots)) is None:
                own.append(self._owned(cell))
            else:
                order.append(slot)
                own = slot.own
        return order

    def cells(self) -> list[NotebookNode]:
        """The cells of the merged notebook."""
        found = list(self._head)
        for slot in self._slots:
            found += self._of(slot)
            found += slot.own
        return [*found, *self._former()]

    def _of(self, slot: Slot) -> list[NotebookNode]:
        course, mine = slot.course, slot.mine
        if course is None:
            return self._of_gone(slot)
        if mine is None:
            return [course] if graded(course) or slot.placed is None else []
        if not _is_touched(slot):
            return [_as_ran(slot, course)]
        if is_answer(course) and mine.cell_type == course.cell_type:
            return [_as_course(slot, mine), *self._note(slot)]
        if graded(course) or (slot.placed is not None and content(slot.placed) != content(course)):
            return [_as_ran(slot, course), _but(self._owned(mine), id="")]
        return [_as_course(slot, mine)]

    def _of_gone(self, slot: Slot) -> list[NotebookNode]:
        if slot.mine is None or not _is_touched(slot):
            return []
        if slot.placed is not None and is_answer(slot.placed):
            self._tail.append(self._owned(slot.mine))
            return []
        return [self._owned(slot.mine)]

    def _note(self, slot: Slot) -> list[NotebookNode]:
        """What to tell about an answer whose exercise begins otherwise now."""
        assert slot.course is not None and slot.mine is not None
        name = graded(slot.course)["grade_id"]
        changed = slot.placed is not None and slot.placed.source != slot.course.source
        if not (changed or name in self._noted) or _follows(slot.mine.source, slot.course.source):
            return []
        head = self.texts(
            "**The course has changed this exercise.** Your answer above is as you left it. The exercise now begins so:"
        )
        return [_new_note(f"{head}\n\n````python\n{slot.course.source}\n````", name)]

    def _former(self) -> list[NotebookNode]:
        if not self._tail:
            return []
        title = self.texts("Answers to former exercises")
        words = self.texts(
            "The course no longer has the exercises that these answers of yours belong to. They are kept, not graded."
        )
        return [_new_note(f"## {title}\n\n{words}", FORMER), *self._tail]

    def _owned(self, cell: NotebookNode) -> NotebookNode:
        """`cell` as one of the learner's own: neither the grader nor a later merge is to take it for the course's."""
        if cell.get("id") in self._ids:
            cell = _but(cell, id="")
        if "nbgrader" not in cell.metadata:
            return cell
        kept = {name: value for name, value in cell.metadata.items() if name not in _COURSES_OWN}
        return _but(cell, metadata=NotebookNode(kept))


def _is_touched(slot: Slot) -> bool:
    """Whether the learner wrote in the cell: it is neither as it was placed nor as the course has it."""
    known = [content(cell) for cell in (slot.placed, slot.course) if cell is not None]
    return slot.mine is not None and content(slot.mine) not in known


def _follows(answer: str, stub: str) -> bool:
    """Whether `answer` has every line that `stub` gives; then there is nothing to tell."""
    given = {line.strip() for line in stub.split("\n")} - {"", *STUB.split("\n")}
    return given <= {line.strip() for line in answer.split("\n")}


def _as_course(slot: Slot, cell: NotebookNode) -> NotebookNode:
    """`cell` in the place of the course's, with its id and its metadata."""
    assert slot.course is not None and slot.mine is not None
    before = slot.placed.metadata if slot.placed is not None else {}
    metadata = _three_ways(before, slot.course.metadata, slot.mine.metadata)
    for name in _COURSES_OWN:
        metadata.pop(name, None)
    about = {name: slot.course.metadata[name] for name in _COURSES_OWN if name in slot.course.metadata}
    return _but(cell, id=slot.course.id, metadata=NotebookNode({**metadata, **about}))


def _as_ran(slot: Slot, course: NotebookNode) -> NotebookNode:
    """`course`, with what came of running it where the learner ran the same."""
    if slot.mine is not None and content(slot.mine) == content(course):
        return _as_course(slot, slot.mine)
    return _as_course(slot, course)


def _new_note(text: str, name: str) -> NotebookNode:
    note: NotebookNode = new_markdown_cell(text, id=f"note-{_digest(name)}")
    note.metadata["ustod"] = {"note": name, "text": _digest(text)}
    return note


def _note_in(cell: NotebookNode) -> str:
    """The name of the note that `cell` is; empty for any other cell, and for a note that the learner has changed."""
    about = cell.metadata.get("ustod")
    if not isinstance(about, dict) or about.get("text") != _digest(cell.source):
        return ""
    return str(about.get("note", ""))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _three_ways(placed: Mapping[str, Any], course: Mapping[str, Any], mine: Mapping[str, Any]) -> NotebookNode:
    """Metadata: what the course changed is the course's, everything else the learner's."""
    merged = NotebookNode()
    for name in dict.fromkeys([*course, *mine]):
        source = mine if course.get(name) == placed.get(name) else course
        if name in source:
            merged[name] = deepcopy(source[name])
    return merged


def _but(cell: NotebookNode, **changes: Any) -> NotebookNode:
    changed: NotebookNode = NotebookNode(cell)
    changed.update(changes)
    return changed


def _with_ids(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """`cells` with ids that differ; those that have none, or one that stands before them, get new ones."""
    used = {cell.get("id") for cell in cells}
    fresh = (name for number in count(1) if (name := f"mine-{number}") not in used)
    seen: set[str] = {""}
    found = []
    for cell in cells:
        name = cell.get("id", "")
        if name in seen:
            name = next(fresh)
        seen.add(name)
        found.append(_but(cell, id=name))
    return found

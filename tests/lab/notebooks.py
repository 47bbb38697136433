"""Random notebooks of a course, what the course makes of them later, and what a learner does with them."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from nbformat import NotebookNode, from_dict
from nbgrader.utils import compute_checksum

WORDS = st.text("абвғӣқӯҳҷ \n`$#xyz", min_size=1, max_size=12)
STUB = "def {name}(numbers{more}):\n    # YOUR CODE HERE\n    raise NotImplementedError()"


@dataclass(frozen=True)
class Exercise:
    """An exercise of a random course: its paragraph, its stub and its check."""

    name: str
    prose: str
    more: str = ""
    points: int = 1


@dataclass(frozen=True)
class Lesson:
    """A random course: an opening cell, then exercises and paragraphs or examples between them.

    Attributes:
        language: is put before every paragraph; ids are those of the text without it.
    """

    parts: tuple[Exercise | str, ...]
    locked: str = "check = open_unit()"
    language: str = ""

    def notebook(self) -> NotebookNode:
        """As nbgrader releases it."""
        cells = [self._graded(self.locked, "locked-1", "locked")]
        for part in self.parts:
            if isinstance(part, str):
                cells.append(self._example(part) if part.startswith("print") else self._prose(part))
                continue
            cells.append(self._prose(part.prose))
            cells.append(self._graded(STUB.format(name=part.name, more=part.more), part.name, "solution"))
            cells.append(self._graded(f'check("{part.name}")', f"{part.name}-check", "grade", points=part.points))
        seen: dict[str, int] = {}
        for cell in cells:
            seen[cell.id] = seen.get(cell.id, 0) + 1
            cell.id += f"-{seen[cell.id]}" if seen[cell.id] > 1 else ""
        about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        about["ustod"] = {"unit": "u", "language": self.language}
        return from_dict({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5})

    def _prose(self, text: str) -> NotebookNode:
        return markdown(f"{self.language}{text}", _id(text))

    def _example(self, text: str) -> NotebookNode:
        return code(text, _id(text))

    def _graded(self, source: str, name: str, what: str, **more: Any) -> NotebookNode:
        cell = code(source, _id(source))
        about = {"grade_id": name, "grade": what == "grade", "solution": what == "solution", **more}
        about |= {"locked": what != "solution", "task": False, "schema_version": 3, "cell_type": "code"}
        cell.metadata = NotebookNode(deletable=False, nbgrader=NotebookNode(about))
        if what != "solution":
            cell.metadata["editable"] = False
        cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
        return cell


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def markdown(text: str, name: str) -> NotebookNode:
    """A paragraph. nbformat's own functions check every cell that they make, which takes most of the time here."""
    return from_dict({"cell_type": "markdown", "id": name, "metadata": {}, "source": text})


def code(text: str, name: str) -> NotebookNode:
    """A cell of code that has not been run."""
    about = {"cell_type": "code", "id": name, "metadata": {}, "source": text}
    return from_dict({**about, "execution_count": None, "outputs": []})


def printed(text: str) -> NotebookNode:
    """What a cell shows."""
    return from_dict({"output_type": "stream", "name": "stdout", "text": text})


names = st.sampled_from(["total", "over", "mean", "train", "split"])
exercises = st.builds(Exercise, names, WORDS, points=st.integers(1, 3))
paragraphs = WORDS | WORDS.map(lambda text: f"print({text!r})")


def _once(parts: list[Exercise | str]) -> tuple[Exercise | str, ...]:
    """`parts` with each exercise once."""
    seen: set[str] = set()
    kept = []
    for part in parts:
        if isinstance(part, Exercise):
            if part.name in seen:
                continue
            seen.add(part.name)
        kept.append(part)
    return tuple(kept)


lessons = st.builds(Lesson, st.lists(exercises | paragraphs, max_size=6).map(_once))


@st.composite
def newer(draw: st.DrawFn, lesson: Lesson, *, same_order: bool = False) -> Lesson:
    """The lesson after some changes by its authors."""
    parts = list(lesson.parts)
    locked, language = lesson.locked, lesson.language
    changes = ["reword", "stub", "points", "add", "locked", "language"]
    for change in draw(st.lists(st.sampled_from(changes + ([] if same_order else ["drop", "move"])), max_size=4)):
        if change == "locked":
            locked += "\nimport math"
        elif change == "language":
            language = draw(st.sampled_from(["", "ru: ", "tg: "]))
        elif change == "add" or not parts:
            parts.insert(draw(st.integers(0, len(parts))), draw(exercises | paragraphs))
        else:
            place = draw(st.integers(0, len(parts) - 1))
            part = parts.pop(place)
            if change == "move":
                place = draw(st.integers(0, len(parts)))
            if isinstance(part, Exercise):
                more = part.more + ", limit" if change == "stub" else part.more
                points = part.points + 1 if change == "points" else part.points
                prose = draw(WORDS) if change == "reword" else part.prose
                part = Exercise(part.name, prose, more, points)
            elif change == "reword":
                part = draw(paragraphs)
            if change != "drop":
                parts.insert(place, part)
    return Lesson(_once(parts), locked, language)


#: What leaves the notebook as JupyterLab would let it be made, without touching what the grader needs.
GENTLE = ("answer", "edit", "add", "delete", "move", "run", "clear", "attach")
#: What a careless hand or another program does.
ROUGH = (*GENTLE, "copy", "paste", "break", "strip", "anonymous", "exchange")
BROKEN = st.sampled_from(["text", ["list"], {}, {"grade_id": 3}, {"grade_id": "total", "solution": "yes"}, None])


@st.composite
def worked_on(draw: st.DrawFn, placed: NotebookNode, does: tuple[str, ...] = ROUGH) -> NotebookNode:
    """`placed` after a learner has worked on it. Every text that is written is found nowhere else."""
    mine = deepcopy(placed)
    written = 0
    for deed in draw(st.lists(st.sampled_from(does), max_size=8)):
        written += 1
        text = f"mine {written}: {draw(WORDS)}"
        if deed == "add" or not mine.cells:
            kind = draw(st.sampled_from([code, markdown]))
            mine.cells.insert(draw(st.integers(0, len(mine.cells))), kind(text, f"added-{written}"))
            continue
        place = draw(st.integers(0, len(mine.cells) - 1))
        cell = mine.cells[place]
        gentle = does is GENTLE and "nbgrader" in cell.metadata and not cell.metadata.nbgrader.get("solution")
        needed = does is GENTLE and "nbgrader" in cell.metadata
        if deed in ("answer", "edit") and not gentle:
            cell.source = text
        elif deed == "delete" and not needed:
            del mine.cells[place]
        elif deed == "move":
            mine.cells.insert(draw(st.integers(0, len(mine.cells) - 1)), mine.cells.pop(place))
        elif deed == "run" and cell.cell_type == "code":
            cell.outputs, cell.execution_count = [printed(text)], written
        elif deed == "clear":
            for each in mine.cells:
                if each.cell_type == "code":
                    each.outputs, each.execution_count = [], None
        elif deed == "attach" and cell.cell_type == "markdown":
            cell["attachments"] = {"picture.png": {"image/png": "aGk="}}
            cell.source += f"![{text}](attachment:picture.png)"
        elif deed in ("copy", "paste"):
            twin = deepcopy(cell)
            twin.id = f"pasted-{written}"
            if deed == "copy":
                twin.source = text
            mine.cells.insert(draw(st.integers(0, len(mine.cells))), twin)
        elif deed == "break":
            cell.metadata["nbgrader"] = draw(BROKEN)
        elif deed == "strip":
            cell.metadata = NotebookNode()
        elif deed == "anonymous":
            for number, each in enumerate(mine.cells):
                each.id = f"new-{written}-{number}"
        elif deed == "exchange":
            other = draw(st.sampled_from(mine.cells))
            cell.metadata, other.metadata = other.metadata, cell.metadata
    return mine

"""From a unit to notebooks: the instructor's source with nbgrader's metadata, and a learner's answers put into it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.authoring.catalog import Catalog
from autograder.authoring.lesson import Cell, Kind
from autograder.authoring.messages import Role, messages
from autograder.authoring.unit import Unit
from autograder.student.sidecar import Exercise, Sidecar
from autograder.student.texts import Texts

BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
STALE_BANNER = "> {count} paragraphs of this notebook are not translated yet and stand in English."


@dataclass(frozen=True)
class Built:
    """A source notebook, the file beside it, and how many texts had no translation."""

    notebook: NotebookNode
    sidecar: Sidecar
    stale: int


def build_notebook(unit: Unit, catalog: Catalog, edition: str) -> Built:
    """The instructor's notebook of `unit` in the language of `catalog`. The same input gives the same bytes."""
    cells: list[NotebookNode] = []
    stale = locked = 0
    for cell in unit.lesson.cells:
        source = cell.source
        if cell.kind is Kind.PROSE:
            source, missing = catalog.prose(source)
            stale += missing
        elif cell.kind is Kind.CHECK:
            source = with_hidden_checks(unit, cell)
        locked += cell.kind is Kind.LOCKED
        cells.append(_node(cell, source, unit, locked))
    if stale:
        banner = Texts(catalog.language)(STALE_BANNER, count=stale)
        cells.insert(1, new_markdown_cell(banner, id="stale-banner"))
    _distinct_ids(cells)  # before nbformat sees them: it mends a double with a random one
    notebook = new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "ustod": {"unit": unit.name, "language": catalog.language},
        },
    )
    notebook.nbformat_minor = 5
    return Built(notebook, build_sidecar(unit, catalog, edition), stale)


def build_sidecar(unit: Unit, catalog: Catalog, edition: str) -> Sidecar:
    """What the notebook of `unit` knows: texts of hidden checks only in self-study, where their code is there too."""
    exercises = {name: Exercise(texts.title, texts.hints) for name, texts in unit.about.exercises.items()}
    roles = {Role.EXERCISE, Role.PUBLIC_CHECK} | ({Role.HIDDEN_CHECK} if edition == "self-study" else set())
    shown = {message.text for message in messages(unit) if message.role in roles}
    translations = {text: catalog.translate(text) for text in shown} if catalog.language != "en" else {}
    finished = {text: translation for text, translation in translations.items() if translation}
    return Sidecar(unit.name, catalog.language, edition, exercises, finished)


def with_hidden_checks(unit: Unit, cell: Cell) -> str:
    """The source of a check cell with the hidden checks of its exercise between nbgrader's markers."""
    call = f"grade(\"{unit.name}\", \"{cell.exercise}\", r'''\n{unit.hidden[cell.exercise].strip()}\n''')"
    return "\n".join(
        [cell.source, BEGIN_HIDDEN, "from autograder.student import grade", "", call, END_HIDDEN],
    )


def grade_id(cell: Cell) -> str:
    """nbgrader's name of a cell: letters, digits, underscores and hyphens."""
    name = cell.exercise.replace(".", "-")
    return f"{name}-check" if cell.kind is Kind.CHECK else name


def put_answers(notebook: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """A copy of a released or source notebook with the exercise cells replaced by `answers` (source by exercise id)."""
    filled: NotebookNode = nbformat.from_dict(notebook)
    by_grade_id = {name.replace(".", "-"): source for name, source in answers.items()}
    for cell in filled.cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution") and about.get("grade_id") in by_grade_id:
            cell.source = by_grade_id[about["grade_id"]]
    return filled


def _node(cell: Cell, source: str, unit: Unit, locked: int) -> NotebookNode:
    node: NotebookNode
    name = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
    if cell.kind is Kind.PROSE:
        node = new_markdown_cell(source, id=name)
        return node
    node = new_code_cell(source, id=name)
    if cell.kind in (Kind.CODE, Kind.ASIDE):
        return node
    if cell.kind is Kind.LOCKED:
        about = {"grade_id": f"locked-{locked}", "grade": False, "solution": False, "locked": True}
    elif cell.kind is Kind.EXERCISE:
        about = {"grade_id": grade_id(cell), "grade": False, "solution": True, "locked": False}
    else:
        about = {"grade_id": grade_id(cell), "grade": True, "solution": False, "locked": True}
        about["points"] = unit.points(cell.exercise)
    node.metadata["nbgrader"] = {**about, "task": False, "schema_version": 3, "cell_type": "code"}
    return node


def _distinct_ids(cells: list[NotebookNode]) -> None:
    """Two cells with the same text get ids of their own; the same text keeps its id from build to build."""
    seen: dict[str, int] = {}
    for cell in cells:
        seen[cell.id] = seen.get(cell.id, 0) + 1
        if seen[cell.id] > 1:
            cell.id = f"{cell.id}-{seen[cell.id]}"

"""Grade one submission with nbgrader's own steps, in a copy of its files; nothing of the course is written here."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import AssignLatePenalties, Execute, SaveAutoGrades
from nbgrader.utils import find_all_files, is_grade, is_locked, is_solution, setenv

from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.grading.plan import Task

if TYPE_CHECKING:  # the sandbox is made of parts that Linux alone has
    from autograder.grading.execution import Execution

#: Steps of nbgrader that write the gradebook; `record` runs them.
RECORDING = (SaveAutoGrades, AssignLatePenalties)


@dataclass(frozen=True)
class Result:
    """What running one submission gave.

    Attributes:
        notebooks: the autograded notebooks as JSON text, by name.
        missing: notebooks of the assignment that were not handed in; they score zero.
        problem: why the submission could not be graded, as a sentence; empty if it was.
        notes: what the instructor should know about the assignment's own cells, as sentences.
    """

    task: Task
    notebooks: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()


def run(task: Task, execution: Execution | None = None) -> Result:
    """Grade one submission. Never raises on account of what was handed in: the result names the problem.

    Args:
        execution: how to execute the cells; None leaves it to nbgrader, in this user's account.
    """
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    expected = task.course.notebooks(task.assignment)
    present = [name for name in expected if _is_handed_in(task.submitted / f"{name}.ipynb")]
    if not present:
        wanted = ", ".join(f"{name}.ipynb" for name in expected)
        return Result(task, problem=f"The folder {task.submitted} has no notebook named {wanted}.")
    with tempfile.TemporaryDirectory(prefix="ustod-run-") as folder:
        try:
            _copy_files(task, Path(folder))
            notes: list[str] = []
            notebooks = {name: _grade_notebook(task, name, Path(folder), execution, notes) for name in present}
        except UstodError as error:
            return Result(task, problem=str(error))
        except Exception as error:
            name = f"{task.submitted}"
            return Result(task, problem=f"The submission {name} could not be run: {type(error).__name__}: {error}")
    return Result(task, notebooks, tuple(name for name in expected if name not in present), notes=tuple(notes))


def _is_handed_in(path: Path) -> bool:
    """A link may lead to somebody else's work."""
    return path.is_file() and not path.is_symlink()


def _copy_files(task: Task, folder: Path) -> None:
    """The student's files, overwritten by the assignment's own, as nbgrader does it; symbolic links are left out."""
    ignore = [*task.course.directory.ignore, "*.ipynb"]
    for origin in (task.submitted, task.course.folder("source", ".", task.assignment)):
        for name in find_all_files(str(origin), ignore):
            path = Path(name)
            if path.is_symlink() or not path.is_file():
                continue
            target = folder / path.relative_to(origin)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _grade_notebook(task: Task, name: str, folder: Path, execution: Execution | None, notes: list[str]) -> str:
    notebook = nbformat.read(task.submitted / f"{name}.ipynb", as_version=nbformat.current_nbformat)
    _check_graded_cells(task, name, notebook)
    resources = resources_of(task, name)
    resources["metadata"] = {"path": str(folder)}
    first, second = task.course.steps
    with setenv(NBGRADER_EXECUTION="autograde", **OFFLINE):
        for step in (*first, *second):
            if execution is not None and issubclass(step, Execute):
                reference = task.course.source(task.assignment, name)
                notes += execution.run(step(parent=task.course.converter), notebook, reference, folder)
            elif step not in RECORDING:
                notebook = apply([step], task, notebook, resources)
    return f"{nbformat.writes(notebook)}\n"


def _check_graded_cells(task: Task, name: str, notebook: NotebookNode) -> None:
    """Say in a sentence what nbgrader would stop on with a `KeyError`: a graded cell copied, or made by the student."""
    with task.course.gradebook() as gradebook:
        known = {cell.name for cell in gradebook.find_notebook(name, task.assignment).source_cells}
    seen: set[str] = set()
    for cell in notebook.cells:
        if not (is_grade(cell) or is_solution(cell) or is_locked(cell)):
            continue
        grade_id = cell.metadata.nbgrader.get("grade_id")
        if grade_id in seen or grade_id not in known:
            what = "twice" if grade_id in seen else "that is not in the assignment"
            place = task.submitted / f"{name}.ipynb"
            raise UstodError(f"The notebook {place} has the graded cell {grade_id} {what}; delete it and grade again.")
        seen.add(grade_id)


def resources_of(task: Task, name: str) -> ResourcesDict:
    """What nbgrader's steps want to know about a notebook."""
    about = {"student": task.student, "assignment": task.assignment, "notebook": name}
    resources = ResourcesDict(unique_key=name, output_files_dir=f"{name}_files")
    resources["nbgrader"] = {**about, "db_url": task.course.directory.db_url}
    return resources


def apply(steps: Sequence[Any], task: Task, notebook: NotebookNode, resources: ResourcesDict) -> NotebookNode:
    """Put `notebook` through nbgrader's `steps` in order: preprocessor classes, some of which may be disabled."""
    for step in steps:
        notebook, resources = step(parent=task.course.converter)(notebook, resources)
    return notebook

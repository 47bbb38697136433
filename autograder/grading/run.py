"""Grade one submission with nbgrader's own steps, in a copy of its files; nothing of the course is written here."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties, Execute, SaveAutoGrades
from nbgrader.utils import is_grade, is_locked, is_solution, setenv

import autograder.grading.schema  # noqa: F401 nbgrader checks metadata quickly with it
from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.files import needs_room
from autograder.grading.plan import Task, autograded
from autograder.grading.submission import copy_plain_files
from autograder.grading.turn import running_folder

if TYPE_CHECKING:  # the sandbox is made of parts that Linux alone has
    from autograder.grading.execution import Execution

#: Steps of nbgrader that write the gradebook; `record` runs them.
RECORDING = (SaveAutoGrades, AssignLatePenalties)


@dataclass(frozen=True)
class Result:
    """What running one submission gave.

    Attributes:
        notebooks: the autograded notebooks as JSON text, by name.
        problem: why the submission could not be graded, as a sentence; empty if it was.
        notes: what the instructor should know about the assignment's own cells, as sentences.
    """

    task: Task
    notebooks: dict[str, str] = field(default_factory=dict)
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
    notes: list[str] = []
    try:
        place = running_folder(task.course)
        with needs_room(place, Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(dir=place) as folder:
            copy_files(task, Path(folder))
            notebooks = {name: _grade_notebook(task, name, Path(folder), execution, notes) for name in present}
    except UstodError as error:
        return Result(task, problem=str(error))
    except Exception as error:
        what = f"{type(error).__name__}: {error}".rstrip(".")
        return Result(
            task, problem=f"The submission {task.submitted} could not be run ({what}); look into its notebook."
        )
    return Result(task, notebooks, notes=tuple(notes))


def _is_handed_in(path: Path) -> bool:
    """A link may lead to somebody else's work."""
    return path.is_file() and not path.is_symlink()


def copy_files(task: Task, folder: Path) -> None:
    """Fill `folder` with what lies beside the notebook: the student's files, overwritten by the assignment's own.

    As in nbgrader the course may except some from being overwritten. Symbolic links are left out.
    """
    ignore = [*task.course.directory.ignore, "*.ipynb"]
    copy_plain_files(task.submitted, folder, ignore)
    kept = task.course.converter.exclude_overwriting.get(task.assignment, [])
    copy_plain_files(task.course.folder("source", ".", task.assignment), folder, ignore, but=kept)


def _grade_notebook(task: Task, name: str, folder: Path, execution: Execution | None, notes: list[str]) -> str:
    notebook = _read(task.submitted / f"{name}.ipynb")
    resources = resources_of(task, name)
    resources["metadata"] = {"path": str(folder)}
    first, second = task.course.steps
    with setenv(NBGRADER_EXECUTION="autograde", **OFFLINE):
        with task.course.gradebook() as gradebook:
            _check_graded_cells(gradebook, task, name, notebook)
            notebook = apply(first, task, notebook, resources)
        for step in second:
            if execution is not None and issubclass(step, Execute):
                reference = task.course.source(task.assignment, name)
                recorded = _recorded(task, name)
                notes += execution.run(step(parent=task.course.converter), notebook, reference, folder, recorded)
            elif step not in RECORDING:
                notebook = apply([step], task, notebook, resources)
    return f"{nbformat.writes(notebook)}\n"


def _read(path: Path) -> NotebookNode:
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=nbformat.current_nbformat)
    except Exception as error:  # whatever the file may hold
        what = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")
        raise UstodError(f"The file {path} cannot be read as a notebook ({what}); ask for another copy.") from None
    return notebook


def _recorded(task: Task, name: str) -> NotebookNode | None:
    """How the same notebook was graded when the assignment had other tests, if only these have changed."""
    path = autograded(task) / f"{name}.ipynb"
    return _read(path) if task.is_revision and path.is_file() else None


def _check_graded_cells(gradebook: Gradebook, task: Task, name: str, notebook: NotebookNode) -> None:
    """Say in a sentence what nbgrader would stop on with a `KeyError`: a graded cell copied, or made by the student."""
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

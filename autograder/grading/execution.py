"""How the cells of a submission are executed: the student's in a sandbox, the tests in another process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, Execute

from autograder.authoring.unit import find_units
from autograder.errors import UstodError
from autograder.grading.course import Course
from autograder.judge.cells import imports
from autograder.judge.process import Court
from autograder.kernel.client import STACK, Zygote
from autograder.kernel.sandbox import Sandbox

#: Imported before every notebook; of the rest of the stack only what the assignment's own notebooks import.
ALWAYS = ("IPython", "autograder.student")
#: Seconds on the clock for each cell, where the course's configuration sets no limit.
NO_LIMIT = 600.0


@dataclass(frozen=True)
class Execution:
    """How to execute submissions of one assignment; plain, so that it can be sent to another process.

    Attributes:
        modules: what both zygotes import beforehand.
        readable: folders that the judge may read and students may not: the units of the installed course, whose
            checks speak the learner's language.
        sandboxed: whether the processes are shut in.
    """

    modules: tuple[str, ...] = ALWAYS
    readable: tuple[Path, ...] = ()
    sandboxed: bool = True

    @classmethod
    def of(cls, course: Course, assignment: str, *, sandboxed: bool = True) -> Execution:
        """What suits `assignment`.

        Raises:
            UstodError: if this machine cannot shut processes in, and it is not said to do without.
        """
        if sandboxed:
            with Zygote(Sandbox(), ["autograder.student"]) as trial:
                trial.start()
        return cls((*ALWAYS, *_used(course, assignment)), tuple(find_units()), sandboxed)

    def run(self, step: Execute, notebook: NotebookNode, reference: NotebookNode | None, folder: Path) -> list[str]:
        """Execute `notebook` in place, with copies of the files in `folder` beside it, as `step` is configured.

        Returns:
            What went wrong in the instructor's own cells, as sentences.

        Raises:
            UstodError: if the notebook is not in Python, or a process cannot be started.
        """
        language = notebook.metadata.get("kernelspec", {}).get("language", "python")
        if language != "python":
            raise UstodError(f"The notebook is in {language}, which only stock nbgrader can grade: nbgrader autograde.")
        hiding = ClearHiddenTests(parent=step.parent)
        seconds = step.timeout if step.timeout and step.timeout > 0 else NO_LIMIT
        conducted = _court(self).try_notebook(
            notebook,
            reference,
            folder,
            seconds=float(seconds),
            hidden=(hiding.begin_test_delimeter, hiding.end_test_delimeter),
        )
        for count, (cell, outputs) in enumerate(zip(notebook.cells, conducted.outputs, strict=True), 1):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = outputs, count
        return conducted.problems


@lru_cache(maxsize=1)
def _court(execution: Execution) -> Court:
    """The court of this worker process; it ends with the process."""
    court = Court(execution.modules, execution.readable, sandboxed=execution.sandboxed)
    court.prepare()
    return court


def _used(course: Course, assignment: str) -> Iterable[str]:
    """The parts of the stack that the assignment's notebooks import."""
    used: set[str] = set()
    for name in course.notebooks(assignment):
        reference = course.source(assignment, name)
        for cell in reference.cells if reference is not None else ():
            for statement in imports(cell.source).values() if cell.cell_type == "code" else ():
                used.add(statement.split()[1].partition(".")[0])  # import numpy.linalg as la, from numpy import array
    return [module for module in STACK if module.partition(".")[0] in used and find_spec(module.partition(".")[0])]

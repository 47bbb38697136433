"""How the cells of a submission are executed: the student's in a sandbox, the tests in another process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, Execute

from autograder.authoring.unit import find_units
from autograder.errors import UstodError
from autograder.grading.course import Course
from autograder.grading.preload import preloads
from autograder.grading.revision import still_valid, was_stopped
from autograder.judge.cells import Guide, execution_counts
from autograder.judge.process import DEFAULT_LIMITS, Court
from autograder.kernel.client import Twin
from autograder.kernel.doctor import require_sandbox
from autograder.kernel.limits import Limits

#: Imported before every notebook; of the rest of the stack only what the assignment's own notebooks import.
ALWAYS = ("IPython", "autograder.student")
#: Seconds on the clock for each cell, where the course's configuration sets no limit.
NO_LIMIT = 600.0


@dataclass(frozen=True)
class Execution:
    """How to execute submissions of one assignment; plain, so that it can be sent to another process.

    Attributes:
        modules: what is imported before any notebook begins, as for `Zygote`.
        readable: folders that the judge may read and students may not: the units of the installed course, whose
            checks speak the learner's language.
        sandboxed: whether the processes are shut in.
        limits: what a submission may use, as the course's configuration says.
    """

    modules: tuple[str, ...] = ALWAYS
    readable: tuple[Path, ...] = ()
    sandboxed: bool = True
    limits: Limits = DEFAULT_LIMITS

    @classmethod
    def of(cls, course: Course, assignment: str, *, sandboxed: bool = True) -> Execution:
        """What suits `assignment`.

        Raises:
            UstodError: if the course's configuration sets a limit that cannot be.
        """
        return cls((*ALWAYS, *_used(course, assignment)), tuple(find_units()), sandboxed, _limits(course))

    def check(self) -> None:
        """Raise `UstodError` if processes are to be shut in and this machine cannot do that."""
        if self.sandboxed:
            require_sandbox()

    def run(
        self,
        step: Execute,
        notebook: NotebookNode,
        reference: NotebookNode | None,
        folder: Path,
        recorded: NotebookNode | None = None,
    ) -> list[str]:
        """Execute `notebook` in place, with copies of the files in `folder` beside it, as `step` is configured.

        Args:
            recorded: how the same submission was graded before, from which is taken over what still holds.

        Returns:
            What went wrong in the instructor's own cells, as sentences.

        Raises:
            UstodError: if the notebook is not in Python, or a process cannot be started.
        """
        language = notebook.metadata.get("kernelspec", {}).get("language", "python")
        if language != "python":
            raise UstodError(f"The notebook is in {language}, which only stock nbgrader can grade: nbgrader autograde.")
        hiding = ClearHiddenTests(parent=step.parent)
        marks = (hiding.begin_test_delimeter, hiding.end_test_delimeter)
        seconds = step.timeout if step.timeout and step.timeout > 0 else NO_LIMIT
        attempt = partial(
            _court(self).try_notebook,
            *(notebook, reference, folder),
            seconds=float(seconds),
            hidden=marks,
            limits=self.limits,
        )
        can_tell = recorded is not None and reference is not None and not Guide.read(reference.cells).in_kernel
        valid = still_valid(recorded.cells, notebook.cells, marks) if recorded is not None and can_tell else {}
        conducted = attempt(skip=valid)
        if valid and was_stopped(conducted.outputs):
            valid, conducted = {}, attempt()
        counts = execution_counts(notebook.cells)
        for place, (cell, outputs, count) in enumerate(zip(notebook.cells, conducted.outputs, counts, strict=True)):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = valid.get(place, outputs), count
        return conducted.problems


class Warmth:
    """A zygote of this process of which each worker process of this machine is given a twin, as it starts.

    The stack is then imported once, while the workers import nbgrader. Use it as a context manager; called in a worker,
    its copy there does what is to be done.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._court = _new_court(execution)
        self._given: list[Twin] = []

    def __enter__(self) -> Warmth:
        return self

    def __exit__(self, *exception: object) -> None:
        self._court.__exit__()

    def __reduce__(self) -> tuple[Any, ...]:
        twin = self._court.twin()
        self._given.append(twin)
        return partial, (_adopt, self._execution, twin)

    def __call__(self) -> None:
        """In the process that has the zygote itself there is nothing to do."""

    def let_go(self) -> None:
        """The workers that were started hold the lines to their twins: let go of them, so that a twin ends with its
        worker."""
        while self._given:
            self._given.pop().end.close()


_courts: dict[Execution, Court] = {}


def _court(execution: Execution) -> Court:
    """The court of this worker process; it ends with the process, or when another assignment needs another one."""
    if execution not in _courts:
        while _courts:
            _, former = _courts.popitem()
            former.__exit__()
        court = _new_court(execution)
        court.prepare()
        _courts[execution] = court
    return _courts[execution]


def _new_court(execution: Execution, twin: Twin | None = None) -> Court:
    return Court(execution.modules, execution.readable, sandboxed=execution.sandboxed, twin=twin)


def _adopt(execution: Execution, twin: Twin) -> None:
    """In a worker that has just started: have notebooks run by children of `twin`."""
    _courts[execution] = _new_court(execution, twin)


def _limits(course: Course) -> Limits:
    try:
        return Limits.of(course.config.get("UstodLimits", {}))
    except ValueError as error:
        path = course.root / "nbgrader_config.py"
        raise UstodError(f"The setting c.UstodLimits in {path} cannot be used: {error}.") from None


def _used(course: Course, assignment: str) -> Iterable[str]:
    """What the assignment's own notebooks import."""
    notebooks = (course.source(assignment, name) for name in course.notebooks(assignment))
    cells = (cell for notebook in notebooks if notebook is not None for cell in notebook.cells)
    return preloads(cell.source for cell in cells if cell.cell_type == "code")

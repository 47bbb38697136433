"""Run a whole notebook: ordinary cells in the student's process, test cells in the judge, locked ones in both."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.judge.cells import (
    Guide,
    assigned,
    execution_counts,
    is_locked,
    is_test,
    later_cells_lean_on,
    public_part,
    set_attributes,
)
from autograder.judge.failures import TRACEBACK
from autograder.judge.files import Scratch
from autograder.judge.link import GRACE, Link
from autograder.judge.namespace import Mirror, Namespace
from autograder.judge.shell import Output, Shell
from autograder.judge.wire import Channel, Misbehaved, Overdue

#: A test cell may take this many times as long as an ordinary one: every call into the other process costs a little.
TEST_PATIENCE = 3
ENDED, LATE, MISSING = "StudentProcessEnded", "CellTimeoutError", "NotAttempted"


@dataclass(frozen=True)
class Conducted:
    """What running a notebook gave.

    Attributes:
        outputs: for each cell its outputs, ready for a notebook file; empty for text.
        problems: what went wrong in the instructor's own cells, as sentences.
    """

    outputs: list[list[NotebookNode]]
    problems: list[str] = field(default_factory=list)


def conduct(
    cells: Sequence[NotebookNode],
    channel: Channel,
    *,
    reference: Sequence[NotebookNode] | None = None,
    interrupt: Callable[[], None] | None = None,
    seconds: float = 30.0,
    hidden: tuple[str, str] = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS"),
    skip: Collection[int] = (),
) -> Conducted:
    """Run `cells` in order and say what each of them put out.

    Args:
        cells: a submission whose test and locked cells are the instructor's, as after nbgrader's `OverwriteCells`.
        channel: leads to `autograder.judge.agent.serve` in the student's process.
        reference: the instructor's notebook. Names that it imports are the judge's own; without it only those are that
            usually stand for a library.
        interrupt: interrupts the student's process.
        seconds: on the clock, for each ordinary cell.
        hidden: what marks the lines that students must not see.
        skip: places of cells that are left out; of a test, what later cells lean on is run all the same.
    """
    guide = Guide.read(reference) if reference is not None else Guide.by_convention()
    conductor = Conductor(Link(channel, interrupt), guide, seconds, hidden)
    try:
        return conductor.run(cells, skip)
    finally:
        conductor.close()


class Conductor:
    """The judge's memory while one notebook runs."""

    def __init__(self, link: Link, guide: Guide, seconds: float, hidden: tuple[str, str]) -> None:
        self._link, self._guide, self._seconds, self._hidden = link, guide, seconds, hidden
        self._namespace = Namespace(link, guide.imports, guide.answers)
        self._shell = Shell(self._namespace)
        self._problems: list[str] = []

    def run(self, cells: Sequence[NotebookNode], skip: Collection[int] = ()) -> Conducted:
        """Run every cell but those at the places `skip`."""
        outputs: list[list[NotebookNode]] = []
        for place, (cell, count) in enumerate(zip(cells, execution_counts(cells), strict=True)):
            if cell.cell_type != "code":
                found: list[Output] = []
            elif is_test(cell) and cell.metadata.nbgrader["grade_id"] not in self._guide.in_kernel:
                found = self._judged(cell) if place not in skip else []
                self._let_later_cells_lean(cell, cells[place + 1 :])
            elif place in skip:
                found = []
            else:
                found = self._students(cell.source)
                if is_locked(cell):
                    self._helper(cell)
            outputs.append([_node(output, count) for output in found])
        return Conducted(outputs, self._problems)

    def close(self) -> None:
        """End the conversation and leave the process as it was."""
        self._link.close()
        self._shell.close()

    def _students(self, source: str) -> list[Output]:
        """What a cell puts out in the student's process."""
        self._link.deadline = time.monotonic() + self._seconds
        try:
            match self._link.ask("execute", source):
                case (list(outputs), bool()):
                    return [_checked(output) for output in outputs]
            return [_error(ENDED, "The student's process did not say what the cell put out.")]
        except Overdue:
            return [_error(LATE, f"The cell was stopped after {self._seconds:g} seconds.")]
        except Misbehaved as error:
            return [_error(ENDED, str(error))]
        except Exception as error:  # whatever a forged answer may raise here
            return [_error(ENDED, f"The student's process answered with {type(error).__name__}.")]
        finally:
            self._link.deadline = None

    def _judged(self, cell: NotebookNode) -> list[Output]:
        """What a test cell puts out in the judge."""
        if self._link.end:
            return [_error(ENDED, self._link.end)]
        for name in self._guide.rebound.get(cell.metadata.nbgrader["grade_id"], ()):
            self._namespace.pop(name, None)
        limit = self._seconds * TEST_PATIENCE
        outputs, error = self._in_judge(cell.source, limit)
        if self._link.end:
            return [_error(ENDED, self._link.end)]
        if isinstance(error, Overdue):
            return [_error(LATE, f"The test was stopped after {limit:g} seconds.")]
        told = [self._told(output, error) for output in outputs]
        if error is not None and all(output["output_type"] != "error" for output in told):
            told.append(_error(type(error).__name__, ""))  # whatever came in the way of showing it: it earns nothing
        return told

    def _in_judge(self, source: str, limit: float) -> tuple[list[Output], BaseException | None]:
        self._namespace.undefined.clear()
        rebound = assigned(source) & self._guide.functions
        mirror = Mirror(self._link, self._namespace, set_attributes(source), rebound)
        self._link.deadline = deadline = time.monotonic() + limit
        try:
            with Scratch(self._link) as scratch, _alarm(limit):
                self._link.before, self._link.after = [mirror.refresh, scratch.send], [scratch.fetch]
                outputs, failure = self._shell.execute(source)
                if time.monotonic() >= deadline:  # a test may have caught the exception, and gone on
                    raise Overdue("The test took too long.")
                return outputs, failure
        except Overdue as error:
            return [], error
        finally:
            mirror.undo()
            self._link.before, self._link.after = [], []
            self._link.deadline = time.monotonic() + GRACE
            self._namespace.settle()
            try:
                self._link.settle()
            except Exception as problem:
                self._link.end = self._link.end or str(problem)
            self._link.deadline = None

    def _told(self, output: Output, error: BaseException | None) -> Output:
        """An output of a test cell in the words that a student understands; stderr costs no marks."""
        if output["output_type"] == "stream":
            return {**output, "name": "stdout"}
        if output["output_type"] != "error":
            return output
        name = getattr(error, "name", None)
        if isinstance(error, NameError) and name in self._namespace.undefined:
            return _error(MISSING, f"The name {name} is not defined: the exercise was not attempted.")
        if trace := getattr(error, "__dict__", {}).get(TRACEBACK):
            return {**output, "traceback": [*output["traceback"], f"In the student's code:\n{trace}"]}
        return output

    def _helper(self, cell: NotebookNode) -> None:
        """Run a locked cell in the judge too, so that tests have what it defines from the instructor."""
        if self._link.end:
            return
        _, error = self._in_judge(cell.source, self._seconds)
        if error is not None:
            name = cell.metadata.nbgrader["grade_id"]
            what = f"{type(error).__name__}: {error}"
            self._problems.append(f"The locked cell {name} cannot run outside the student's process: {what}.")

    def _let_later_cells_lean(self, cell: NotebookNode, later: Sequence[NotebookNode]) -> None:
        """Run the part of a test that students see in their process too, where its names are used further on."""
        public = public_part(cell.source, *self._hidden)
        sources = [other.source for other in later if other.cell_type == "code" and not is_test(other)]
        if not self._link.end and later_cells_lean_on(public, sources):
            self._students(public)


def _checked(output: Any) -> Output:
    """An output that the student's process told of, if a notebook file may hold it."""
    text = {"stream": ("name", "text"), "error": ("ename", "evalue"), "display_data": (), "execute_result": ()}
    try:
        kind = output["output_type"]
        json.dumps(output, allow_nan=False).encode()
        right = type(output) is dict and all(type(output[name]) is str for name in text[kind])
        if kind == "error":
            right = right and type(output["traceback"]) is list and all(type(t) is str for t in output["traceback"])
        elif kind != "stream":
            right = right and type(output["data"]) is dict and type(output["metadata"]) is dict
        if right and output.get("name") in (None, "stdout", "stderr"):
            return dict(output)
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    return {"output_type": "stream", "name": "stdout", "text": "[An output that no notebook may hold.]\n"}


def _node(output: Output, count: int) -> NotebookNode:
    keep = {"output_type", "name", "text", "data", "metadata", "ename", "evalue", "traceback"}
    about = {key: value for key, value in output.items() if key in keep}
    if output["output_type"] == "execute_result":
        about["execution_count"] = count
    node: NotebookNode = nbformat.from_dict(about)
    return node


def _error(name: str, text: str) -> Output:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `Overdue` in the body after `seconds`: a student's endless iterator must not hold the judge."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        raise Overdue("The test took too long.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.stdout.flush()

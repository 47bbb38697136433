"""Run a unit's cells and checks without a notebook server, many times and fast, for the gate.

A child process is forked for every run, so that no run sees what another left behind. The cells are executed in order
in one namespace, as a kernel would; the checks of an exercise run where its check cell stands.
"""

from __future__ import annotations

import ast
import linecache
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from autograder.authoring.catalog import Catalog
from autograder.authoring.lesson import Cell, Kind, stub_of
from autograder.authoring.mutants import Mutant
from autograder.authoring.notebook import build_sidecar
from autograder.authoring.spoilers import Spoiler, defined
from autograder.authoring.unit import Unit
from autograder.environment import die_with_parent
from autograder.errors import UstodError
from autograder.student.protocol import Check
from autograder.student.running import Outcome, State, run_check
from autograder.student.sidecar import SIDECAR

T = TypeVar("T")

#: A mutant that never ends is stopped after this many times what the reference took for the check, and this at least.
MUTANT_PATIENCE, MUTANT_SECONDS = 10.0, 2.0
#: A whole run is killed after this many times its budget, and a minute in which it may begin.
RUN_PATIENCE, BEGINNING = 5, 60.0


@dataclass
class Rehearsal:
    """What happened in one run of a unit.

    Attributes:
        outcomes: for each seed, the outcome of every hidden check by name.
        public: the outcome of every public check by name.
        errors: cells that raised, as "cell on line N: …".
        seconds: the longest time of each check, in CPU seconds.
        cpu_seconds: of the whole run, with one seed's checks.
        peak_mb: resident memory at its highest.
    """

    outcomes: dict[int, dict[str, Outcome]] = field(default_factory=dict)
    public: dict[str, Outcome] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0

    def scores(self) -> dict[str, list[float]]:
        """For each exercise's check its scores, one a seed."""
        return {
            name: [outcomes[name].score for outcomes in self.outcomes.values()]
            for name in next(iter(self.outcomes.values()), {})
        }


def rehearse(unit: Unit, answers: Mapping[str, str], seeds: Sequence[int]) -> Rehearsal:
    """Run the reference with `answers` in place of some of its exercises, and the hidden checks once a seed."""
    return in_child(lambda: _run(unit, answers, seeds), _run_patience(unit))


def left_behind(unit: Unit, names: Sequence[str]) -> dict[str, Any]:
    """What the reference's notebook has under each of `names` when it has run from top to bottom; plain data.

    Raises:
        UstodError: if a cell fails, or there is no such name.
    """

    def work() -> dict[str, Any]:
        notebook = _Notebook(unit)
        errors = [error for cell in _answered(unit, {}) if (error := notebook.execute(cell))]
        notebook.close()
        errors += [f"there is no {name}" for name in names if name not in notebook.namespace]
        if errors:
            raise UstodError(f"The reference of {unit.name} does not run: {'; '.join(errors)}.")
        return {name: notebook.namespace[name] for name in names}

    return in_child(work, _run_patience(unit))


def untouched(unit: Unit) -> dict[str, str]:
    """The answers of a learner who has not begun."""
    return {name: stub_of(source) for name, source in unit.lesson.reference.items()}


def warm_up(unit: Unit) -> None:
    """Import here what the unit imports, so that the children need not."""
    sources = [cell.source for cell in unit.lesson.cells if cell.kind is not Kind.PROSE] + [unit.checks_source]
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                exec(compile(ast.Module([node], []), "<warm-up>", "exec"), {})


def kill_mutants(unit: Unit, candidates: Sequence[Mutant], seconds: Mapping[str, float]) -> list[str]:
    """Which of `candidates` fail no check, by description.

    The reference runs up to each exercise once; every mutant of it goes on from there in a child of its own.

    Args:
        seconds: how long each check takes on the reference, from a `Rehearsal`.
    """
    limit = _run_patience(unit) + 30 * len(candidates)
    return in_child(lambda: _survivors(unit, candidates, _patience(unit, seconds)), limit)


def find_spoilable(unit: Unit, seconds: Mapping[str, float]) -> list[str]:
    """The hidden checks that pay a reference which empties what it is given, each as ``exercise: function: check``.

    Args:
        seconds: how long each check takes on the reference, from a `Rehearsal`.
    """
    functions = sum(len(defined(source)) for source in unit.lesson.reference.values())
    limit = _run_patience(unit) * (1 + functions)
    return in_child(lambda: _spoilable(unit, _patience(unit, seconds)), limit)


def _run_patience(unit: Unit) -> float:
    return unit.about.budget.cpu_minutes * 60 * RUN_PATIENCE + BEGINNING


def in_child(work: Callable[[], T], limit: float) -> T:
    """The result of `work`, done in a forked child that is killed after `limit` seconds.

    Raises:
        UstodError: where a process cannot fork (Windows), or if the child dies.
    """
    if not hasattr(os, "fork"):
        raise UstodError("Verifying a unit needs Linux or macOS; on Windows run it in WSL.")
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(work, theirs))
    child.start()
    theirs.close()
    try:
        if not ours.poll(limit):
            raise UstodError(f"A run was stopped after {limit:.0f} seconds; look for a cell that never ends.")
        kind, value = ours.recv()
    except EOFError:
        child.join()
        raise UstodError(f"A run died with exit code {child.exitcode}; it may have run out of memory.") from None
    finally:
        child.kill()
        child.join()
        ours.close()
    if kind == "error":
        raise UstodError(value)
    result: T = value
    return result


def _send(work: Callable[[], object], pipe: Connection) -> None:
    die_with_parent()
    try:
        message = ("done", work())
    except BaseException:
        message = ("error", traceback.format_exc())
    pipe.send(message)
    pipe.close()
    os._exit(0)  # no exit handlers of libraries that the parent imported


class _Notebook:
    """A namespace in which cells are executed, in a folder of its own."""

    def __init__(self, unit: Unit) -> None:
        os.environ["MPLBACKEND"] = "Agg"
        self.unit = unit
        self.module = ModuleType("__main__")
        sys.modules["__main__"] = self.module
        self.folder = tempfile.TemporaryDirectory(prefix="ustod-")
        os.chdir(self.folder.name)
        sidecar = build_sidecar(unit, Catalog("en", {}), "class")
        Path(SIDECAR).write_text(sidecar.to_json(), encoding="utf-8")
        nowhere = os.open(os.devnull, os.O_WRONLY)  # for the child's whole life: cells print, and so do libraries in C
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)

    @property
    def namespace(self) -> dict[str, Any]:
        return vars(self.module)

    def execute(self, cell: Cell) -> str:
        """Execute `cell`; what it raised, or an empty text."""
        name = f"<cell on line {cell.line}>"
        linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(keepends=True), name)
        try:
            exec(compile(cell.source, name, "exec"), self.namespace)
        except BaseException as error:
            return f"cell on line {cell.line}: {type(error).__name__}: {error}"
        return ""

    def public_checks(self, exercise: str) -> list[Check]:
        opened = self.namespace.get("check")
        found: list[Check] = opened.public_checks(exercise) if opened is not None else []
        return found

    def close(self) -> None:
        os.chdir("/")
        self.folder.cleanup()


def _answered(unit: Unit, answers: Mapping[str, str]) -> list[Cell]:
    cells = [cell for cell in unit.lesson.cells if cell.kind is not Kind.PROSE]
    return [
        replace(cell, source=answers[cell.exercise])
        if cell.kind is Kind.EXERCISE and cell.exercise in answers
        else cell
        for cell in cells
    ]


def _run(unit: Unit, answers: Mapping[str, str], seeds: Sequence[int]) -> Rehearsal:
    rehearsal = Rehearsal(outcomes={seed: {} for seed in seeds})
    notebook = _Notebook(unit)
    extra = 0.0  # CPU time of the checks beyond the first seed, which no learner spends
    for cell in _answered(unit, answers):
        if error := notebook.execute(cell):
            rehearsal.errors.append(error)
        if cell.kind is not Kind.CHECK:
            continue
        for check in notebook.public_checks(cell.exercise):
            rehearsal.public[check.name] = run_check(check, notebook.namespace, seeds[0])
        for number, seed in enumerate(seeds):
            for check in unit.checks:
                if check.exercise == cell.exercise:
                    before = time.process_time()
                    rehearsal.outcomes[seed][check.name] = run_check(check, notebook.namespace, seed)
                    took = time.process_time() - before
                    rehearsal.seconds[check.name] = max(took, rehearsal.seconds.get(check.name, 0))
                    extra += took if number else 0
    usage = resource.getrusage(resource.RUSAGE_SELF)
    rehearsal.cpu_seconds = usage.ru_utime + usage.ru_stime - extra
    rehearsal.peak_mb = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    notebook.close()
    return rehearsal


def _patience(unit: Unit, seconds: Mapping[str, float]) -> dict[str, float]:
    return {check.name: max(MUTANT_SECONDS, MUTANT_PATIENCE * seconds.get(check.name, 0)) for check in unit.checks}


def _survivors(unit: Unit, candidates: Sequence[Mutant], patience: Mapping[str, float]) -> list[str]:
    notebook = _Notebook(unit)
    cells = _answered(unit, {})
    survivors = []
    for position, cell in enumerate(cells):
        if cell.kind is Kind.EXERCISE:
            for mutant in (candidate for candidate in candidates if candidate.exercise == cell.exercise):
                mutated = [replace(cell, source=mutant.source), *cells[position + 1 :]]
                if not _is_killed(notebook, mutated, patience):
                    survivors.append(mutant.description)
        notebook.execute(cell)
    notebook.close()
    return survivors


def _is_killed(notebook: _Notebook, cells: Sequence[Cell], patience: Mapping[str, float]) -> bool:
    limit = 60 + 4 * sum(patience.values())
    try:
        return in_child(lambda: any(_fails(notebook, cell, patience) for cell in cells), limit)
    except UstodError:
        return True  # the mutant killed its process or never ended: a learner would see that too


def _fails(notebook: _Notebook, cell: Cell, patience: Mapping[str, float]) -> bool:
    """Execute `cell`; whether a check of the exercise, if it is a check cell, finds the answer wanting."""
    notebook.execute(cell)
    if cell.kind is not Kind.CHECK:
        return False
    hidden: Iterable[Check] = (check for check in notebook.unit.checks if check.exercise == cell.exercise)
    for check in (*notebook.public_checks(cell.exercise), *hidden):
        limited = replace(check, seconds=patience.get(check.name, MUTANT_SECONDS))
        if run_check(limited, notebook.namespace, seed=0).state not in (State.RIGHT, State.FAULT):
            return True
    return False


def _spoilable(unit: Unit, patience: Mapping[str, float]) -> list[str]:
    notebook = _Notebook(unit)
    cells = _answered(unit, {})
    found: set[str] = set()
    for position, cell in enumerate(cells):
        notebook.execute(cell)
        if cell.kind is Kind.EXERCISE:
            rest = cells[position + 1 :]
            up_to_check = rest[
                : [(other.kind, other.exercise) for other in rest].index((Kind.CHECK, cell.exercise)) + 1
            ]
            for name in defined(cell.source):
                for depth in (0, 1):
                    paid = _paid(notebook, name, depth, up_to_check, patience)
                    found |= {f"{cell.exercise}: {name}: {check}" for check in paid}
    notebook.close()
    return sorted(found)


def _paid(
    notebook: _Notebook, name: str, depth: int, cells: Sequence[Cell], patience: Mapping[str, float]
) -> list[str]:
    """The hidden checks that give points although the function `name` spoiled arguments of theirs."""

    def work() -> list[str]:
        spoiler = Spoiler(depth)
        notebook.namespace[name] = spoiler.around(notebook.namespace[name])
        for cell in cells:
            notebook.execute(cell)
        found = []
        for check in notebook.unit.checks:
            if check.exercise == cells[-1].exercise:
                before = spoiler.times
                outcome = run_check(replace(check, seconds=patience[check.name]), notebook.namespace, seed=0)
                if spoiler.times > before and outcome.score:
                    found.append(check.name)
        return found

    try:
        return in_child(work, 60 + 4 * sum(patience.values()))
    except UstodError:
        return []  # it killed its process, or never ended

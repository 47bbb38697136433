"""`ustod grade`: plan, run in parallel, record one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import get_context
from typing import TYPE_CHECKING

from autograder.environment import die_with_parent
from autograder.errors import UstodError
from autograder.files import write_text
from autograder.grading.course import Course
from autograder.grading.plan import Task, plan
from autograder.grading.record import record
from autograder.grading.run import Result, run

if TYPE_CHECKING:  # the sandbox is made of parts that Linux alone has
    from autograder.grading.execution import Execution


class Isolation(StrEnum):
    """What stands between a student's code and the grader.

    Attributes:
        SANDBOX: a sandbox, and another process for the tests.
        PROCESS: another process for the tests only; the student's code can do whatever this user can.
        NONE: nothing, as in nbgrader itself: for one's own notebooks, on any system.
    """

    SANDBOX = "sandbox"
    PROCESS = "process"
    NONE = "none"


@dataclass(frozen=True)
class Grading:
    """What one call of `grade` did.

    Attributes:
        graded: students whose submission was run and recorded now.
        unchanged: students whose recorded result still holds.
        problems: a sentence for each student whose submission could not be graded.
        notes: what the instructor should know about the assignment's own cells, as sentences.
    """

    assignment: str
    graded: list[str]
    unchanged: list[str]
    problems: dict[str, str]
    notes: list[str] = field(default_factory=list)


def grade(
    course: Course,
    assignment: str,
    students: Iterable[str] | None = None,
    *,
    workers: int = 2,
    force: bool = False,
    isolation: Isolation = Isolation.SANDBOX,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Grading:
    """Grade the submissions of `assignment` into ``autograded/`` and the gradebook.

    One submission that cannot be graded never stops the others; its sentence is in the result and in
    ``problems.json`` in the course.

    Raises:
        UstodError: if there is nothing to grade, or if this machine cannot isolate the students' code.
    """
    everybody = course.students_with(assignment)
    chosen = sorted(set(students)) if students is not None else everybody
    if absent := [student for student in chosen if student not in everybody]:
        raise UstodError(f"The student {absent[0]} has no submission of {assignment} in {course.root}/submitted.")
    if not chosen:
        raise UstodError(f"There is no submission of {assignment} in {course.root}/submitted; see ustod collect.")
    tasks = plan(course, assignment, chosen, force=force)
    problems: dict[str, str] = {}
    graded: list[str] = []
    notes: set[str] = set()
    progress(0, len(tasks))
    execution = _execution(course, assignment, isolation) if tasks else None
    for done, result in enumerate(_results(tasks, execution, workers), 1):
        notes.update(result.notes)
        if problem := result.problem or _record(result):
            problems[result.task.student] = problem
        else:
            graded.append(result.task.student)
        progress(done, len(tasks))
    _write_problems(course, assignment, chosen, problems)
    planned = {task.student for task in tasks}
    unchanged = [student for student in chosen if student not in planned]
    return Grading(assignment, sorted(graded), unchanged, problems, sorted(notes))


def _execution(course: Course, assignment: str, isolation: Isolation) -> Execution | None:
    if isolation is Isolation.NONE:
        return None
    from autograder.grading.execution import Execution

    return Execution.of(course, assignment, sandboxed=isolation is Isolation.SANDBOX)


@contextmanager
def local_pool(workers: int) -> Iterator[Executor]:
    """Worker processes on this machine; each starts clean, since nbgrader changes a process's working folder."""
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=die_with_parent) as pool:
        yield pool


def _results(tasks: Collection[Task], execution: Execution | None, workers: int) -> Iterator[Result]:
    """The result of every task. One that kills its worker breaks the pool for others, so those are run again alone."""
    broken: list[Task] = []
    with local_pool(max(1, min(workers, len(tasks)))) as pool:
        futures = {pool.submit(run, task, execution): task for task in tasks}
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                broken.append(futures[future])
    for task in broken:
        with local_pool(1) as pool:
            try:
                yield pool.submit(run, task, execution).result()
            except BrokenProcessPool:
                sentence = f"The submission {task.submitted} killed the process that graded it; look into its notebook."
                yield Result(task, problem=sentence)


def _record(result: Result) -> str:
    """Record `result`; a sentence if that is not possible."""
    try:
        record(result)
    except Exception as error:
        return f"The result of {result.task.submitted} could not be recorded: {type(error).__name__}: {error}"
    return ""


def _write_problems(course: Course, assignment: str, chosen: Iterable[str], problems: dict[str, str]) -> None:
    path = course.root / "problems.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    others = {student: problem for student, problem in known.get(assignment, {}).items() if student not in chosen}
    known[assignment] = others | problems
    if any(known.values()) or path.is_file():
        write_text(path, json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n")

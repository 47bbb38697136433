"""`ustod grade`: plan, run in parallel, record one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.grading.course import Course
from autograder.grading.plan import Task, plan
from autograder.grading.record import record
from autograder.grading.run import Result, run


@dataclass(frozen=True)
class Grading:
    """What one call of `grade` did.

    Attributes:
        graded: students whose submission was run and recorded now.
        unchanged: students whose recorded result still holds.
        problems: a sentence for each student whose submission could not be graded.
    """

    assignment: str
    graded: list[str]
    unchanged: list[str]
    problems: dict[str, str]


def grade(
    course: Course,
    assignment: str,
    students: Iterable[str] | None = None,
    *,
    workers: int = 2,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Grading:
    """Grade the submissions of `assignment` into ``autograded/`` and the gradebook.

    One submission that cannot be graded never stops the others; its sentence is in the result and in
    ``problems.json`` in the course.

    Raises:
        UstodError: if there is nothing to grade.
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
    progress(0, len(tasks))
    with local_pool(workers) as pool:
        for done, result in enumerate(_results(pool, tasks), 1):
            if result.problem:
                problems[result.task.student] = result.problem
            else:
                record(result)
                graded.append(result.task.student)
            progress(done, len(tasks))
    _write_problems(course, assignment, problems)
    planned = {task.student for task in tasks}
    return Grading(assignment, sorted(graded), [s for s in chosen if s not in planned], problems)


@contextmanager
def local_pool(workers: int) -> Iterator[Executor]:
    """Worker processes on this machine; each starts clean, since nbgrader changes a process's working folder."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool


def _results(pool: Executor, tasks: Iterable[Task]) -> Iterator[Result]:
    futures = {pool.submit(run, task): task for task in tasks}
    for future in as_completed(futures):
        try:
            yield future.result()
        except BrokenProcessPool:
            sentence = "A worker process died while it was graded; grade again, and look at this submission first."
            yield Result(futures[future], problem=sentence)


def _write_problems(course: Course, assignment: str, problems: dict[str, str]) -> None:
    path = course.root / "problems.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known[assignment] = problems
    if any(known.values()) or path.is_file():
        write_text(path, json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n")

"""`ustod grade`: plan, run in parallel, record one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from autograder.audit.watch import notice
from autograder.errors import UstodError, one_line
from autograder.files import needs_room, write_bytes
from autograder.grading.course import Course
from autograder.grading.executors import LocalPool, Workers, cluster, spread
from autograder.grading.journal import others_may_read
from autograder.grading.plan import Task, plan
from autograder.grading.record import record
from autograder.grading.run import Result, run
from autograder.grading.turn import running_folder, turn

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
    scheduler: str | None = None,
    force: bool = False,
    isolation: Isolation = Isolation.SANDBOX,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Grading:
    """Grade the submissions of `assignment` into ``autograded/`` and the gradebook.

    One submission that cannot be graded never stops the others; its sentence is in the result and in
    ``problems.json`` in the course.

    Args:
        workers: processes on this machine.
        scheduler: the address of a Dask scheduler whose workers are to be used instead.

    Raises:
        UstodError: if there is nothing to grade, if the machine that is to run the students' code cannot isolate it,
            if the cluster cannot do the work, if another grader is at work in the course, or if its disk is full.
    """
    everybody = course.students_with(assignment)
    chosen = sorted(set(students)) if students is not None else everybody
    if absent := [student for student in chosen if student not in everybody]:
        raise UstodError(f"The student {absent[0]} has no submission of {assignment} in {course.root}/submitted.")
    if not chosen:
        raise UstodError(f"There is no submission of {assignment} in {course.root}/submitted; see ustod collect.")
    reading = others_may_read(course.directory.db_url, elsewhere=scheduler is not None)
    with needs_room(course.root, course.gradebook_folder), turn(course), reading:
        with course.gradebook() as gradebook:
            notice(gradebook.db(), assignment)
        tasks = plan(course, assignment, chosen, force=force)
        problems = {task.student: one_line(task.problem) for task in tasks if task.problem}
        graded: list[str] = []
        notes: set[str] = set()
        progress(len(problems), len(tasks))
        good = [task for task in tasks if not task.problem]
        if good:
            execution = _execution(course, assignment, isolation, tried_here=scheduler is None)
            work = partial(run, execution=execution)
            with _hired(min(workers, len(good)), scheduler, course, execution) as hired:
                for done, result in enumerate(spread(work, good, hired, _killed), 1 + len(problems)):
                    notes.update(result.notes)
                    if problem := result.problem or _record(result):
                        problems[result.task.student] = one_line(problem)
                    else:
                        graded.append(result.task.student)
                    progress(done, len(tasks))
        _write_problems(course, assignment, chosen, problems)
        planned = {task.student for task in tasks}
        unchanged = [student for student in chosen if student not in planned]
        return Grading(assignment, sorted(graded), unchanged, problems, sorted(notes))


def _execution(course: Course, assignment: str, isolation: Isolation, *, tried_here: bool) -> Execution | None:
    if isolation is Isolation.NONE:
        return None
    from autograder.grading.execution import Execution

    execution = Execution.of(course, assignment, sandboxed=isolation is Isolation.SANDBOX)
    if tried_here:
        execution.check()
    return execution


@contextmanager
def _hired(processes: int, scheduler: str | None, course: Course, execution: Execution | None) -> Iterator[Workers]:
    if scheduler is not None:
        with cluster(scheduler, course, execution) as hired:
            yield hired
    elif execution is None:
        with LocalPool(processes, running_folder(course)) as pool:
            yield pool
    else:
        from autograder.grading.execution import Warmth

        with Warmth(execution) as warmth, LocalPool(processes, running_folder(course), warmth) as pool:
            yield pool


def _killed(task: Task) -> Result:
    sentence = f"The submission {task.submitted} killed the process that graded it; look into its notebook."
    return Result(task, problem=sentence)


def _record(result: Result) -> str:
    """Record `result`; a sentence if that is not possible. A full disk stops the run: it would fail for all others."""
    try:
        with needs_room(result.task.course.root, result.task.course.gradebook_folder):
            record(result)
    except UstodError:
        raise
    except Exception as error:
        return f"The result of {result.task.submitted} could not be recorded: {type(error).__name__}: {error}"
    return ""


def _write_problems(course: Course, assignment: str, chosen: Iterable[str], problems: dict[str, str]) -> None:
    path = course.root / "problems.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    others = {student: problem for student, problem in known.get(assignment, {}).items() if student not in chosen}
    known[assignment] = others | problems
    if any(known.values()):
        text = json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        write_bytes(path, text.encode("utf-8", "backslashreplace"))  # a name that is no text becomes an escape of JSON
    else:
        path.unlink(missing_ok=True)

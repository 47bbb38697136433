"""A large class: whether everybody is graded, how long it takes, and how much memory."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.commands import start
from benchmarks.course import NAME, Class
from benchmarks.figures import Section
from benchmarks.graders import Timing, agree, ustod_command

from autograder.authoring.agreement import read_scores
from autograder.errors import UstodError
from autograder.kernel.tree import descendants, processes, proportional_memory

#: Seconds between two looks at the grader's memory.
TICK = 1.0
NOTE_ON_MEMORY = (
    "Of the grader and all processes below it, learners' code included; a page shared by n processes counts one n-th "
    "for each. Looked at once a second."
)


def measure(made: Class, work: Path, what: str) -> Iterator[Section]:
    """Grade a large class once; `what` says what its notebooks are like."""
    course = made.hand_in(work / "crowd", made.students)
    timing, peak = _grade_and_watch(course)
    agree(made.expected(), read_scores(course, NAME))
    title = f"A class of {len(made.students)}, {what}"
    tenth = max(1, len(made.students) // 10)
    time_taken = Section("crowd", title, "seconds", "", "By two workers. Everybody was graded, and rightly.")
    time_taken.add("the whole class", timing.seconds)
    time_taken.add("until the first result", timing.results[0])
    time_taken.add("each of the first tenth", (timing.results[tenth] - timing.results[0]) / tenth)
    time_taken.add("each of the last tenth", (timing.results[-1] - timing.results[-1 - tenth]) / tenth)
    yield time_taken
    memory = Section("crowd-memory", f"{title}: memory", "MB", "", NOTE_ON_MEMORY)
    memory.add("peak", peak / 1e6)
    yield memory


def _grade_and_watch(course: Path) -> tuple[Timing, int]:
    """How long it took, and the greatest sum of memory in bytes."""
    command = ustod_command(course)
    began = time.time()
    peak = 0
    with start(command, course) as process:
        while True:
            try:
                said, complaint = process.communicate(timeout=TICK)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, proportional_memory(p.pid for p in descendants(process.pid, processes())))
    if process.returncode:
        raise UstodError(f"A class of many could not be graded: {(said + complaint)[-2000:]}")
    return Timing.since(began, course), peak

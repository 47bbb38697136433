"""Submissions a minute: Ustod, stock nbgrader and otter, in turn, on the same submissions."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.course import HEAVY_ASSIGNMENT, NAME, Class, make_class
from benchmarks.figures import STOCK, Section
from benchmarks.graders import Timing, agree, grade_with_nbgrader, grade_with_ustod
from benchmarks.otter import VERSION, OtterAssignment

from autograder.authoring.agreement import read_scores

#: Tells who watches what goes on.
Say = Callable[[str], None]
OURS = "Ustod, two workers"
STARTED = "Ustod, once started"
OTTER = "otter run"
NOTE = (
    "Notebooks of 17 cells that import torch, transformers and datasets. Ustod grades {} of them with one command; its "
    "start-up is included, or else left out together with the first two submissions. Stock nbgrader grades a block of "
    "{} with one command, of which everything up to the first result is left out. Otter {} needs a command for each. "
    "All scores were the right ones."
)
NOTE_ON_START_UP = "From the start of the same commands until the first submission was graded, which is included."


def measure(made: Class, otter: OtterAssignment, work: Path, *, rounds: int, block: int, say: Say) -> Iterator[Section]:
    """In each round Ustod grades the whole class, and each of the others the next `block` of students."""
    size = len(made.students)
    speed = Section("throughput", "Grading a class", "submissions a minute", STOCK, NOTE.format(size, block, VERSION))
    start = Section("start-up", "Until the first result", "seconds", STOCK, NOTE_ON_START_UP)
    for number in range(rounds):
        some = block_of(made.students, number, block)
        ours = grade_class(made, work / f"ours-{number}")
        stock = _grade_with_stock(made, work / f"stock-{number}", some)
        theirs = otter.grade(some)
        agree(made.expected(some), otter.scores(some))
        for row, each in (
            (STOCK, stock.each()),
            (OURS, ours.seconds / size),
            (STARTED, ours.each(beside=2)),
            (OTTER, theirs / len(some)),
        ):
            speed.add(row, 60 / each)
        for row, first in ((STOCK, stock.results[0]), (OURS, ours.results[0]), (OTTER, theirs / len(some))):
            start.add(row, first)
        say(f"round {number + 1}: " + ", ".join(f"{row} {samples[-1]:.1f}" for row, samples in speed.samples.items()))
    yield speed
    yield start


def grade_class(made: Class, course: Path, *options: str) -> Timing:
    """Have Ustod grade the whole class in a new course directory.

    Raises:
        UstodError: if a score is not the right one.
    """
    timing = grade_with_ustod(made.hand_in(course, made.students), *options)
    agree(made.expected(), read_scores(course, NAME))
    return timing


def _grade_with_stock(made: Class, course: Path, students: Sequence[str]) -> Timing:
    timing = grade_with_nbgrader(made.hand_in(course, students))
    agree(made.expected(students), read_scores(course, NAME))
    return timing


def block_of(students: Sequence[str], number: int, size: int) -> list[str]:
    """The `number`-th block of students, round and round."""
    return [students[index % len(students)] for index in range(number * size, (number + 1) * size)]


def main() -> None:
    """``python -m benchmarks.throughput``: Ustod and stock nbgrader alone, to look at while working on the grader."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--size", type=int, default=20, help="submissions that Ustod grades")
    parser.add_argument("--stock", type=int, default=2, help="those that stock nbgrader grades: two at least, or 0")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="leave an ungraded course here, to profile `ustod grade` on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ustod-bench-") as folder:
        work = Path(folder)
        made = make_class(work / "class", HEAVY_ASSIGNMENT, options.size)
        if options.keep:
            made.hand_in(options.keep, made.students)
        for number in range(options.rounds):
            ours = grade_class(made, work / f"ours-{number}", "--workers", str(options.workers))
            print(
                f"ustod: {60 * options.size / ours.seconds:.1f} a minute; {options.size} in {ours.seconds:.2f} s, the "
                f"first after {ours.results[0]:.2f} s, then {ours.each(options.workers):.3f} s for each"
            )
            if options.stock:
                few = made.students[: options.stock]
                each = _grade_with_stock(made, work / f"stock-{number}", few).each()
                print(f"stock: {60 / each:.1f} a minute; ratio {each * options.size / ours.seconds:.1f}")


if __name__ == "__main__":
    main()

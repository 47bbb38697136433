"""``python -m benchmarks``: measure, print the table, and write it with its plot to a folder."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import crowd, kernels, regrade, scaling, throughput
from benchmarks.course import HEAVY_ASSIGNMENT, LIGHT_ASSIGNMENT, Assignment, Class, make_class
from benchmarks.figures import Section
from benchmarks.otter import install_otter, make_otter_assignment
from benchmarks.report import Report, about_this_machine, load, markdown

from autograder.environment import work_offline
from autograder.errors import UstodError

PARTS = ("throughput", "kernels", "scaling", "regrade", "crowd")


def main() -> int:
    """Measure what is asked for; the exit code is 1 if something could not be, and what was before it is kept."""
    parser = _parser()
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {unknown.pop()}; the parts are {', '.join(PARTS)}")
    work_offline()
    report, failed = Report(about_this_machine(), [load()]), False
    try:
        with tempfile.TemporaryDirectory(prefix="ustod-bench-") as folder:
            for section in _sections(options, Path(folder)):
                report.sections.append(section)
    except UstodError as error:
        _say(str(error))
        failed = True
    report.load.append(load())
    report.write(options.out)
    print(markdown(report))
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without one")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where the table and the plot go")
    parser.add_argument("--size", type=int, default=50, help="submissions of the class")
    parser.add_argument("--rounds", type=int, default=3, help="of everything but kernels and the large class")
    parser.add_argument("--block", type=int, default=5, help="submissions a round of stock nbgrader and otter")
    parser.add_argument("--full", action="store_true", help="every grader grades every submission: as many rounds")
    parser.add_argument("--kernels", type=int, default=10, help="kernels of each kind")
    parser.add_argument("--crowd", type=int, default=1000, help="submissions of the large class")
    parser.add_argument("--crowd-stack", action="store_true", help="its notebooks import the stack too")
    return parser


def _sections(options: argparse.Namespace, work: Path) -> Iterator[Section]:
    """Measure the parts that were asked for."""
    parts = options.parts or PARTS
    many = -(-options.size // options.block) if options.full else options.rounds
    made = make_class(work / "class", HEAVY_ASSIGNMENT, options.size)
    if "throughput" in parts:
        _say("throughput: Ustod, stock nbgrader, otter")
        otter = make_otter_assignment(install_otter(options.out.absolute()), work / "otter", made)
        yield from throughput.measure(made, otter, work, rounds=many, block=min(options.block, options.size), say=_say)
    if "kernels" in parts:
        _say("kernels")
        yield from kernels.measure(options.kernels)
    if "scaling" in parts:
        _say("scaling, and the floor")
        yield from scaling.measure(made, work, options.rounds)
    if "regrade" in parts:
        _say("grading again")
        yield from regrade.measure(made, work, options.rounds)
    if "crowd" in parts:
        _say(f"a class of {options.crowd}")
        yield from crowd.measure(*_crowd(options, work))


def _crowd(options: argparse.Namespace, work: Path) -> tuple[Class, Path, str]:
    assignment: Assignment = HEAVY_ASSIGNMENT if options.crowd_stack else LIGHT_ASSIGNMENT
    kind = "the same notebooks" if options.crowd_stack else "notebooks of 7 cells in plain Python"
    return make_class(work / "crowd-class", assignment, options.crowd), work, kind


def _say(what: str) -> None:
    print(time.strftime("%H:%M:%S"), what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

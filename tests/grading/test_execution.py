"""A submission runs in a sandbox, or not at all, and may use what its course allows."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from grading.students import NAME

from autograder.errors import UstodError
from autograder.grading.course import open_course
from autograder.grading.engine import grade
from autograder.grading.execution import Execution
from autograder.kernel.limits import MIB, Limits

#: A namespace as in a container that may not make another: bubblewrap covers a part of /proc, so that Linux refuses the
#: child a /proc of its own, while the zygote starts.
CONTAINER = ["unshare", "--map-root-user", "--net"]


def set_limits(course: Path, lines: str) -> None:
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"\n{lines}\n")


def test_a_course_without_settings_has_the_usual_limits(small_course):
    assert Execution.of(open_course(small_course), NAME).limits == Limits()


def test_an_instructor_sets_the_limits_of_a_course(small_course):
    set_limits(small_course, "c.UstodLimits.memory = 4 * 2**30\nc.UstodLimits.wall = None")
    assert Execution.of(open_course(small_course), NAME).limits == Limits(memory=4 << 30, wall=float("inf"))


def test_a_limit_that_cannot_be_is_refused_with_the_file_that_sets_it(small_course):
    set_limits(small_course, "c.UstodLimits.memory = '4 GB'")
    sentence = r"The setting c\.UstodLimits in .*nbgrader_config\.py cannot be used: the limit memory must be a whole n"
    with pytest.raises(UstodError, match=sentence):
        Execution.of(open_course(small_course), NAME)


def test_who_goes_beyond_a_limit_of_the_course_reads_which(small_course, hand_in):
    set_limits(small_course, f"c.UstodLimits.memory = {150 * MIB}")
    hoard = "hoard = []\nwhile True: hoard.append(bytearray(b'x' * (1 << 20)))"

    def add_a_cell(notebook):
        notebook.cells.append(nbformat.v4.new_code_cell(hoard))

    hand_in("anora", change=add_a_cell)
    grade(open_course(small_course), NAME, workers=1)
    written = (small_course / "autograded" / "anora" / NAME / f"{NAME}.ipynb").read_text("utf-8")
    assert "Your code used more than 150 MiB of memory" in written


def test_where_no_process_can_be_shut_in_nothing_is_graded(small_course, hand_in):
    hand_in("anora")
    line = [*CONTAINER, sys.executable, "-m", "autograder.cli", "grade", NAME, "--course", str(small_course)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("ustod: Learners' code cannot be shut in: ")
    assert not (small_course / "autograded").exists()
    assert not (small_course / "problems.json").exists()

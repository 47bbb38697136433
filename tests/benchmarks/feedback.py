"""How long feedback takes, beside nbgrader's own, for one graded class.

From the top of the checkout: PYTHONPATH=tests python -m benchmarks.feedback [COURSE]. Without a course it makes a class
of 200 in three units first, which takes minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder.grading.course import open_course

#: Submissions of each assignment that nbgrader makes pages for; it takes as long for each of them.
SAMPLE = 20
OURS = """
import sys
from pathlib import Path
from autograder.grading.course import open_course
from autograder.reports.feedback import write_feedback
course = open_course(Path(sys.argv[1]))
for name in sys.argv[2].split(","):
    written, failed = write_feedback(course, name, sys.argv[3:] or None)
    assert not failed or sys.argv[3:], failed
"""
#: As a course has it whose configuration says nothing of feedback.
NBGRADERS = """
import logging, sys
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
logging.disable(logging.CRITICAL)
api = NbGraderAPI(CourseDirectory(config=Config({"CourseDirectory": {"root": sys.argv[1]}})))
for name in sys.argv[2].split(","):
    for student in sys.argv[3:]:
        api.generate_feedback(name, student_id=student, force=True)
"""


def measured(program: str, course: Path, names: list[str], students: list[str]) -> tuple[float, float, float, int]:
    """Seconds on the clock, of the processor, MB at the most, and pages, of one run in a process of its own."""
    shutil.rmtree(course / "feedback", ignore_errors=True)
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    measure = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    command = [sys.executable, "-W", "ignore", "-c", program + measure, str(course), ",".join(names), *students]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=course)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pages = len(list((course / "feedback").glob("*/*/*.html")))
    return time.perf_counter() - start, cpu, int(done.stdout.split()[-1]) / 1024, pages


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("course", type=Path, nargs="?", help="the folder of a graded course; it is only read")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "course"
        if given.course is None:
            command = [sys.executable, "-m", "reports.classes", str(place.parent / "made")]
            subprocess.run(command, check=True, env=os.environ)
            shutil.move(place.parent / "made" / "course", place)
        else:
            shutil.copytree(given.course, place)
        (place / "nbgrader_config.py").unlink()
        course = open_course(place)
        with course.gradebook() as book:
            names = sorted(entry.name for entry in book.assignments)
            everybody = sorted(student.id for student in book.students)
        some = everybody[:SAMPLE]
        print("| what | pages | seconds | of the processor | a page | MB |\n|---|---|---|---|---|---|")
        for what, program, students in (
            ("nbgrader", NBGRADERS, some),
            ("Ustod, the same", OURS, some),
            ("Ustod, everybody", OURS, []),
            ("nbgrader again", NBGRADERS, some),
            ("Ustod, the same again", OURS, some),
        ):
            wall, cpu, memory, pages = measured(program, place, names, students)
            each = f"{1000 * cpu / pages:.1f} ms"
            print(f"| {what} | {pages} | {wall:.1f} | {cpu:.1f} | {each} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()

"""Grading again: when nothing has changed, and when one check has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
from benchmarks.commands import own, run
from benchmarks.course import NAME, NOTEBOOK, Class
from benchmarks.figures import Section
from benchmarks.graders import agree, grade_with_ustod

from autograder.authoring.agreement import read_scores
from autograder.errors import UstodError

FIRST = "first time"
NOTE = "A class of {}; the whole command, start-up included."


def measure(made: Class, work: Path, rounds: int) -> Iterator[Section]:
    """Grade a class, grade it again, change a check, and grade it once more.

    Raises:
        UstodError: if what has not changed is run again, or if the new check is not heeded.
    """
    section = Section("regrade", "Grading again", "seconds", FIRST, NOTE.format(len(made.students)))
    for number in range(rounds):
        course = made.hand_in(work / f"again-{number}", made.students)
        section.add(FIRST, grade_with_ustod(course).seconds)
        again = grade_with_ustod(course)
        if again.results:
            raise UstodError(
                f"{len(again.results)} submissions that had not changed were graded again; see the grader."
            )
        section.add("nothing has changed", again.seconds)
        change_a_check(course)
        section.add("one check has changed", grade_with_ustod(course).seconds)
        agree({student: score - 1 for student, score in made.expected().items()}, read_scores(course, NAME))
    yield section


def change_a_check(course: Path) -> None:
    """Let the instructor add an assertion, which no answer fulfils, to the last check, and release it."""
    path = course / "source" / NAME / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(path, 4)
    end = "### END HIDDEN TESTS"
    notebook.cells[-1].source = notebook.cells[-1].source.replace(
        end, f"assert softmax(x).dtype == torch.float64\n{end}"
    )
    nbformat.write(notebook, path)
    run([own("nbgrader"), "generate_assignment", NAME, "--force", "--log-level=ERROR"], course)

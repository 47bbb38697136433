"""Read scores back: from the gradebook by exercise, and from an autograded notebook by property."""

from __future__ import annotations

from dataclasses import dataclass

import nbformat

from autograder.grading.course import Course
from autograder.student.grade import MIME
from autograder.student.running import Outcome


@dataclass(frozen=True)
class Scored:
    """One graded cell of one submission.

    Attributes:
        cell: nbgrader's name of the cell.
        outcomes: what each property gave; empty for a cell that does not use checks.
        error: name and text of the error that ended the cell, if one did.
    """

    cell: str
    score: float
    points: float
    outcomes: tuple[Outcome, ...] = ()
    error: str = ""


def scores(course: Course, assignment: str, student: str) -> list[Scored]:
    """Every graded cell of the submission, in the order of the notebook, with the gradebook's score."""
    found = []
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission(assignment, student)
        for notebook in submission.notebooks:
            outputs = _outputs(course, assignment, student, notebook.name)
            by_name = {grade.cell.name: grade for grade in notebook.grades}
            ordered = [name for name in outputs if name in by_name] + sorted(by_name.keys() - outputs.keys())
            for name in ordered:
                outcomes, error = outputs.get(name, ((), ""))
                grade = by_name[name]
                found.append(Scored(name, grade.score, grade.max_score, outcomes, error))
    return found


def _outputs(course: Course, assignment: str, student: str, name: str) -> dict[str, tuple[tuple[Outcome, ...], str]]:
    path = course.folder("autograded", student, assignment) / f"{name}.ipynb"
    if not path.is_file():
        return {}
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        about = cell.metadata.get("nbgrader", {})
        if not about.get("grade"):
            continue
        outcomes: tuple[Outcome, ...] = ()
        error = ""
        for output in cell.get("outputs", []):
            if data := output.get("data", {}).get(MIME):
                outcomes = tuple(map(Outcome.from_dict, data["outcomes"]))
            if output.output_type == "error":
                error = f"{output.ename}: {output.evalue}".rstrip(": ")
        found[about["grade_id"]] = (outcomes, error)
    return found

"""A deliberately weak grader, so that the harness is seen to notice what goes wrong in one.

It executes a notebook in its own process, tests and answers in one namespace, and believes whatever comes out.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from attacks.graders import Grader

from autograder.grading.course import Course


def naive(course: Path, assignment: str, students: list[str]) -> None:
    """Grade `students` one after the other into ``autograded/`` and the gradebook."""
    for student in students:
        folder = course / "autograded" / student / assignment
        ignored = shutil.ignore_patterns("*.ipynb")
        shutil.copytree(course / "submitted" / student / assignment, folder)
        shutil.copytree(course / "source" / assignment, folder, ignore=ignored, dirs_exist_ok=True)
        os.chdir(folder)
        _grade(course, assignment, student, folder / f"{assignment}.ipynb")


def _grade(course: Path, assignment: str, student: str, path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    tests = _instructor_tests(course, assignment)
    names: dict[str, Any] = {"__name__": "__main__"}
    scores = {}
    for cell in notebook["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code":
            source, points = tests.get(about.get("grade_id"), (cell["source"], 0.0))
            score, printed = _execute("".join(source), names, points)
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": printed}]
            if points:
                scores[about["grade_id"]] = score
    path.write_text(json.dumps(notebook), encoding="utf-8")
    _record(course, assignment, student, scores)


def _instructor_tests(course: Path, assignment: str) -> dict[str, tuple[str, float]]:
    text = (course / "source" / assignment / f"{assignment}.ipynb").read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["metadata"].get("nbgrader", {}).get("grade")]
    about = [(cell["metadata"]["nbgrader"], cell["source"]) for cell in cells]
    return {cell["grade_id"]: (source, float(cell["points"])) for cell, source in about}


def _execute(source: str, names: dict[str, Any], points: float) -> tuple[float, str]:
    """The score of a cell, a number at its end being partial credit, and what it printed."""
    printed = StringIO()
    score = points
    with redirect_stdout(printed):
        try:
            tree = ast.parse(source)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "<cell>", "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
                with suppress(TypeError, ValueError):
                    score = min(float(value), points)
        except Exception as error:
            printed.write(repr(error))
            score = 0.0
    return score, printed.getvalue()


def _record(course: Path, assignment: str, student: str, scores: dict[str, float]) -> None:
    with Course(course).gradebook() as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(assignment, student)
        for grade in submission.notebooks[0].grades:
            grade.auto_score = scores.get(grade.name, 0.0)
            grade.needs_manual_grade = False
        gradebook.db.commit()


NAIVE = Grader("naive", naive, sandboxed=False)

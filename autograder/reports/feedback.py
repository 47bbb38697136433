"""`ustod feedback`: nbgrader's ``feedback/`` tree, without a line of a hidden check in it."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from nbgrader.apps import NbGraderAPI

from autograder.files import write_text
from autograder.grading.course import Course

#: The steps of nbgrader's feedback, with the one that takes hidden checks out.
STEPS = [
    "nbgrader.preprocessors.GetGrades",
    "autograder.reports.hiding.HideHiddenChecks",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]


def write_feedback(course: Course, assignment: str, students: list[str] | None = None) -> tuple[list[str], list[str]]:
    """Write the feedback pages of `students`, of everybody graded without them.

    Returns:
        For whom a page was written, and for whom not, with nbgrader's reason.
    """
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    course.config.GenerateFeedback.preprocessors = STEPS
    api = NbGraderAPI(course.directory, config=course.config)
    with course.gradebook() as gradebook:
        graded = [entry.student.id for entry in gradebook.assignment_submissions(assignment)]
    written, failed = [], []
    for student in students or sorted(graded):
        result = api.generate_feedback(assignment, student_id=student, force=True)
        if result["success"]:
            _keep_to_itself(course.folder("feedback", student, assignment))
            written.append(student)
        else:
            failed.append(f"{student}: {result.get('error') or result['log']}")
    return written, failed


def _keep_to_itself(folder: Path) -> None:
    """Take out of the pages in `folder` the scripts that they would ask the network for.

    nbgrader's template asks for MathJax whatever the configuration says; formulas stay readable as they were written.
    """
    for page in folder.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        write_text(page, re.sub(r'<script[^>]+src="https?://[^>]*>\s*</script>', "", text))

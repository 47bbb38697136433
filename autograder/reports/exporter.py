"""What `nbgrader generate_feedback`, and formgrader's button, write in a course that `ustod build` made: our pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert.exporters import Exporter

from autograder.errors import UstodError
from autograder.grading.course import Course
from autograder.reports.feedback import page_of
from autograder.reports.marks import marks


class FeedbackPage(Exporter):
    """For `GenerateFeedback.exporter_class`: from an autograded notebook to a page of feedback."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def from_filename(self, filename: str, resources: Any = None, **more: Any) -> tuple[Any, Any]:
        """The page of the notebook at `filename`, which `resources` says whose it is.

        Raises:
            UstodError: if the gradebook does not know it, or cannot be read.
        """
        about = resources["nbgrader"]
        converter: Any = self.parent
        course = Course(Path(converter.coursedir.root).resolve())
        entry = marks(course, about["assignment"], [about["student"]]).get(about["student"])
        if entry is None:
            raise UstodError(f"The submission {filename} is not in the gradebook; grade it first.")
        resources["output_extension"] = self.file_extension
        return page_of(course, about["assignment"], entry, about["notebook"]), resources

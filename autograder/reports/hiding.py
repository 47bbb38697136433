"""Take hidden checks out of what a learner is given back, where nbgrader itself makes the page.

Courses that were built before `autograder.reports.feedback` had pages of its own name this step in their configuration.
"""

from __future__ import annotations

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests
from nbgrader.utils import is_grade


class HideHiddenChecks(ClearHiddenTests):  # type: ignore[misc]
    """A step of nbgrader's feedback: hidden tests go from the cells, and their lines from the tracebacks.

    The traceback of a test cell quotes the lines around the one that failed, which nbgrader leaves in
    (nbgrader's issues 917 and 1363).
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        if is_grade(cell) and cell.cell_type == "code":
            for output in cell.outputs:
                if output.output_type == "error":
                    output.traceback = [f"{output.ename}: {output.evalue}".rstrip(": ")]
        cleared: tuple[NotebookNode, ResourcesDict] = super().preprocess_cell(cell, resources, cell_index)
        return cleared

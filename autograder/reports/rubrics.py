"""Rubrics in formgrader: at each cell that a person grades its criteria, to be chosen, and comments, to be taken."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from autograder.errors import UstodError
from autograder.student.texts import Texts

if TYPE_CHECKING:
    from autograder.gradebook.rubric import Rubric

#: In the resources of an export: what stands for which cell that was added here. Its key in a cell's metadata is a
#: number that no notebook can know beforehand.
SHOWN = "ustod_rubrics"

_HTML = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """<section class="ustod-rubric" data-cell="{{ cell }}" lang="{{ language }}" aria-label="{{ rubric }}">
{% if fault %}<p role="alert">{{ fault }}</p>{% endif %}
{% if criteria %}
<table class="table table-condensed">
<caption>{{ rubric }}</caption>
{% for criterion in criteria %}
<tr><th scope="row">{{ criterion.name }}</th>
<td>{% for level in criterion.levels %}
<button type="button" class="btn btn-default btn-xs" data-points="{{ level.points }}" aria-pressed="false">
{{ "%g"|format(level.points) }}: {{ level.text }}</button>
{% endfor %}</td></tr>
{% endfor %}
</table>
<p>{{ sum }}: <output>–</output> / {{ "%g"|format(most) }}</p>
{% endif %}
{% if comments %}
<details><summary>{{ choose }}</summary>
{% for comment in comments %}<button type="button" class="btn btn-default btn-xs" data-comment="{{ comment }}">
{{ comment }}</button>
{% endfor %}</details>
{% endif %}
</section>"""
)


class ShowRubrics(Preprocessor):
    """A step of formgrader's page: the rubric under each cell. Feedback and other exports stay as they are."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Put a cell after each that has a rubric or could take a comment from the bank."""
        if "submission_id" not in resources:
            return nb, resources
        from autograder.gradebook.rubric import read_rubric, rubric_file

        fault, rubric = "", None
        try:
            root = self.config.CourseDirectory.root
            rubric = read_rubric(rubric_file(Path(str(root)), str(resources.get("assignment_id", ""))))
        except UstodError as error:
            fault = str(error)
        if rubric is None and not fault:
            return nb, resources
        shown: dict[str, str] = resources.setdefault(SHOWN, {})
        cells = []
        for cell in nb.cells:
            cells.append(cell)
            html = _html_for(cell, rubric, fault)
            if html:
                token = secrets.token_hex(16)
                shown[token] = html
                cells.append(new_markdown_cell("", metadata={SHOWN: token}))
        nb.cells = cells
        return nb, resources


def rubric_of(context: Any) -> str | None:
    """The rubric that stands for the cell which a template is showing; None if that is an ordinary one."""
    cell: Any = context.get("cell", {})
    resources: Any = context.get("resources", {})
    token = cell.get("metadata", {}).get(SHOWN) if hasattr(cell, "get") else None
    shown: dict[str, str] = resources.get(SHOWN, {}) if hasattr(resources, "get") else {}
    return shown.get(token) if isinstance(token, str) else None


def _html_for(cell: NotebookNode, rubric: Rubric | None, fault: str) -> str:
    about = cell.metadata.get("nbgrader", {})
    name, by_person = about.get("grade_id", ""), about.get("task") or (about.get("grade") and about.get("solution"))
    if not by_person:
        return ""
    texts = Texts(rubric.language if rubric else "en")
    own = rubric.cells.get(name) if rubric else None
    comments = [*(own.comments if own else ()), *(rubric.comments if rubric else ())]
    if not (own or comments or fault):
        return ""
    return _HTML.render(
        cell=name,
        language=texts.language,
        fault=fault,
        rubric=texts("Rubric"),
        criteria=own.criteria if own else (),
        most=own.points if own else 0,
        sum=texts("Sum of the chosen levels"),
        choose=texts("Comments to choose from"),
        comments=comments,
    )

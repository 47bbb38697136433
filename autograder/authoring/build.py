"""`ustod build`: an nbgrader course directory that stock nbgrader can release, grade and feed back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.authoring.catalog import read_catalog
from autograder.authoring.notebook import build_notebook
from autograder.authoring.unit import Unit
from autograder.environment import put_own_programs_on_path
from autograder.errors import UstodError
from autograder.files import write_text
from autograder.student.sidecar import SIDECAR

EDITIONS = ("class", "self-study")

CONFIG = '''"""Configuration of this course for nbgrader: any `nbgrader …` command run in this folder reads it."""

import contextlib
import os

c = get_config()  # noqa: F821 (nbgrader defines it)

c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.course_id = "{course}"

# The longest that one cell of a submission may run, in seconds.
c.Execute.timeout = {timeout}

# What one submission may use; the README lists the limits.
# c.UstodLimits.memory = 2048 * 2**20

# Only errors of a kernel itself belong on the screen while a class is graded.
c.Execute.extra_arguments = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]

# A learner who deletes a test cell gets it back instead of losing the points without a word.
c.OverwriteCells.add_missing_cells = True

# Pages of formgrader ask nothing of the network.
c.HTMLExporter.mathjax_url = ""
c.HTMLExporter.require_js_url = ""
c.HTMLExporter.jquery_url = ""

with contextlib.suppress(ImportError):
    # `nbgrader generate_feedback` and formgrader's button write the pages of `ustod feedback`, without hidden checks.
    # Pages of formgrader: what a student's notebook holds is shown, never run; nothing is asked of the network; what
    # was graded meanwhile is there; and every change of a grade is logged (ustod audit).
    from autograder.reports import formgrader, pages

    c.GenerateFeedback.exporter_class = "autograder.reports.exporter.FeedbackPage"
    c.GenerateFeedback.preprocessors = []
    formgrader.read_anew()
    formgrader.keep_log()
    c.HTMLExporter.sanitize_html = True
    c.HTMLExporter.filters = pages.FILTERS
    c.HTMLExporter.extra_template_basedirs = pages.TEMPLATES
    c.HTMLExporter.preprocessors = ["autograder.reports.rubrics.ShowRubrics"]
'''

SHUT_IN = """
with contextlib.suppress(ImportError):
    # `nbgrader autograde` and the button in formgrader run students' cells in a sandbox too. To have them run in your
    # own account, with all it may do: nbgrader autograde --ExecutePreprocessor.kernel_name=python3
    from autograder.kernel.kernelspec import offer_kernel

    c.ExecutePreprocessor.kernel_name = offer_kernel()
"""


@dataclass(frozen=True)
class BuiltUnit:
    """What `build_course` made of one unit."""

    name: str
    notebook: Path
    stale: int


def build_course(
    units: Sequence[Unit],
    language: str,
    out: Path,
    edition: str = "class",
    *,
    shut_in: bool = True,
    course: str = "ustod",
) -> list[BuiltUnit]:
    """Write `units` as an nbgrader course in `language` to `out`: ``source/``, ``release/``, ``nbgrader_config.py``.

    The notebooks depend on the input alone. What else is in `out` (submissions, the gradebook's scores) stays.

    Args:
        units: what to build.
        language: of the prose.
        out: the course directory.
        edition: one of `EDITIONS`.
        shut_in: whether nbgrader's own commands, too, run students' cells in a sandbox.
        course: what nbgrader calls it; kept from the first build on.

    Raises:
        AuthorMistake: if a unit cannot be built.
        UstodError: if nbgrader refuses to release one.
    """
    out.mkdir(parents=True, exist_ok=True)
    built = [_write_source(unit, language, out, edition) for unit in units]
    write_config(out, course, max(unit.about.budget.cell_seconds for unit in units), shut_in=shut_in)
    for unit in units:
        release(out, unit.name, course)
    return built


def write_config(out: Path, course: str, cell_seconds: int, *, shut_in: bool = True) -> None:
    """Write the configuration of the course directory `out` for nbgrader, if it has none.

    Args:
        out: the course directory.
        course: what nbgrader calls it.
        cell_seconds: the longest that one cell of a submission may run.
        shut_in: whether nbgrader's own commands, too, run students' cells in a sandbox.
    """
    path = out / "nbgrader_config.py"
    if not path.exists():
        write_text(path, CONFIG.format(timeout=cell_seconds, course=course) + (SHUT_IN if shut_in else ""))


def release(course: Path, assignment: str, name: str = "ustod") -> None:
    """Make ``release/`` of `assignment` from its ``source/`` with stock nbgrader, which calls the course `name`."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    put_own_programs_on_path()
    root = str(course.resolve())
    with working_folder(course):
        directory = CourseDirectory(config=Config({"CourseDirectory": {"root": root, "course_id": name}}))
        result = NbGraderAPI(directory).generate_assignment(assignment, force=True, create=True)
    if not result["success"]:
        raise UstodError(f"nbgrader could not release {assignment}: {result.get('error') or result['log']}")


@contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    """Work in `folder` for a while; nbgrader's converters change folders and must not leave us elsewhere."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _write_source(unit: Unit, language: str, out: Path, edition: str) -> BuiltUnit:
    built = build_notebook(unit, read_catalog(unit, language), edition)
    folder = out / "source" / unit.name
    folder.mkdir(parents=True, exist_ok=True)
    notebook = folder / f"{unit.name}.ipynb"
    write_text(notebook, nbformat.writes(built.notebook) + "\n")
    write_text(folder / SIDECAR, built.sidecar.to_json())
    return BuiltUnit(unit.name, notebook, built.stale)

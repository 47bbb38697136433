"""A learner's own record of what they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from shared import SUMS

from autograder.authoring.build import build_course
from autograder.authoring.unit import read_unit
from autograder.student.progress import VARIABLE

CELLS = (
    "from autograder.student import expect, open_unit\ncheck = open_unit('u90_sums')",
    "def total(numbers): return sum(numbers)",
    "@check.public('sums.total')\ndef adds(student, rng):\n    'Adds.'\n    expect(student.total([2, 3]) == 5)",
    "check('sums.total')",
    "def total(numbers): return 0",
    "check('sums.total')",
)


def run(folder: Path, progress: str | None, **variables: str) -> nbformat.NotebookNode:
    """A notebook of the unit of fixtures, run in a kernel as JupyterLab starts it."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE} | variables
    if progress is not None:
        environment[VARIABLE] = progress
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    with client.setup_kernel(env=environment):
        for place, cell in enumerate(notebook.cells):
            client.execute_cell(cell, place)
    return notebook


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    build_course([read_unit(SUMS)], "en", tmp_path / "course")
    return tmp_path / "course" / "release" / SUMS.name


def test_each_check_leaves_a_line_and_so_does_work(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "progress ҷ.jsonl"
    file.write_bytes(b'{"time": 1, "un')  # torn by a power cut
    run(workspace, str(file))
    lines = file.read_bytes().splitlines()
    assert lines.pop(0) == b'{"time": 1, "un'
    found = [json.loads(line) for line in lines]
    assert all(type(one.pop("time")) is int for one in found)
    checks = [one for one in found if "exercise" in one]
    assert [one for one in found if "exercise" not in one] == [{"unit": SUMS.name}], "once a minute"
    about = {"unit": SUMS.name, "exercise": "sums.total", "score": 0, "points": 0}
    assert checks == [{**about, "done": True}, {**about, "done": False}]


@pytest.mark.parametrize(
    ("progress", "variables"), [(None, {}), ("", {}), ("here", {"NBGRADER_EXECUTION": "autograde"})]
)
def test_nothing_is_noted_unless_a_learner_sits_there(
    workspace: Path, tmp_path: Path, progress: str | None, variables: dict[str, str]
) -> None:
    before = set(tmp_path.rglob("*"))
    run(workspace, progress and str(tmp_path / progress), **variables)
    assert {path for path in tmp_path.rglob("*") if "ipynb_checkpoints" not in str(path)} == before


def test_where_nothing_can_be_written_checks_work_as_always(workspace: Path, tmp_path: Path) -> None:
    notebook = run(workspace, str(tmp_path / "no such folder" / "progress"))
    assert [output.output_type for output in notebook.cells[3].outputs] == ["execute_result"]


def test_a_program_without_a_kernel_notes_nothing(workspace: Path, tmp_path: Path) -> None:
    program = "\n".join([*CELLS[:3], "print(check('sums.total'))"])
    environment = {**os.environ, VARIABLE: str(tmp_path / "progress")}
    done = subprocess.run([sys.executable, "-c", program], cwd=workspace, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "progress").exists()

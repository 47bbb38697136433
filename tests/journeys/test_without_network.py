"""The whole way of a learner and an instructor on a machine that has no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.authoring.agreement import submit
from autograder.authoring.build import build_course
from autograder.authoring.catalog import read_catalog
from autograder.authoring.notebook import build_notebook, put_answers
from autograder.authoring.unit import find_units, read_unit
from autograder.student.sidecar import SIDECAR
from autograder.student.texts import LANGUAGES

pytestmark = pytest.mark.slow

#: In a network namespace of its own nothing can be reached; kernels still need the machine's own loopback.
LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
request = struct.pack("16sh", b"lo", 1)  # IFF_UP
fcntl.ioctl(socket.socket(), 0x8914, request)  # SIOCSIFFLAGS
os.execvp(sys.argv[1], sys.argv[1:])
"""


#: Characters of a line of a table that a page shows without wrapping it.
WIDEST = 100
STATE = re.compile(r'data-state="([^"]+)"')


def without_network(*command: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    shut_off = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    inside = [*shut_off, sys.executable, "-c", LOOPBACK_UP, *command]
    return subprocess.run(inside, capture_output=True, text=True, timeout=seconds)


def ustod(*arguments: object) -> subprocess.CompletedProcess[str]:
    return without_network(sys.executable, "-m", "autograder.cli", *map(str, arguments))


def test_nothing_can_be_reached_there():
    connect = "import socket; socket.create_connection(('192.0.2.1', 80), 2)"
    assert "unreachable" in without_network(sys.executable, "-c", connect).stderr


def test_assets_build_check_and_grade(tmp_path: Path):
    unit = read_unit(find_units(["u04"])[0])
    reference = unit.lesson.reference

    verified = ustod("assets", "verify")
    assert verified.returncode == 0, verified.stderr

    built = ustod("build", "u04", "--lang", "tg", "--out", tmp_path / "course")
    assert built.returncode == 0, built.stderr

    submit(unit.name, {"Амина": reference}, tmp_path / "course")
    notebook = tmp_path / "course" / "submitted" / "Амина" / unit.name / f"{unit.name}.ipynb"
    checked = ustod("check", notebook, "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["score"] == unit.about.points

    graded = ustod("grade", "u04", "--course", tmp_path / "course", "--json")
    assert graded.returncode == 0, graded.stderr
    assert json.loads(graded.stdout)["scores"] == {"Амина": unit.about.points}
    assert ustod("feedback", "u04", "--course", tmp_path / "course").returncode == 0


def test_the_course_in_another_folder_name(tmp_path: Path):
    unit = read_unit(find_units(["u11"])[0])
    out = tmp_path / "курси ман (2026)"
    build_course([unit], "ru", out)
    assert (out / "release" / unit.name / f"{unit.name}.ipynb").is_file()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("folder", find_units(), ids=lambda folder: folder.name)
def test_a_reference_notebook_runs_from_top_to_bottom_without_a_word_of_warning(tmp_path: Path, folder, language):
    unit = read_unit(folder)
    built = build_notebook(unit, read_catalog(unit, language), "class")
    (tmp_path / SIDECAR).write_text(built.sidecar.to_json(), "utf-8")
    reference = unit.lesson.reference
    path = tmp_path / "whole.ipynb"
    nbformat.write(put_answers(built.notebook, reference), path)
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--inplace", "--allow-errors", str(path)]
    done = without_network(*command, seconds=1800)
    assert done.returncode == 0, done.stderr
    outputs = [output for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", ())]
    assert [output.evalue for output in outputs if output.output_type == "error"] == []
    said = [output for output in outputs if output.output_type == "stream"]
    assert [output.text for output in said if output.name == "stderr"] == []
    lines = [line for output in said for line in output.text.split("\n")]
    assert [line for line in lines if "  " in line and len(line) > WIDEST] == []
    states = [state for output in outputs for state in STATE.findall(output.get("data", {}).get("text/html", ""))]
    assert set(states) == {"right"}
    if pictures := os.environ.get("USTOD_PICTURES"):
        shutil.copy(path, Path(pictures) / f"{unit.name}-{language}.ipynb")

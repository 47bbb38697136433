"""A learner's folder: new notebooks come, and what the learner wrote stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from shared import SUMS, Once, wait_for

from autograder.authoring.build import build_course
from autograder.authoring.notebook import put_answers
from autograder.authoring.unit import Unit, read_unit
from autograder.errors import UstodError
from autograder.grading.selfstudy import check_notebook
from autograder.lab.jupyterlab import free_port, is_open
from autograder.lab.versions import FOLDER
from autograder.lab.workspace import PLACED, Placement, fill_workspace, place
from autograder.student.sidecar import Sidecar
from autograder.student.texts import Texts

NAME = SUMS.name
Update = Callable[[], Placement]
#: Right for all of the first exercise, and for a part of the second.
MINE = {
    "sums.total": "def total(numbers):\n    return sum(numbers)  # ҷавоби ман",
    "sums.over": "def over(numbers, limit):\n    return [number for number in numbers if number >= limit]",
}


@pytest.fixture
def work(once: Once, tmp_path: Path) -> Path:
    """A learner's folder of the test's own, filled from the course in Tajik."""
    filled = once("learner", lambda folder: void(fill_workspace([read_unit(SUMS)], "tg", folder / "корҳои ман")))
    return Path(shutil.copytree(filled / "корҳои ман", tmp_path / "корҳои ман"))


def void(_: object) -> None:
    """For a function that gives something back where nothing is asked."""


@pytest.fixture
def newer(sums: Path) -> Unit:
    """The same unit with new words in the lesson and in a hint."""
    return reworded(sums)


def reworded(unit: Path) -> Unit:
    for file, before, after in (
        ("lesson.py", "Now the part", "Next the part"),
        ("unit.toml", "Start from", "Begin at"),
    ):
        path = unit / file
        path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")
    return read_unit(unit)


@pytest.fixture(scope="session")
def newer_release(once: Once) -> Path:
    """What a newer course releases in Tajik."""

    def build(folder: Path) -> None:
        unit = Path(shutil.copytree(SUMS, folder / "units" / NAME))
        build_course([reworded(unit)], "tg", folder, edition="self-study")

    return once("newer", build) / "release"


@pytest.fixture
def update(newer_release: Path, work: Path) -> Update:
    """Put what the newer course released into the learner's folder."""
    return lambda: place([NAME], newer_release, work, Texts("tg"))


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def answer(notebook: Path, answers: dict[str, str]) -> bytes:
    """Answer exercises in the file; gives what is in it then."""
    content = nbformat.read(notebook, as_version=4)
    nbformat.write(put_answers(content, answers), notebook)
    return notebook.read_bytes()


def sources(notebook: Path) -> dict[str, str]:
    """The text of every cell by what the grader calls it, else by its id."""
    cells = nbformat.read(notebook, as_version=4).cells
    return {cell.metadata.get("nbgrader", {}).get("grade_id", cell.id): cell.source for cell in cells}


def points(notebook: Path) -> dict[str, float]:
    """What the grader gives for each exercise."""
    return {scored.cell: scored.score for scored in check_notebook(notebook).scored}


def as_an_earlier_ustod(folder: Path) -> None:
    """Make of a folder that was just filled one that was filled before versions were kept."""
    shutil.rmtree(folder / FOLDER)
    memory = json.loads((folder / PLACED).read_text("utf-8"))
    for name in memory:
        path = folder / name
        if path.suffix == ".ipynb":
            content = nbformat.read(path, as_version=4)
            memory[name] = content.metadata.ustod.pop("version")
            path.write_text(f"{nbformat.writes(content)}\n", "utf-8")
    (folder / PLACED).write_text(json.dumps(memory), "utf-8")


@contextmanager
def a_server_on(folder: Path, scratch: Path) -> Iterator[None]:
    """A Jupyter server of this user that works on `folder`."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}"]
    variables = {**os.environ, "JUPYTER_CONFIG_DIR": str(scratch / "config")}
    with (scratch / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--port={free_port(None)}"], env=variables, stdout=log, stderr=log)
    try:
        wait_for(lambda: is_open(folder))
        yield
    finally:
        server.terminate()
        server.wait()


class TestAnEmptyFolder:
    def test_gets_the_self_study_edition_without_solutions(self, work: Path) -> None:
        sidecar = Sidecar.from_json((work / NAME / "ustod.json").read_text("utf-8"))
        assert (sidecar.edition, sidecar.language) == ("self-study", "tg")
        assert "result += number" not in (work / NAME / f"{NAME}.ipynb").read_text("utf-8")

    def test_remembers_what_was_placed(self, work: Path) -> None:
        memory = json.loads((work / PLACED).read_text("utf-8"))
        assert memory.keys() == {f"{NAME}/{NAME}.ipynb", f"{NAME}/ustod.json"}

    def test_has_files_that_the_learner_can_write(self, work: Path) -> None:
        assert os.stat(work / NAME / f"{NAME}.ipynb").st_mode & 0o600 == 0o600


def test_the_same_course_again_changes_nothing_but_brings_back_what_was_deleted(work: Path) -> None:
    before = files_in(work)
    (work / NAME / f"{NAME}.ipynb").unlink()
    placed = fill_workspace([read_unit(SUMS)], "tg", work)
    assert placed.kept == [] and placed.notebooks == [work / NAME / f"{NAME}.ipynb"]
    assert files_in(work) == before


def test_a_newer_course_takes_the_place_of_what_nobody_touched(work: Path, newer: Unit) -> None:
    (work / NAME / "notes.txt").write_text("ёддоштҳо", "utf-8")
    placed = fill_workspace([newer], "tg", work)
    assert placed.kept == []
    assert "Next the part" in placed.notebooks[0].read_text("utf-8")
    assert "Begin at" in (work / NAME / "ustod.json").read_text("utf-8")
    assert (work / NAME / "notes.txt").read_text("utf-8") == "ёддоштҳо", "a file of the learner's own stays"


class TestANewerCourse:
    """The learner has worked in a notebook, and the course has changed."""

    def test_changes_the_text_around_the_answers_and_keeps_a_copy_of_the_notebook(
        self, work: Path, update: Update
    ) -> None:
        notebook = work / NAME / f"{NAME}.ipynb"
        before = answer(notebook, MINE)
        placed = update()
        assert placed.kept == placed.waiting == []
        assert [merged.notebook for merged in placed.merged] == [notebook]
        copy = placed.merged[0].before
        assert copy.parent == notebook.parent and copy.name.startswith(f"{NAME} (пеш аз 20") and copy.suffix == ".ipynb"
        assert copy.read_bytes() == before
        assert sources(notebook)["sums-total"] == MINE["sums.total"]
        assert "Next the part" in notebook.read_text("utf-8") and "Now the part" not in notebook.read_text("utf-8")
        nbformat.validate(nbformat.read(notebook, as_version=4))

    def test_comes_in_once(self, work: Path, update: Update) -> None:
        answer(work / NAME / f"{NAME}.ipynb", MINE)
        update()
        before = files_in(work)
        assert update().merged == []
        assert files_in(work) == before

    def test_changes_nothing_of_the_learners_as_long_as_it_is_the_same(self, work: Path) -> None:
        answer(work / NAME / f"{NAME}.ipynb", MINE)
        before = files_in(work)
        placed = fill_workspace([read_unit(SUMS)], "tg", work)
        assert placed.merged == placed.kept == placed.waiting == []
        assert files_in(work) == before

    def test_may_be_the_same_in_another_language(self, work: Path) -> None:
        notebook = work / NAME / f"{NAME}.ipynb"
        answer(notebook, MINE)
        fill_workspace([read_unit(SUMS)], "ru", work)
        assert sources(notebook)["sums-total"] == MINE["sums.total"]
        assert "абзац" in notebook.read_text("utf-8") and "сархати" not in notebook.read_text("utf-8")
        assert [path.name for path in notebook.parent.glob("* (до *.ipynb")]

    def test_comes_into_a_notebook_of_an_earlier_version_that_somebody_brought_along(
        self, work: Path, newer_release: Path, tmp_path: Path
    ) -> None:
        answer(work / NAME / f"{NAME}.ipynb", MINE)
        carried = tmp_path / "elsewhere" / NAME
        carried.mkdir(parents=True)
        shutil.copy(work / NAME / f"{NAME}.ipynb", carried)
        placed = place([NAME], newer_release, carried.parent, Texts("tg"))
        assert [merged.notebook for merged in placed.merged] == placed.notebooks
        assert sources(placed.notebooks[0])["sums-total"] == MINE["sums.total"]

    def test_comes_into_a_folder_that_an_earlier_ustod_filled(self, work: Path, update: Update) -> None:
        notebook = work / NAME / f"{NAME}.ipynb"
        as_an_earlier_ustod(work)
        answer(notebook, MINE)
        mine = notebook.read_bytes()
        assert fill_workspace([read_unit(SUMS)], "tg", work).merged == []
        assert notebook.read_bytes() == mine, "the course is the same"
        assert [merged.notebook for merged in update().merged] == [notebook]
        texts = list(sources(notebook).values())
        assert MINE["sums.total"] in texts
        assert not any("Now the part" in text for text in texts), "it was known what the notebook began as"

    @pytest.mark.slow
    def test_waits_while_a_jupyter_server_works_in_the_folder(
        self, work: Path, update: Update, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
        notebook = work / NAME / f"{NAME}.ipynb"
        mine = answer(notebook, MINE)
        with a_server_on(work.parent, tmp_path):
            assert update().waiting == [notebook]
            assert notebook.read_bytes() == mine
        placed = update()
        assert placed.waiting == [] and [merged.notebook for merged in placed.merged] == [notebook]

    def test_leaves_alone_what_is_no_notebook_any_more(self, work: Path, update: Update) -> None:
        notebook = work / NAME / f"{NAME}.ipynb"
        for content in (
            b"",
            b"{",
            b'{"cells": 3}',
            b"\xff\xfe",
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        ):
            notebook.write_bytes(content)
            placed = update()
            assert (placed.kept, placed.merged) == ([notebook], [])
            assert notebook.read_bytes() == content
        assert "Begin at" in (work / NAME / "ustod.json").read_text("utf-8"), "the file beside it is new"

    def test_leaves_alone_another_notebook_under_the_same_name(self, work: Path, update: Update) -> None:
        notebook = work / NAME / f"{NAME}.ipynb"
        nbformat.write(new_notebook(cells=[new_markdown_cell("# Хотираҳо")]), notebook)
        assert update().kept == [notebook]

    def test_never_takes_the_place_of_a_file_that_is_no_notebook(self, work: Path, update: Update) -> None:
        sidecar = work / NAME / "ustod.json"
        sidecar.write_text("{}")
        assert update().kept == [sidecar]
        assert sidecar.read_text() == "{}"


@pytest.mark.slow
def test_the_same_points_are_given_before_and_after(work: Path, update: Update, course_with_sums: Path) -> None:
    notebook = work / NAME / f"{NAME}.ipynb"
    answer(notebook, MINE)
    before = points(notebook)
    assert len(update().merged) == 1
    assert points(notebook) == before == {"sums-total-check": 3, "sums-over-check": 2}


@pytest.mark.slow
def test_killed_at_any_moment_loses_nothing(work: Path, newer_release: Path) -> None:
    notebook = work / NAME / f"{NAME}.ipynb"
    mine = answer(notebook, MINE)
    program = f"""
import os, sys
from pathlib import Path
from autograder.lab.workspace import place
from autograder.student.texts import Texts

left, replace = int(sys.argv[3]), os.replace

def replace_or_die(*names):
    global left
    if left == 0:
        os.kill(os.getpid(), 9)
    left -= 1
    replace(*names)

os.replace = replace_or_die
place(["{NAME}"], Path(sys.argv[1]), Path(sys.argv[2]), Texts("tg"))
"""
    for writes in range(20):
        here = Path(shutil.copytree(work, work.with_name(f"killed after {writes}")))
        done = subprocess.run([sys.executable, "-c", program, str(newer_release), str(here), str(writes)])
        own = here / NAME / notebook.name
        assert sources(own)["sums-total"] == MINE["sums.total"]
        assert mine in [path.read_bytes() for path in own.parent.glob("*.ipynb")], "the file as it was is there"
        place([NAME], newer_release, here, Texts("tg"))
        assert "Next the part" in own.read_text("utf-8") and sources(own)["sums-total"] == MINE["sums.total"]
        assert len(list(own.parent.glob("*.ipynb"))) == 2, "one copy, however often it was begun"
        if done.returncode == 0:
            break
    assert writes == 5, "the version, the copy, the notebook, the file beside it and the memory are written"


@pytest.mark.slow
def test_two_that_start_at_once_merge_once(work: Path, newer_release: Path) -> None:
    notebook = work / NAME / f"{NAME}.ipynb"
    answer(notebook, MINE)
    program = f"""
import sys
from pathlib import Path
from autograder.lab.workspace import place
from autograder.student.texts import Texts

print(len(place(["{NAME}"], Path(sys.argv[1]), Path(sys.argv[2]), Texts("tg")).merged))
"""
    command = [sys.executable, "-c", program, str(newer_release), str(work)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate()[0].strip() for process in started) == ["0", "1"]
    assert len(list(notebook.parent.glob("*.ipynb"))) == 2


def test_a_notebook_that_was_there_before_us_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "work" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert fill_workspace([read_unit(SUMS)], "en", tmp_path / "work").kept == [path]
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(UstodError, match=r"cannot be written: .*; choose another with --dir"):
        fill_workspace([read_unit(SUMS)], "en", tmp_path / "work")

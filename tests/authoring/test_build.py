"""An nbgrader course from units: the same bytes each time, and nothing in it that learners must not have."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import polib
import pytest
from shared import SUMS, Break, Ustod
from traitlets.config import Config, PyFileConfigLoader

from autograder.authoring.build import build_course
from autograder.authoring.catalog import read_catalog
from autograder.authoring.lesson import Kind, stub_of
from autograder.authoring.notebook import build_notebook, put_answers, with_hidden_checks
from autograder.authoring.unit import read_unit
from autograder.student.sidecar import SIDECAR, Sidecar

NAME = SUMS.name
LANGUAGES = ("en", "tg", "ru")


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the unit, half translated into Tajik and wholly into Russian."""
    folder = Path(shutil.copytree(SUMS, tmp_path_factory.mktemp("translated") / NAME))
    for language, share in (("tg", 2), ("ru", 1)):
        path = folder / "po" / f"{language}.po"
        catalog = polib.pofile(str(path))
        for number, entry in enumerate(catalog):
            if number % share == 0:
                entry.msgstr = f"{'# ' if entry.msgid.startswith('#') else ''}{language}: {entry.msgid.lstrip('# ')}"
        catalog.save(str(path))
    return folder


def configuration(course: Path) -> Config:
    """What nbgrader reads in the folder of a course."""
    return PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()


def released(course: Path) -> nbformat.NotebookNode:
    return nbformat.read(course / "release" / NAME / f"{NAME}.ipynb", as_version=4)


def lines_of(source: str) -> Iterator[str]:
    """The lines of a program that say something."""
    return (line.strip() for line in source.splitlines() if len(line.strip()) > 5)


class TestSource:
    def test_every_cell_of_the_lesson_is_there_in_order(self) -> None:
        unit = read_unit(SUMS)
        notebook = build_notebook(unit, read_catalog(unit, "en"), "class").notebook
        assert len(notebook.cells) == len(unit.lesson.cells)
        for cell, node in zip(unit.lesson.cells, notebook.cells, strict=True):
            assert node.source.startswith(cell.source)

    def test_the_metadata_is_nbgraders(self) -> None:
        unit = read_unit(SUMS)
        notebook = build_notebook(unit, read_catalog(unit, "en"), "class").notebook
        about = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader for cell in notebook.cells if cell.metadata}
        assert about.keys() == {"locked-1", "sums-total", "sums-total-check", "sums-over", "sums-over-check"}
        assert [about[name].points for name in ("sums-total-check", "sums-over-check")] == [3, 3]
        assert [name for name in about if about[name].solution] == ["sums-total", "sums-over"]
        assert [name for name in about if about[name].locked] == ["locked-1", "sums-total-check", "sums-over-check"]

    def test_it_is_a_valid_notebook_with_ids_of_its_own(self) -> None:
        unit = read_unit(SUMS)
        notebook = build_notebook(unit, read_catalog(unit, "tg"), "class").notebook
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)

    def test_two_cells_of_the_same_text_have_two_ids(self, break_unit: Break) -> None:
        unit = read_unit(break_unit("lesson.py", "# %%\nif", "# %%\nx = 1\n\n# %%\nx = 1\n\n# %%\nif"))
        one, two = (build_notebook(unit, read_catalog(unit, "en"), "class").notebook for _ in range(2))
        assert len({cell.id for cell in one.cells}) == len(one.cells)
        assert one == two

    def test_a_test_cell_holds_the_checks_of_its_exercise_between_the_markers(self) -> None:
        unit = read_unit(SUMS)
        source = with_hidden_checks(unit, unit.lesson.of(Kind.CHECK)["sums.over"])
        assert source.startswith('check("sums.over")\n### BEGIN HIDDEN TESTS\n')
        assert source.endswith("\n### END HIDDEN TESTS")
        compile(source, "<test cell>", "exec")


class TestRelease:
    def test_holds_no_line_of_a_solution_in_any_byte(self, built_course: Path) -> None:
        unit = read_unit(SUMS)
        everything = "\n".join(p.read_text("utf-8") for p in (built_course / "release").rglob("*") if p.is_file())
        for source in unit.lesson.reference.values():
            for line in set(lines_of(source)) - set(lines_of(stub_of(source))):
                assert line not in everything and json.dumps(line)[1:-1] not in everything

    def test_holds_no_line_of_a_hidden_check_in_any_byte(self, built_course: Path) -> None:
        unit = read_unit(SUMS)
        lesson = unit.lesson.path.read_text("utf-8")
        everything = "\n".join(p.read_text("utf-8") for p in (built_course / "release").rglob("*") if p.is_file())
        secret = [line for line in lines_of(unit.checks_source) if line not in lesson]
        assert len(secret) > 15
        for line in secret:
            assert line not in everything and json.dumps(line)[1:-1] not in everything
        for check in unit.checks:
            assert check.name not in everything and check.sentence not in everything

    def test_holds_the_stub_of_every_exercise(self, built_course: Path) -> None:
        unit = read_unit(SUMS)
        answers = {
            c.metadata.nbgrader.grade_id: c.source for c in released(built_course).cells if "nbgrader" in c.metadata
        }
        for name, source in unit.lesson.reference.items():
            assert answers[name.replace(".", "-")] == stub_of(source)
        assert answers["sums-over-check"] == 'check("sums.over")'

    def test_has_the_sidecar_beside_the_notebook_and_nothing_else(self, built_course: Path) -> None:
        assert {path.name for path in (built_course / "release" / NAME).iterdir()} == {f"{NAME}.ipynb", SIDECAR}


class TestLanguages:
    def test_the_code_is_the_same_in_all(self, translated: Path) -> None:
        unit = read_unit(translated)

        def code(language: str) -> list[tuple[str, str]]:
            cells = build_notebook(unit, read_catalog(unit, language), "class").notebook.cells
            return [(cell.id, cell.source) for cell in cells if cell.cell_type == "code"]

        assert code("en") == code("tg") == code("ru")

    def test_a_whole_translation_has_no_banner(self, translated: Path) -> None:
        unit = read_unit(translated)
        built = build_notebook(unit, read_catalog(unit, "ru"), "class")
        assert built.stale == 0
        prose = [cell.source for cell in built.notebook.cells if cell.cell_type == "markdown"]
        assert prose[0].startswith("# ru: Sums\n\nru: How much")
        assert len(prose) == 3

    def test_what_is_not_translated_stands_in_english_under_a_banner_that_counts(self, translated: Path) -> None:
        unit = read_unit(translated)
        built = build_notebook(unit, read_catalog(unit, "tg"), "class")
        prose = [cell.source for cell in built.notebook.cells if cell.cell_type == "markdown"]
        english = [part for cell in prose for part in cell.split("\n\n") if not re.match(r"(# )?tg: |>", part)]
        assert built.stale == len(english) > 0
        assert re.match(rf">.*\b{built.stale}\b", prose[1])

    def test_the_sidecar_has_the_words_a_learner_may_see(self, translated: Path) -> None:
        unit = read_unit(translated)
        class_texts = build_notebook(unit, read_catalog(unit, "ru"), "class").sidecar.messages
        self_study = build_notebook(unit, read_catalog(unit, "ru"), "self-study").sidecar.messages
        hidden = {check.sentence for check in unit.checks}
        assert class_texts["Add up"] == "ru: Add up"
        assert not hidden & class_texts.keys()
        assert hidden <= self_study.keys()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_notebook_names_unit_and_language(self, translated: Path, language: str) -> None:
        unit = read_unit(translated)
        notebook = build_notebook(unit, read_catalog(unit, language), "class").notebook
        assert notebook.metadata.ustod == {"unit": NAME, "language": language}


class TestTheSameInput:
    WRITE = """
import sys
from pathlib import Path
import nbformat
from autograder.authoring.catalog import read_catalog
from autograder.authoring.notebook import build_notebook
from autograder.authoring.unit import read_unit
unit = read_unit(Path(sys.argv[1]))
built = build_notebook(unit, read_catalog(unit, "ru"), "self-study")
sys.stdout.write(nbformat.writes(built.notebook) + built.sidecar.to_json())
"""

    def test_gives_the_same_bytes_in_any_process(self, translated: Path) -> None:
        def output(hash_seed: str) -> bytes:
            environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
            command = [sys.executable, "-c", self.WRITE, str(translated)]
            return subprocess.run(command, check=True, env=environment, capture_output=True).stdout

        assert output("1") == output("2")
        assert "ru: Two numbers" in output("3").decode()

    def test_gives_the_same_course_again_and_leaves_submissions_and_scores(self, sums_course: Path) -> None:
        submission = sums_course / "submitted" / "bob" / NAME / f"{NAME}.ipynb"
        submission.parent.mkdir(parents=True)
        submission.write_text("{}")
        config = sums_course / "nbgrader_config.py"
        config.write_text(config.read_text() + "# ours\n")
        files = [path for step in ("source", "release") for path in (sums_course / step).rglob("*") if path.is_file()]
        before = {path: path.read_bytes() for path in files}
        build_course([read_unit(SUMS)], "en", sums_course)
        assert submission.read_text() == "{}"
        assert config.read_text().endswith("# ours\n")
        assert len(before) == 4 and {path: path.read_bytes() for path in before} == before


class TestConfiguration:
    def test_nbgrader_too_shuts_submissions_in_and_shows_them_without_running_them(self, built_course: Path) -> None:
        config = configuration(built_course)
        assert config.ExecutePreprocessor.kernel_name == ("ustod" if sys.platform == "linux" else "")
        assert config.HTMLExporter.sanitize_html is True

    def test_a_course_can_be_built_for_nbgraders_own_kernel(self, tmp_path: Path) -> None:
        build_course([read_unit(SUMS)], "en", tmp_path, shut_in=False)
        assert "kernel_name" not in configuration(tmp_path).ExecutePreprocessor

    def test_nbgrader_is_as_always_where_ustod_is_not_installed(
        self, built_course: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in ("autograder.kernel.kernelspec", "autograder.reports"):
            monkeypatch.setitem(sys.modules, module, None)
        config = configuration(built_course)
        assert config.CourseDirectory.root == str(built_course)
        assert "kernel_name" not in config.ExecutePreprocessor and "sanitize_html" not in config.HTMLExporter

    def test_says_how_long_a_cell_may_run(self, built_course: Path) -> None:
        assert configuration(built_course).Execute.timeout == read_unit(SUMS).about.budget.cell_seconds


class TestAnswers:
    def test_fill_the_exercise_cells_and_nothing_else(self, built_course: Path) -> None:
        notebook = released(built_course)
        filled = put_answers(notebook, {"sums.total": "def total(numbers): return 1"})
        changed = [(a, b) for a, b in zip(notebook.cells, filled.cells, strict=True) if a != b]
        assert [b.source for _, b in changed] == ["def total(numbers): return 1"]

    def test_leave_the_notebook_they_are_put_into_alone(self, built_course: Path) -> None:
        notebook = released(built_course)
        put_answers(notebook, {"sums.total": "x = 1"})
        assert notebook == released(built_course)


def test_the_command_builds_a_course(ustod: Ustod, tmp_path: Path) -> None:
    done = ustod("build", "u90", "--out", tmp_path / "course", "--lang", "tg")
    assert done.returncode == 0, done.stderr
    assert "paragraphs not translated yet" in done.stdout
    sidecar = Sidecar.from_json((tmp_path / "course" / "release" / NAME / SIDECAR).read_text("utf-8"))
    assert (sidecar.language, sidecar.edition) == ("tg", "class")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("build", "u90", "--out", "OUT", "--lang", "de"), 2, "choose one of"),
        (("build", "u90", "--out", "OUT", "--edition", "home"), 2, "choose one of"),
        (("build", "u90"), 2, "--out"),
        (("build", "u55", "--out", "OUT"), 1, "There is no unit u55; the course has u90_sums."),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    ustod: Ustod,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    done = ustod(*(tmp_path / "course" if argument == "OUT" else argument for argument in arguments))
    assert done.returncode == code
    assert words in done.stderr and "Traceback" not in done.stderr

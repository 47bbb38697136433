"""From a `lesson.py` to cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from shared import SUMS

from autograder.authoring.lesson import Kind, read_cells, read_lesson, stub_of


def test_cells_come_in_order_with_their_kind_and_exercise() -> None:
    cells = read_lesson(SUMS / "lesson.py").cells
    assert [(cell.kind, cell.exercise) for cell in cells] == [
        (Kind.PROSE, ""),
        (Kind.LOCKED, ""),
        (Kind.PROSE, ""),
        (Kind.EXERCISE, "sums.total"),
        (Kind.CHECK, "sums.total"),
        (Kind.PROSE, ""),
        (Kind.EXERCISE, "sums.over"),
        (Kind.CHECK, "sums.over"),
        (Kind.CODE, ""),
    ]


def test_a_cell_knows_the_line_of_its_marker() -> None:
    lines = (SUMS / "lesson.py").read_text(encoding="utf-8").splitlines()
    for cell in read_lesson(SUMS / "lesson.py").cells:
        assert lines[cell.line - 1].startswith("# %%")
        first = cell.source.split("\n")[0]
        assert lines[cell.line].removeprefix("# ").strip() == first.strip()


def test_prose_is_markdown_and_code_is_python() -> None:
    lesson = read_lesson(SUMS / "lesson.py")
    assert lesson.cells[0].source == "# Sums\n\nHow much water does a field take in a week?"
    assert lesson.of(Kind.CHECK)["sums.over"].source == 'check("sums.over")'


def test_exercises_are_in_order() -> None:
    assert read_lesson(SUMS / "lesson.py").exercises == ["sums.total", "sums.over"]


@pytest.mark.parametrize("head", ["x = 1\n", "# ---\n# jupyter: {}\n# ---\n", '"""A docstring."""\n\n', ""])
def test_what_stands_before_the_first_marker_is_no_cell(tmp_path: Path, head: str) -> None:
    path = tmp_path / "lesson.py"
    path.write_text(head + "# %%\ny = 2\n")
    assert [cell.source for cell in read_cells(path)] == ["y = 2"]


class TestStub:
    def test_replaces_each_region_at_its_indentation(self) -> None:
        region = "### BEGIN SOLUTION\n{0}b = 2\n{0}### END SOLUTION"
        source = f"a = 1\n{region.format('')}\nif a:\n    {region.format('    ')}"
        assert stub_of(source) == (
            "a = 1\n# YOUR CODE HERE\nraise NotImplementedError()\n"
            "if a:\n    # YOUR CODE HERE\n    raise NotImplementedError()"
        )

    def test_leaves_what_is_outside(self) -> None:
        assert stub_of("def f():\n    return 1") == "def f():\n    return 1"

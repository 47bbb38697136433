"""Copies are found, however they are dressed up; honest classes are left alone."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from reports.classes import MadeClass, Roll, make_roll
from reports.hands import copied_with_other_names, with_other_remarks
from shared import Ustod

from autograder.authoring.unit import find_units, read_unit
from autograder.errors import UstodError
from autograder.grading.course import Course, open_course
from autograder.reports.similarity import BITS, SHARE, Submission, compare, compare_class, read_passages

SIZE = 60


@pytest.fixture(scope="module")
def roll() -> Roll:
    return make_roll([read_unit(find_units(["u04"])[0])], SIZE, seed=5)


def submissions(roll: Roll, *, honest: bool) -> list[Submission]:
    works = [work for work in roll.works if not (honest and work.copied_from)]
    return [Submission(work.student, None, read_passages(sorted(work.sources.items()))) for work in works]


def known(roll: Roll) -> set[int]:
    passages = read_passages(roll.units[0].lesson.reference.items())
    return {one.value for passage in passages for one in passage.prints}


def pairs(found: list[Submission], roll: Roll) -> set[frozenset[str]]:
    return {frozenset((pair.first.student, pair.second.student)) for pair in compare(found, known(roll))}


def test_an_honest_class_is_left_alone(roll: Roll) -> None:
    assert pairs(submissions(roll, honest=True), roll) == set()


def test_copies_are_found(roll: Roll) -> None:
    copies = {frozenset((work.student, work.copied_from)) for work in roll.works if work.copied_from}
    assert copies and pairs(submissions(roll, honest=False), roll) == copies


def renamed(source: str) -> str:
    return copied_with_other_names(source, random.Random(7))


def translated(source: str) -> str:
    return with_other_remarks(source, "ru")


@pytest.mark.parametrize("dressed", [renamed, translated, lambda source: f"\n# mine\n{source}\n\n"])
def test_a_copy_in_other_clothes_and_another_order_is_found(roll: Roll, dressed: Callable[[str], str]) -> None:
    found = submissions(roll, honest=True)
    work = next(work for work in roll.works if len(work.sources) == 8 and not work.copied_from)
    cells = [("", dressed(source)) for _, source in sorted(work.sources.items(), reverse=True)]
    copy = Submission("somebody else", None, read_passages(cells))
    assert pairs([*found, copy], roll) == {frozenset((work.student, "somebody else"))}


def test_a_part_of_somebodys_work_is_found_from_the_smaller_side(roll: Roll) -> None:
    found = submissions(roll, honest=True)
    whole = max(found, key=lambda one: len(one.values - known(roll)))
    part = Submission("part", None, whole.passages[:5])
    [pair] = compare([*found, part], known(roll))
    shares = dict(zip((pair.first.student, pair.second.student), pair.shares, strict=True))
    assert shares["part"] > SHARE and shares["part"] > shares[whole.student]


def test_what_the_class_has_in_common_and_the_reference_count_nothing(roll: Roll) -> None:
    unit = roll.units[0]
    reference = read_passages(unit.lesson.reference.items())
    same = [Submission(f"student {number}", None, reference) for number in range(30)]
    assert compare(same, known(roll)) == []
    assert compare(same) == []


def test_the_bounds_are_what_the_pages_say() -> None:
    assert (SHARE, BITS) == (0.75, 40)


@pytest.fixture
def copied(small_copy: MadeClass) -> Course:
    """The small class, where two have handed in the same long cell of their own making."""
    course = small_copy.course
    name = small_copy.roll.units[0].name
    lines = [f"    part{n} = [value * {n} for value in numbers if value % {n + 2} == {n}]" for n in range(12)]
    lines += [f"    if len(part{n}) > {n}: part{n + 1}.extend(sorted(part{n})[:{n}])" for n in range(11)]
    source = "\n".join(["def helper(numbers):", *lines, "    return part11"])
    for number, student in enumerate(sorted(course.students_with(name))[:2]):
        path = course.folder("submitted", student, name) / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        mine = renamed(source) if number else source
        notebook.cells.insert(3 + number, nbformat.v4.new_code_cell(mine))
        nbformat.write(notebook, path)
    return course


def test_the_command_writes_a_list_and_each_pair(copied: Course, small_copy: MadeClass, ustod: Ustod) -> None:
    name = small_copy.roll.units[0].name
    two = sorted(copied.students_with(name))[:2]
    done = ustod("similar", name, "--course", copied.root, "--lang", "ru")
    assert done.returncode == 0, done.stderr
    assert "1 pairs stand out" in done.stdout
    folder = copied.root / "report" / name / "similar"
    index, pair = (folder / "index.html").read_text("utf-8"), (folder / "1.html").read_text("utf-8")
    for page in (index, pair):
        assert "не доказательство" in page
    assert pair.count("<mark>") > 20 and all(student in index for student in two)
    assert "similar.csv" in {path.name for path in folder.iterdir()}
    assert (folder / "1.html").stat().st_mode & 0o007 == 0


def test_pages_of_an_earlier_run_go(copied: Course, small_copy: MadeClass, ustod: Ustod) -> None:
    name = small_copy.roll.units[0].name
    ustod("similar", name, "--course", copied.root)
    for student in sorted(copied.students_with(name))[:1]:
        shutil.rmtree(copied.folder("submitted", student, name))
    done = ustod("similar", name, "--course", copied.root)
    assert "0 pairs stand out" in done.stdout
    assert not (copied.root / "report" / name / "similar" / "1.html").exists()


@pytest.mark.parametrize("content", ["no notebook", "[1]", '{"cells": 3}', "[" * 100_000])
def test_what_cannot_be_read_is_named_and_the_others_are_compared(
    copied: Course, small_copy: MadeClass, ustod: Ustod, content: str
) -> None:
    name = small_copy.roll.units[0].name
    *_, last = sorted(copied.students_with(name))
    (copied.folder("submitted", last, name) / f"{name}.ipynb").write_text(content)
    done = ustod("similar", name, "--course", copied.root)
    assert "1 pairs stand out" in done.stdout
    assert done.returncode == 1 and last in done.stderr and "Traceback" not in done.stderr


def test_cells_that_are_none_are_passed_over(copied: Course, small_copy: MadeClass) -> None:
    name = small_copy.roll.units[0].name
    *_, last = sorted(copied.students_with(name))
    cells = [3, {"cell_type": "code", "source": 4}, {"cell_type": "code", "metadata": [], "source": ["x = ", 5, "1"]}]
    (copied.folder("submitted", last, name) / f"{name}.ipynb").write_text(json.dumps({"cells": cells}))
    assert compare_class(copied, name).unread == []


def test_fewer_than_two_are_told_in_a_sentence(built_course: Path, tmp_path: Path) -> None:
    course = open_course(Path(shutil.copytree(built_course, tmp_path / "course")))
    with pytest.raises(UstodError, match="fewer than two submissions"):
        compare_class(course, "u90_sums")


def test_a_submission_without_code_is_like_nobody(roll: Roll) -> None:
    found = submissions(roll, honest=True)
    empty = replace(found[0], student="empty", passages=())
    assert pairs([*found, empty, replace(empty, student="empty too")], roll) == set()

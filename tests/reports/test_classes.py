"""The made-up class stands for a real one: what is recorded for it is what `ustod grade` would have recorded."""

from __future__ import annotations

import random
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports.classes import MadeClass, make_class, make_roll, real_units, small_units
from reports.hands import copied_with_other_names, own_hand, with_other_remarks
from shared import SUMS, Once

from autograder.authoring.unit import read_unit
from autograder.grading.course import Course, open_course
from autograder.grading.engine import grade
from autograder.grading.scores import scores

UNIT = read_unit(SUMS)


def fingerprint(course: Course, assignment: str, student: str) -> list[object]:
    """What the checks said, without the random input that they said it of."""
    return [
        (cell.cell, cell.score, cell.points, [(o.name, o.state, o.hint) for o in cell.outcomes], cell.error)
        for cell in scores(course, assignment, student)
    ]


def test_the_same_seed_gives_the_same_class(tmp_path: Path) -> None:
    units = small_units(tmp_path, 2)
    assert make_roll(units, 40, 3) == make_roll(units, 40, 3)
    assert make_roll(units, 40, 3) != make_roll(units, 40, 4)


def test_the_first_twelve_have_one_of_every_kind(small_class: MadeClass) -> None:
    roll = small_class.roll
    kinds = {work.kind for work in roll.works}
    assert kinds >= {"right", "misconception", "partial", "empty", "crashing", "looping", "copied"}
    assert any(work.late for work in roll.works) and any(work.earlier for work in roll.works)
    assert roll.absent and roll.silent


def test_grading_finds_nothing_to_do(small_copy: MadeClass) -> None:
    course = small_copy.course
    for unit in small_copy.roll.units:
        handed_in = sorted(work.student for work in small_copy.roll.works if work.assignment == unit.name)
        assert grade(course, unit.name, workers=1).unchanged == handed_in


def test_graded_again_everything_is_the_same(small_copy: MadeClass) -> None:
    course, unit = small_copy.course, small_copy.roll.units[0]
    students = course.students_with(unit.name)
    before = {student: fingerprint(course, unit.name, student) for student in students}
    assert not grade(course, unit.name, workers=2, force=True).problems
    assert {student: fingerprint(course, unit.name, student) for student in students} == before


def test_an_autograded_notebook_holds_the_students_own_code(small_class: MadeClass) -> None:
    for work in small_class.roll.works:
        folders = (
            small_class.course.folder(step, work.student, work.assignment) for step in ("submitted", "autograded")
        )
        sources = [
            {
                cell.metadata.nbgrader.grade_id: cell.source
                for cell in nbformat.read(folder / f"{work.assignment}.ipynb", as_version=4).cells
                if cell.metadata.get("nbgrader", {}).get("solution")
            }
            for folder in folders
        ]
        assert sources[0] == sources[1]
        assert {name.replace("-", ".") for name in sources[0]} == set(UNIT.lesson.exercises)


@given(st.integers(0, 10**6), st.sampled_from(["en", "tg", "ru"]))
def test_another_hand_changes_nothing_that_a_check_sees(seed: int, language: str) -> None:
    rng = random.Random(seed)
    sources = [own_hand(source, rng, language) for source in UNIT.lesson.reference.values()]
    sources = [with_other_remarks(copied_with_other_names(source, rng), "en") for source in sources]
    namespace: dict[str, object] = {}
    exec("\n".join(sources), namespace)
    total, over = namespace["total"], namespace["over"]
    assert callable(total) and callable(over)
    assert total([3, -1, 2]) == 4 and over([1, 5, 3], 2) == [5, 3]


@pytest.mark.slow
def test_real_units_graded_again_give_the_same(once: Once) -> None:
    """A sample of a class of the real course, each notebook run whole by the engine."""

    def make(folder: Path) -> None:
        make_class(folder, real_units(), 30)

    course = open_course(once("a class of thirty", make) / "course")
    for unit in real_units():
        students = random.Random(unit.name).sample(course.students_with(unit.name), 6)
        before = {student: fingerprint(course, unit.name, student) for student in students}
        assert not grade(course, unit.name, students, workers=2, force=True).problems
        assert {student: fingerprint(course, unit.name, student) for student in students} == before

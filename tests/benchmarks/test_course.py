"""The class of the benchmarks is what an ordinary course hands to every grader."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from benchmarks.course import HEAVY_ASSIGNMENT, LIGHT_ASSIGNMENT, NAME, Class, Exercise, make_class, source_notebook
from shared import Once

SIZE = 5


@pytest.fixture
def light_class(once: Once) -> Class:
    """A class whose files may be read and copied."""

    def fill(folder: Path) -> None:
        make_class(folder, LIGHT_ASSIGNMENT, SIZE)

    folder = once("a light class", fill)
    return Class(folder, LIGHT_ASSIGNMENT, tuple(f"student{number:04}" for number in range(SIZE)))


def test_the_notebook_with_the_stack_has_seventeen_cells() -> None:
    assert len(source_notebook(HEAVY_ASSIGNMENT).cells) == 17


@pytest.mark.parametrize("exercise", LIGHT_ASSIGNMENT.exercises, ids=lambda exercise: exercise.name)
def test_an_answer_fulfils_its_test_and_a_wrong_one_does_not(exercise: Exercise) -> None:
    exec(f"{exercise.answer}\n{exercise.test}", {})
    with pytest.raises(AssertionError):
        exec(f"{exercise.head}\n    pass\n{exercise.test}", {})


def test_nobody_hands_in_what_somebody_else_did(light_class: Class) -> None:
    assert len({light_class.notebook(student).read_text() for student in light_class.students}) == SIZE


def test_hidden_tests_are_not_in_what_students_hand_in(light_class: Class) -> None:
    assert all("assert" not in light_class.notebook(student).read_text() for student in light_class.students)


def test_the_expected_scores_are_those_of_the_notebooks(light_class: Class) -> None:
    for student, score in light_class.expected().items():
        notebook = nbformat.read(light_class.notebook(student), 4)
        answers = "\n".join(cell.source for cell in notebook.cells)
        assert sum(holds(f"{answers}\n{exercise.test}") for exercise in LIGHT_ASSIGNMENT.exercises) == score
    assert min(light_class.expected().values()) < max(light_class.expected().values())


def test_a_course_has_the_work_of_those_who_hand_in_and_no_grades(light_class: Class, tmp_path: Path) -> None:
    course = light_class.hand_in(tmp_path / "course", light_class.students[:2])
    assert sorted(path.name for path in (course / "submitted").iterdir()) == ["student0000", "student0001"]
    assert (course / "source" / NAME / "work.ipynb").is_file()
    assert not (course / "autograded").exists()


def holds(program: str) -> bool:
    try:
        exec(program, {})
    except AssertionError:
        return False
    return True

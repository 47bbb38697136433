"""All of nbgrader's steps use one open gradebook, and what they change takes effect together or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import saveautogrades

from autograder.grading.gradebook import open_gradebook

COURSE = "default_course"  # what nbgrader's steps open


def names(url: str) -> list[str]:
    """The students in the gradebook, as nbgrader itself sees them."""
    with Gradebook(url) as book:
        return [student.id for student in book.students]


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/gradebook.db"
    Gradebook(url, COURSE).close()
    return url


def test_what_the_body_changes_is_kept_when_it_ends(url: str) -> None:
    with open_gradebook(url, COURSE) as book:
        book.add_student("anora")
        assert names(url) == []
    assert names(url) == ["anora"]


def test_nothing_is_kept_of_a_body_that_fails(url: str) -> None:
    with pytest.raises(ZeroDivisionError), open_gradebook(url, COURSE) as book:
        book.add_student("anora")
        _ = 1 / 0
    assert names(url) == []
    with open_gradebook(url, COURSE) as book, pytest.raises(MissingEntry):
        book.find_student("anora")


def test_a_body_within_a_body_is_part_of_it(url: str) -> None:
    with pytest.raises(ZeroDivisionError), open_gradebook(url, COURSE) as book:
        with open_gradebook(url, COURSE) as same:
            same.add_student("anora")
        assert [student.id for student in book.students] == ["anora"]
        _ = 1 / 0
    assert names(url) == []


def test_a_step_of_nbgrader_gets_the_open_one_and_does_not_close_it(url: str) -> None:
    with open_gradebook(url, COURSE) as book:
        book.add_student("anora")
        with saveautogrades.Gradebook(url) as same:
            same.add_student("behruz")
        assert len(book.students) == 2
        assert names(url) == []
    assert names(url) == ["anora", "behruz"]


def test_with_none_open_a_step_of_nbgrader_opens_it_itself(url: str) -> None:
    with saveautogrades.Gradebook(url) as own:
        own.add_student("anora")
        assert names(url) == ["anora"]


def test_a_gradebook_put_in_the_place_of_another_is_the_one_that_is_opened(url: str, tmp_path: Path) -> None:
    with open_gradebook(url, COURSE) as book:
        book.add_student("anora")
    other = tmp_path / "other"
    other.mkdir()
    with open_gradebook(f"sqlite:///{other}/gradebook.db", COURSE) as book:
        book.add_student("behruz")
    with open_gradebook(url, COURSE):
        pass
    (tmp_path / "gradebook.db").unlink()
    shutil.move(other / "gradebook.db", tmp_path / "gradebook.db")
    with open_gradebook(url, COURSE) as book:
        assert [student.id for student in book.students] == ["behruz"]

"""Every secret lies where it should, and nowhere where a student may look."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacks.corpus import SECRETS
from attacks.victim import ASSIGNMENT, FULL_MARKS, World, build_victim, copy_victim
from shared import Once

from autograder.grading.course import Course


@pytest.fixture
def world(once: Once, tmp_path: Path) -> World:
    return copy_victim(once("victim", build_victim), tmp_path / "world")


def test_every_secret_has_a_text_of_its_own(world: World) -> None:
    assert set(world.markers) == set(SECRETS) and len(set(world.markers.values())) == len(SECRETS)


@pytest.mark.parametrize(
    ("secret", "place"),
    [
        ("hidden checks", f"course/source/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"),
        ("solution", f"course/source/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"),
        ("gradebook", "course/gradebook.db"),
        ("classmate", f"course/submitted/classmate/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"),
        ("home", "home/.token"),
    ],
)
def test_a_secret_lies_in_its_place(world: World, secret: str, place: str) -> None:
    assert world.markers[secret].encode() in (world.root / place).read_bytes()


def test_the_hidden_checks_of_both_kinds_of_cells_are_secret(world: World) -> None:
    text = (world.course / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_text(encoding="utf-8")
    for secret in ("hidden checks", "solution"):
        assert text.count(world.markers[secret]) >= 2


def test_the_environment_holds_its_secret_and_nothing_of_whoever_runs_the_tests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE", "x")
    assert world.environment()["LMS_TOKEN"] == world.markers["environment"]
    assert "PRIVATE" not in world.environment()


def test_what_is_released_holds_no_secret(world: World) -> None:
    for path in (world.course / "release").rglob("*"):
        if path.is_file():
            assert not any(marker.encode() in path.read_bytes() for marker in world.markers.values())


def test_full_marks_are_those_of_the_gradebook(world: World) -> None:
    with Course(world.course).gradebook() as gradebook:
        assert gradebook.find_assignment(ASSIGNMENT).max_score == FULL_MARKS

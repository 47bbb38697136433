"""Random draws on one side are draws on the other, and nobody can set the judge's dice."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.judge.codec import CodecError
from autograder.judge.generators import FARTHEST, advance, distances, set_states, states


@pytest.fixture(autouse=True)
def _keep_the_generators() -> Iterator[None]:
    before = states()
    yield
    set_states(before)


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def draw() -> tuple[float, ...]:
    return random.random(), float(np.random.rand()), torch.rand(1).item()


@given(st.integers(0, 2**31), st.lists(st.integers(0, 2000), min_size=4, max_size=4))
def test_a_distance_leads_to_the_same_next_draws(number: int, sizes: list[int]) -> None:
    seed(number)
    np.random.rand(sizes[0])
    before = states()
    for _ in range(sizes[1]):
        random.random()
    np.random.rand(sizes[2])
    torch.rand(sizes[3])
    told = distances(before)
    wanted = draw()
    set_states(before)
    advance(told)
    assert draw() == wanted


def test_no_draw_is_no_distance() -> None:
    assert distances(states()) == {}


def test_a_generator_that_was_seeded_anew_stays_where_it_was() -> None:
    seed(1)
    before = states()
    seed(2)
    after = states()
    assert distances(before) == {}
    assert states() == after


@pytest.mark.parametrize("told", [[], {"random": "1"}, {"random": 1.0}, {1: None}, 7])
def test_a_distance_of_another_form_is_refused(told: object) -> None:
    with pytest.raises(CodecError):
        advance(told)


@pytest.mark.parametrize("told", [{"random": FARTHEST + 1}, {"numpy": -1}, {"dice": 3}])
def test_a_distance_that_cannot_be_moves_nothing(told: dict[str, int]) -> None:
    before = states()
    advance(told)
    assert states() == before

"""Random numbers: repeatable from their label, fresh without, and none of the notebook's business."""

from __future__ import annotations

import copy
import random

import numpy
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.student.rng import Rng, fresh_seed, seeded_globals

SEEDS = st.integers(0, 10**6)
NAMES = st.text("abcdefgh_", min_size=1)


class TestRng:
    @given(SEEDS, NAMES)
    def test_the_same_label_gives_the_same_numbers(self, seed: int, name: str) -> None:
        one, two = Rng(seed, "x.y", name), Rng(seed, "x.y", name)
        assert [one.random() for _ in range(5)] == [two.random() for _ in range(5)]
        assert (one.numpy.integers(10**9, size=5) == two.numpy.integers(10**9, size=5)).all()
        assert torch.equal(torch.rand(5, generator=one.torch), torch.rand(5, generator=two.torch))

    @given(SEEDS, SEEDS, NAMES, NAMES)
    def test_another_label_gives_other_numbers(self, a: int, b: int, first: str, second: str) -> None:
        if (a, first) != (b, second):
            assert Rng(a, "x", first).random() != Rng(b, "x", second).random()

    def test_the_label_alone_decides_across_machines(self) -> None:
        first_seven_bytes = 0xBF1D987701909D  # printf 1/a | sha256sum
        assert Rng(1, "a").randint(0, 999) == random.Random(first_seven_bytes).randint(0, 999)

    def test_is_a_random_number_generator_of_python(self) -> None:
        rng = Rng(1, "a")
        twin = copy.deepcopy(rng)
        assert isinstance(rng, random.Random)
        assert rng.sample(range(100), 5) == twin.sample(range(100), 5)


class TestFreshSeed:
    def test_can_be_typed(self) -> None:
        assert all(0 <= fresh_seed() < 10**6 for _ in range(100))

    def test_does_not_depend_on_the_global_generator(self) -> None:
        seeds = set()
        for _ in range(20):
            with seeded_globals(1):
                seeds.add(fresh_seed())
        assert len(seeds) > 15


class TestSeededGlobals:
    @staticmethod
    def draws() -> tuple[float, float, float]:
        return random.random(), float(numpy.random.rand()), float(torch.rand(()))

    @given(st.integers(0, 2**56))
    def test_the_body_draws_the_same_each_time(self, number: int) -> None:
        with seeded_globals(number):
            first = self.draws()
        with seeded_globals(number):
            assert self.draws() == first

    @given(SEEDS, SEEDS)
    def test_what_comes_after_is_as_if_nothing_had_been_drawn(self, start: int, number: int) -> None:
        def seed() -> None:
            random.seed(start)
            numpy.random.seed(start)
            torch.manual_seed(start)

        with seeded_globals(0):  # the test's own draws are put back too
            seed()
            undisturbed = self.draws()
            seed()
            with seeded_globals(number):
                self.draws()
            assert self.draws() == undisturbed

    def test_are_put_back_after_an_exception(self) -> None:
        before = random.getstate()
        try:
            with seeded_globals(1):
                random.random()
                raise ValueError
        except ValueError:
            pass
        assert random.getstate() == before

"""What a spoiler takes away from the arguments of a function, and what it notes of it."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy
import pandas
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.authoring.spoilers import Spoiler, defined, spoil

NUMBERS = st.lists(st.integers(1, 9))


@given(NUMBERS)
@pytest.mark.parametrize("kind", [list, set, deque, bytearray, Counter])
def test_a_container_is_emptied_and_one_that_was_empty_loses_nothing(kind: Any, numbers: list[int]) -> None:
    value = kind(numbers)
    assert spoil(value) == bool(numbers)
    assert len(value) == 0 and not spoil(value)


@given(st.lists(st.floats(-9, 9, width=32), min_size=1))
def test_arrays_and_tensors_become_zero_and_keep_their_size(numbers: list[float]) -> None:
    array, tensor = numpy.array(numbers), torch.tensor(numbers, requires_grad=True)
    spoil(array)
    assert spoil(tensor) == any(numbers)
    assert array.shape == tensor.shape == (len(numbers),)
    assert not array.any() and not tensor.any()


@pytest.mark.parametrize("table", [pandas.DataFrame({"a": [1, 2]}), pandas.Series([1, 2, 3], index=["a", "b", "b"])])
def test_a_table_loses_what_it_holds(table: Any) -> None:
    assert spoil(table) and table.size == 0 and not spoil(table)


@pytest.mark.parametrize("value", ["text", b"bytes", 7, None, range(3), frozenset({1}), numpy.float64(2.0)])
def test_what_cannot_be_changed_stays(value: Any) -> None:
    assert not spoil(value) and not spoil(value, 1)


def test_what_stands_in_a_container_is_emptied_one_level_down() -> None:
    inner = [1]
    outer = {"a": inner}
    assert spoil(outer, 1)
    assert outer == {"a": []} and outer["a"] is inner


def test_a_tuple_is_only_as_safe_as_what_it_holds() -> None:
    pair = ([1], "x")
    assert spoil(pair) and pair == ([], "x")


class TestASpoiler:
    def test_spoils_before_the_function_does_its_work(self) -> None:
        spoiler = Spoiler(0)
        numbers = [1, 2]
        assert spoiler.around(sum)(numbers) == 0
        assert numbers == [] and spoiler.times == 1

    def test_counts_only_what_was_lost(self) -> None:
        spoiler = Spoiler(0)
        assert spoiler.around(max)(3, 4) == 4
        assert spoiler.around(len)([]) == 0
        assert spoiler.times == 0

    def test_spoils_named_arguments(self) -> None:
        spoiler = Spoiler(0)
        assert spoiler.around(lambda *, words: words)(words=["a"]) == []

    def test_spoils_what_the_methods_of_a_class_are_given_but_not_the_object(self) -> None:
        class Words:
            def __init__(self, words: list[str]) -> None:
                self.words = list(words)

            def add(self, more: list[str]) -> list[str]:
                return self.words + more

        spoiler = Spoiler(0)
        made = spoiler.around(Words)(["a"])
        made.words = ["b"]
        assert made.add(["c"]) == ["b"] and spoiler.times == 2


def test_the_functions_and_classes_of_a_cell_are_found() -> None:
    assert defined("import os\ndef f():\n    def g(): ...\nclass C: ...\nx = 1") == ["f", "C"]

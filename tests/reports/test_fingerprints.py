"""What is changed in a copy first changes no fingerprint, and what is left of it is always found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports.hands import REMARKS, copied_with_other_names, with_other_remarks, with_remarks

from autograder.authoring.unit import find_units, read_unit
from autograder.reports.fingerprints import GRAM, WINDOW, Token, fingerprints, tokens

SOURCES = sorted(read_unit(find_units(["u04"])[0]).lesson.reference.values())


def values(source: str) -> set[int]:
    return {one.value for one in fingerprints(tokens(source))}


@given(st.sampled_from(SOURCES), st.integers(0, 10**6), st.sampled_from(["en", "tg", "ru"]))
def test_other_names_and_remarks_change_nothing(source: str, seed: int, language: str) -> None:
    rng = random.Random(seed)
    copied = with_other_remarks(with_remarks(source, REMARKS["en"], rng), language)
    assert values(copied_with_other_names(copied, rng)) == values(source)


def test_spaces_lines_and_docstrings_change_nothing() -> None:
    plain = "def f(a, b):\n    c = [a, b]\n    for d in c:\n        print(d, a + b)\n    return c\n"
    other = 'def f(x, y):\n\n  """Says it."""\n  z=[x,\n     y]\n  for w in z:  # all\n    print(w,x+y)\n  return z'
    assert values(plain) == values(other) != set()


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.data())
def test_a_shared_run_is_always_found(around: list[str], data: st.DataObject) -> None:
    """The guarantee of winnowing."""
    run = data.draw(st.lists(st.sampled_from("abcdefgh"), min_size=GRAM + WINDOW - 1, max_size=40))
    other = data.draw(st.lists(st.sampled_from("ijkl"), max_size=30))
    texts = ([*around, *run, *other], [*other, *run, *around])
    found = [{one.value for one in fingerprints([Token(text, 0) for text in one])} for one in texts]
    assert found[0] & found[1]


@given(st.text(max_size=300))
def test_whatever_was_handed_in_has_tokens_on_its_own_lines(source: str) -> None:
    lines = source.count("\n") + 1
    assert all(0 <= token.line < lines for token in tokens(source))
    for one in fingerprints(tokens(source)):
        assert 0 <= one.first <= one.last < lines


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("total = sum(x)", ["V", "=", "sum", "(", "V", ")"]),
        ("np.mean(a) # b", ["np", ".", "mean", "(", "V", ")"]),
        ("np = 1", ["V", "=", "N"]),
        ("x = 'a' if y else \"b\"", ["V", "=", "S", "if", "V", "else", "S"]),
        ("f'{x}'", []),
    ],
)
def test_tokens(source: str, expected: list[str]) -> None:
    assert [token.text for token in tokens(source, {"np"})] == expected

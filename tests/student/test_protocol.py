"""The vocabulary of checks."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.authoring.messages import check_texts
from autograder.student.protocol import Check, Wrong, expect, load_checks, raises
from autograder.student.running import State

TWO = '''
from autograder.student import check

@check("a.b", points=2)
def first(student, rng):
    """The first
    property.

    And more.
    """

@check("a.c", points=0.5, seconds=3)
def second(student, rng):
    """The second property."""
'''


class TestChecks:
    def test_are_found_in_their_order(self) -> None:
        first, second = load_checks(TWO, "<checks>")
        assert (first.exercise, first.name, first.points, first.seconds) == ("a.b", "first", 2, 10)
        assert (second.exercise, second.name, second.points, second.seconds) == ("a.c", "second", 0.5, 3)

    def test_state_their_property_in_the_first_paragraph(self) -> None:
        assert [check.sentence for check in load_checks(TWO, "<checks>")] == [
            "The first property.",
            "The second property.",
        ]

    def test_of_two_files_are_not_mixed(self) -> None:
        assert len(load_checks(TWO, "<one>")) == len(load_checks(TWO, "<two>")) == 2

    def test_raise_to_their_author(self) -> None:
        with pytest.raises(ZeroDivisionError):
            load_checks("1 / 0", "<checks>")

    @given(st.lists(st.text("abc .", min_size=1, max_size=12), min_size=1, max_size=5), st.booleans())
    def test_have_the_sentence_that_translators_see(self, lines: list[str], blank_with_spaces: bool) -> None:
        blank = "    " if blank_with_spaces else ""
        body = ('"""' + f"\n{blank}\n".join(lines) + '\n"""').strip()
        head = 'from autograder.student import check\n@check("a", points=1)\ndef f(student, rng):\n'
        source = f"{head}{indent(body, '    ')}\n"
        theirs = [text for text, _ in check_texts(Path("checks.py"), source, 0)]
        assert theirs == [check.sentence for check in load_checks(source, "<checks>") if check.sentence]


class TestExpect:
    @pytest.mark.parametrize("holds", [True, 1, [0], "x"])
    def test_passes_what_is_true(self, holds: object) -> None:
        expect(holds)

    @pytest.mark.parametrize("fails", [False, 0, [], "", None])
    def test_carries_hint_and_evidence_of_what_is_not(self, fails: object) -> None:
        with pytest.raises(Wrong) as caught:
            expect(fails, hint="Look.", input=1, got=2)
        assert (caught.value.hint, caught.value.evidence) == ("Look.", {"input": 1, "got": 2})


class TestRaises:
    def test_passes_if_the_exception_comes(self) -> None:
        with raises(ValueError, KeyError):
            raise KeyError

    def test_is_wrong_if_none_comes(self) -> None:
        with pytest.raises(Wrong, match="Refuse it"), raises(ValueError, hint="Refuse it."):
            pass

    CASES = (
        # what the learner's function does, what the check asks for, the state
        ("raise ValueError", "ValueError", State.RIGHT),
        ("raise UnicodeError", "ValueError", State.RIGHT),
        ("raise KeyError", "ValueError", State.CRASHED),
        ("return 3", "ValueError", State.WRONG),
        ("raise NotImplementedError()", "RuntimeError", State.NOT_ATTEMPTED),
        ("raise NotImplementedError()", "Exception", State.NOT_ATTEMPTED),
        ("raise NotImplementedError()", "NotImplementedError", State.RIGHT),
        ("assert x", "AssertionError", State.RIGHT),
        ("return 3", "AssertionError", State.WRONG),
        ("\n    while True: pass", "BaseException", State.TIMED_OUT),
    )

    @pytest.mark.parametrize(("act", "kind", "state"), CASES)
    def test_tells_the_learners_exception_from_all_else(self, ask: Any, act: str, kind: str, state: State) -> None:
        outcome = ask(f"def f(x): {act}", f"with raises({kind}): student.f(0)", seconds=0.2)
        assert outcome.state is state

    def test_a_missing_name_is_not_the_exception(self, ask: Any) -> None:
        assert ask("", "with raises(Exception): student.f(0)").state is State.NOT_ATTEMPTED

    def test_a_failed_expectation_within_is_not_the_exception(self, ask: Any) -> None:
        body = "with raises(Exception):\n    expect(student.f(0) == 1, hint='One.')"
        assert ask("def f(x): return 0", body).hint == "One."


def test_a_public_check_is_worth_nothing() -> None:
    def holds(student: Any, rng: Any) -> None:
        """It holds."""

    assert Check.of(holds, "a", 0, 10).points == 0

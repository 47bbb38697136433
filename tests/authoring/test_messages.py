"""The texts of a unit, and markdown cut into paragraphs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import SUMS, Break

from autograder.authoring.messages import Role, messages, paragraphs, translatable
from autograder.authoring.unit import read_unit


def texts(markdown: str) -> list[str]:
    return [text for text, _ in paragraphs(markdown)]


class TestParagraphs:
    def test_end_at_an_empty_line(self) -> None:
        assert list(paragraphs("a\n\nb\n\n\nc")) == [("a", 0), ("b", 2), ("c", 5)]

    def test_of_plain_words_are_joined(self) -> None:
        assert texts("one\ntwo  three\n   four") == ["one two three four"]

    KEPT = (
        "- one\n- two",
        "* one\n  more\n* two",
        "1. one\n2. two",
        "1) one\n2) two",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "> said\n> again",
        "# Title\n## Next",
        "Title\n=====",
        "Title\n-----",
        "    code = 1\n    more = 2",
        "a hard break  \nafter it",
        "a hard break\\\nafter it",
        "words and then\n- a list",
        "```python\nx  =  1\n\n\ny = 2\n```",
        "~~~\nx  =  1\n~~~",
        "````\n```\nx\n```\n````",
        "```\nnever closed\n\n  x",
    )

    @pytest.mark.parametrize("markdown", KEPT)
    def test_whose_lines_mean_something_keep_them(self, markdown: str) -> None:
        assert texts(markdown) == [markdown]

    def test_a_fenced_block_stands_alone_wherever_it_stands(self) -> None:
        markdown = "Look at\nthis:\n```python\nx  =  1\n\ny = 2\n```\nand go\non."
        assert list(paragraphs(markdown)) == [
            ("Look at this:", 0),
            ("```python\nx  =  1\n\ny = 2\n```", 2),
            ("and go on.", 7),
        ]

    @pytest.mark.parametrize("fence", ["```", "```python", "~~~", "  ```"])
    def test_a_fenced_block_is_not_translated(self, fence: str) -> None:
        assert not translatable(f"{fence}\nx\n{fence[:3]}")

    @given(st.lists(st.text("ab`~#- .1)>|\\", max_size=8), max_size=12))
    def test_lose_no_word_and_know_their_line(self, lines: list[str]) -> None:
        markdown = "\n".join(lines)
        found = list(paragraphs(markdown))
        assert "".join(re.sub(r"\s", "", text) for text, _ in found) == re.sub(r"\s", "", markdown)
        for text, number in found:
            assert text.split("\n")[0].split()[0] == lines[number].split()[0]

    @given(st.lists(st.text("ab`~#- .1)>|", max_size=8), max_size=12))
    def test_put_together_again_are_the_same_paragraphs(self, lines: list[str]) -> None:
        once = texts("\n".join(lines))
        assert texts("\n\n".join(once)) == once or any("```" in line or "~~~" in line for line in lines)


class TestMessages:
    def test_are_every_text_a_learner_can_meet(self) -> None:
        unit = read_unit(SUMS)
        by_role = {role: [m.text for m in messages(unit) if m.role is role] for role in Role}
        assert by_role[Role.PROSE] == [
            "Sums",
            "How much water does a field take in a week?",
            "Add numbers up.",
            "# Sums",
            "How much water does a field take in a week?",
            r"Write `total`, the sum $\sum_i x_i$ of a list.",
            "Now the part of them that is over a limit.",
        ]
        assert by_role[Role.EXERCISE] == ["Add up", "Start from zero.", "Add one number at a time.", "Over the limit"]
        assert by_role[Role.PUBLIC_CHECK] == ["Two numbers are added.", "Add the numbers up one after the other."]
        assert set(by_role[Role.HIDDEN_CHECK]) == {check.sentence for check in unit.checks} | {
            "Does every number count, negative ones too?",
            "What is in the list when nothing is in it?",
            "Look at {input} again.",
            "Compare with > and with >=.",
        }

    def test_know_where_they_stand(self) -> None:
        for message in messages(read_unit(SUMS)):
            line = message.path.read_text(encoding="utf-8").splitlines()[message.line - 1]
            if message.role in (Role.PROSE, Role.EXERCISE) or "hint=" in line:
                assert message.text in line
            else:
                assert line.startswith("def ")

    def test_both_hints_of_a_condition_are_told(self, break_unit: Break) -> None:
        folder = break_unit("checks.py", 'hint="Look at {input} again."', 'hint="One." if got else "Two."')
        assert {"One.", "Two."} <= {message.text for message in messages(read_unit(folder))}

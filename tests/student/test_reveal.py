"""What a course at hand shows to somebody who studies alone."""

from __future__ import annotations

import pytest
from shared import SUMS

from autograder.student import reveal


def test_the_hidden_checks_of_an_exercise_are_its_own() -> None:
    assert [check.name for check in reveal.checks(SUMS / "checks.py", "sums.over")] == [
        "keeps_what_is_over_the_limit",
        "the_limit_itself_is_not_over",
    ]
    assert reveal.checks(SUMS / "checks.py", "sums") == []


@pytest.mark.parametrize(("exercise", "line"), [("sums.total", "result += number"), ("sums.over", "number > limit")])
def test_the_solution_of_an_exercise_is_its_cell_without_markers(exercise: str, line: str) -> None:
    text = reveal.solution(SUMS / "lesson.py", exercise)
    assert line in text and "###" not in text and "%%" not in text
    assert text.count("def ") == 1
    compile(text, "<solution>", "exec")


def test_an_exercise_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match=r"no exercise sums\.totals"):
        reveal.solution(SUMS / "lesson.py", "sums.totals")


def test_a_note_escapes_its_text() -> None:
    assert reveal.Note("<b>")._repr_html_() == '<p class="ustod" style="margin:4px 8px">&lt;b&gt;</p>'
    assert reveal.Note("x", code=True)._repr_html_().startswith("<pre")

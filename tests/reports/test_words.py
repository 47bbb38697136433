"""The words of the pages that people read after grading."""

from __future__ import annotations

import re

import pytest

from autograder.kernel.limits import Limits, Reason
from autograder.reports.exercises import in_words
from autograder.reports.words import words


@pytest.mark.parametrize("reason", Reason)
def test_a_limit_that_was_hit_is_told_in_the_students_language_with_its_number(reason: Reason) -> None:
    sentence = reason.sentence(Limits())
    assert in_words(sentence, words("en")) == sentence
    told = in_words(f"The student's process has ended. {sentence}", words("tg"))
    assert not re.search(r"[A-Za-z]{4}", re.sub(r"exit\(\)|os\._exit\(\)", "", told)), told
    assert re.findall(r"\d+", told) == re.findall(r"\d+", sentence)


def test_what_nobody_has_words_for_is_told_as_it_was_said() -> None:
    told = in_words("The process announced a message of 7 bytes.", words("ru"))
    assert told.endswith("The process announced a message of 7 bytes.") and told.startswith("Процесс")

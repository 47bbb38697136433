"""The words of the lab's pages."""

from __future__ import annotations

import re

import pytest

from autograder.hub.words import CATALOGS, best_language, hub_texts
from autograder.student.texts import TRANSLATIONS, read_catalog


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_text_is_translated_with_its_fields(language: str) -> None:
    catalog = read_catalog(CATALOGS, language)
    for text in hub_texts():
        assert text in catalog, text
        assert sorted(re.findall(r"\{\w+\}", catalog[text])) == sorted(re.findall(r"\{\w+\}", text))
    assert set(catalog) == set(hub_texts()), "what nobody says any more goes"


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("ru", "tg", "ru"),
        ("xx", "ru", "ru"),
        (None, "en;q=0.3, ru-RU;q=0.8, de", "ru"),
        (None, "de, fr;q=0.9", "tg"),
        (None, "ru;q=0, en", "en"),
        (None, "ru;q=nonsense,,;;q=1", "tg"),
        (None, "", "tg"),
    ],
)
def test_a_reader_gets_the_language_they_chose_or_the_browser_does(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert best_language(chosen, accepted, ["tg", "ru", "en"]) == language

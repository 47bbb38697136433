"""The words of the Course page."""

from __future__ import annotations

import re

import pytest

from autograder.lab.words import CATALOGS, page_texts
from autograder.student.texts import TRANSLATIONS, read_catalog


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_text_is_translated_with_its_fields(language: str) -> None:
    catalog = read_catalog(CATALOGS, language)
    for text in page_texts():
        assert text in catalog, text
        assert sorted(re.findall(r"\{\w+\}", catalog[text])) == sorted(re.findall(r"\{\w+\}", text))
    assert set(catalog) == set(page_texts()), "what nobody says any more goes"

"""The words of the interface are all translated."""

from __future__ import annotations

import string

import polib
import pytest

from autograder.authoring.interface import FOLDER, interface_texts


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", ["tg", "ru"])
def test_every_text_has_a_translation_with_the_same_fields(language):
    translations = {entry.msgid: entry.msgstr for entry in polib.pofile(str(FOLDER / f"{language}.po"))}
    for text in interface_texts():
        assert translations.get(text), f"{language}: {text}"
        assert fields(translations[text]) == fields(text)

"""Which language a reader gets, and that every text of a program is there in it."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import polib
import pytest

from autograder.authoring import interface
from autograder.hub import words as hub
from autograder.lab import words as lab
from autograder.languages import best_language
from autograder.offline.mirror import words as mirror
from autograder.reports import words as reports
from autograder.student.texts import TRANSLATIONS

PROGRAMS: dict[str, tuple[Callable[[], list[str]], Path]] = {
    "notebooks": (interface.interface_texts, interface.FOLDER),
    "lab server": (hub.hub_texts, hub.CATALOGS),
    "Course page": (lab.page_texts, lab.CATALOGS),
    "mirror": (mirror.page_texts, mirror.CATALOGS),
    "reports": (reports.report_texts, reports.CATALOGS),
}


def fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_text_is_translated_with_its_fields_and_no_other_is(program: str, language: str) -> None:
    texts, catalogs = PROGRAMS[program]
    catalog = polib.pofile(str(catalogs / f"{language}.po"))
    translated = {entry.msgid: entry.msgstr for entry in catalog if entry.msgstr and not entry.fuzzy}
    assert set(translated) == set(texts()) == {entry.msgid for entry in catalog}
    for text, said in translated.items():
        assert fields(said) == fields(text), text


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("ru", "tg", "ru"),
        ("xx", "ru", "ru"),
        ("xx", "tg;q=0.5,ru;q=0.9", "ru"),
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

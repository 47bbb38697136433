"""The words of the Course page."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from autograder.student.texts import Texts, read_catalog

HERE = Path(__file__).parent
#: Translations, for translators; `ustod catalog` keeps them up to date.
CATALOGS = HERE / "po"
#: Languages by the names that their speakers call them.
NAMES = {"en": "English", "tg": "Тоҷикӣ", "ru": "Русский"}
#: What the page answers to a file that was carried here.
ANSWERS = (
    "{count} new lines were taken in.",
    "This file holds no progress; choose one that this page has saved.",
    "The progress could not be written ({why}); make room on the disk.",
)


@lru_cache
def words(language: str) -> Texts:
    """What says a text of the page in `language`. Code and templates call it `say`."""
    return Texts(language, read_catalog(CATALOGS, language))


def page_texts() -> list[str]:
    """Every text that the page says and that the notebooks' own catalog does not have."""
    from autograder.authoring.interface import interface_texts, texts_said

    elsewhere = set(interface_texts())
    return [text for text in dict.fromkeys([*texts_said(HERE), *ANSWERS]) if text not in elsewhere]

"""The words of the hub's pages, in the reader's language."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from autograder.languages import said_in
from autograder.student.texts import Texts, read_catalog

HERE = Path(__file__).parent
#: Translations, for translators; `ustod catalog` keeps them up to date.
CATALOGS = HERE / "po"
TEMPLATES = HERE / "templates"


@lru_cache
def words(language: str) -> Texts:
    """What says a text of the pages in `language`. Code and templates call it `say`."""
    return Texts(language, read_catalog(CATALOGS, language))


def page_texts() -> list[str]:
    """Every text of the pages."""
    return said_in(HERE)

"""The words of the lab's own pages and slips, and in which language a browser gets them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.hub.passwords import REFUSALS
from autograder.languages import NAMES, best_language, said_in
from autograder.student.texts import Texts, read_catalog

HERE = Path(__file__).parent
#: Translations, for translators; `ustod catalog` keeps them up to date.
CATALOGS = HERE / "po"
#: Templates of the hub's pages; they go before the hub's own in `JupyterHub.template_paths`.
TEMPLATES = HERE / "templates"

__all__ = ["CATALOGS", "NAMES", "TEMPLATES", "best_language", "hub_texts", "page_words", "words"]


@lru_cache
def words(language: str) -> Texts:
    """What says a text of the lab's pages in `language`. Code and templates call it `say`."""
    return Texts(language, read_catalog(CATALOGS, language))


def page_words(language_of: Callable[[Any], str]) -> dict[str, Callable[[Any], object]]:
    """What `JupyterHub.template_vars` must hold for our templates: the hub calls each with its user, or None."""
    return {"language": language_of, "say": lambda user: words(language_of(user))}


def hub_texts() -> list[str]:
    """Every text that the templates and modules of the lab pass to `say`, and the answers to a refused password."""
    return list(dict.fromkeys([*REFUSALS, *said_in(HERE)]))

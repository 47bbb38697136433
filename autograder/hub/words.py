"""The words of the lab's own pages and slips, and in which language a browser gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.hub.passwords import REFUSALS
from autograder.lab.words import NAMES as NAMES
from autograder.student.texts import Texts, read_catalog

HERE = Path(__file__).parent
#: Translations, for translators; `ustod catalog` keeps them up to date.
CATALOGS = HERE / "po"
#: Templates of the hub's pages; they go before the hub's own in `JupyterHub.template_paths`.
TEMPLATES = HERE / "templates"


@lru_cache
def words(language: str) -> Texts:
    """What says a text of the lab's pages in `language`. Code and templates call it `say`."""
    return Texts(language, read_catalog(CATALOGS, language))


def page_words(language_of: Callable[[Any], str]) -> dict[str, Callable[[Any], object]]:
    """What `JupyterHub.template_vars` must hold for our templates: the hub calls each with its user, or None."""
    return {"language": language_of, "say": lambda user: words(language_of(user))}


def best_language(chosen: str | None, accepted: str, languages: Sequence[str]) -> str:
    """The language for a reader: what they have `chosen`, else what their browser accepts, else the lab's first.

    Args:
        accepted: the value of the header Accept-Language.
    """
    if chosen in languages:
        return str(chosen)
    wishes = []
    for position, part in enumerate(accepted.split(",")):
        name, _, rest = part.partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        if weight > 0:
            wishes.append((-weight, position, name.strip().split("-")[0].lower()))
    return next((name for _, _, name in sorted(wishes) if name in languages), languages[0])


def hub_texts() -> list[str]:
    """Every text that the templates and modules of the lab pass to `say`, and the answers to a refused password."""
    from autograder.authoring.interface import texts_said

    return list(dict.fromkeys([*REFUSALS, *texts_said(HERE)]))

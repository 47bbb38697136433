"""The words of the pages that people read after grading."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from autograder.student.texts import Texts, read_catalog

HERE = Path(__file__).parent
#: Translations, for translators; `ustod catalog` keeps them up to date.
CATALOGS = HERE / "po"
#: What nbgrader writes beside a text cell that nobody has filled in.
NO_RESPONSE = "No response."
#: What the judge says of time that is over, and what a learner is told; `autograder.kernel.limits` has the others.
ENDINGS = {
    "The cell was stopped after {seconds} seconds.": "Your cell was stopped after {seconds} seconds; look for a loop "
    "that does not end.",
    "The test was stopped after {seconds} seconds.": "The check was stopped after {seconds} seconds; look for a loop "
    "that does not end.",
}


@lru_cache
def words(language: str) -> Texts:
    """What says a text of these pages in `language`. Code and templates call it `say`."""
    return Texts(language, read_catalog(CATALOGS, language))


def report_texts() -> list[str]:
    """Every text that these pages say and that the notebooks' own catalog does not have."""
    from autograder.authoring.interface import interface_texts, texts_said
    from autograder.kernel.limits import SENTENCES

    elsewhere = set(interface_texts())
    found = [*texts_said(HERE), *SENTENCES.values(), *ENDINGS.values(), NO_RESPONSE]
    return [text for text in dict.fromkeys(found) if text not in elsewhere]

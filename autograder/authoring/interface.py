"""The words of the interface itself, which stand in `autograder/student/po` for translators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polib

import autograder
from autograder.authoring.notebook import STALE_BANNER
from autograder.languages import passed_to
from autograder.student.table import EXPLANATION, LABEL, WORD
from autograder.student.unit import UNKNOWN_EXERCISE

FOLDER = Path(next(iter(autograder.__path__))) / "student" / "po"


def interface_texts() -> list[str]:
    """Every text that the code passes to `Texts`, and those that it looks up by state or by kind of evidence."""
    found = [*WORD.values(), *LABEL.values(), *EXPLANATION.values(), STALE_BANNER, UNKNOWN_EXERCISE]
    for path in sorted(FOLDER.parent.parent.rglob("*.py")):
        found += passed_to("texts", path)
    return list(dict.fromkeys(found))


def update_interface_catalog(
    language: str, texts: Sequence[str] | None = None, folder: Path = FOLDER
) -> tuple[int, int]:
    """Bring the catalog for `language` in `folder` up to date with `texts`, by default those of the interface.

    Returns:
        the numbers of translated and of all texts.
    """
    texts = interface_texts() if texts is None else texts
    template = polib.POFile(wrapwidth=120)
    template.extend(polib.POEntry(msgid=text) for text in texts)
    path = folder / f"{language}.po"
    catalog = polib.pofile(str(path), wrapwidth=120) if path.is_file() else polib.POFile(wrapwidth=120)
    catalog.metadata = {"Language": language, "Content-Type": "text/plain; charset=UTF-8"}
    catalog.merge(template)
    catalog.save(str(path))
    return len(catalog.translated_entries()), len(texts)

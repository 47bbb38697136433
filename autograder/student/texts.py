"""The words a learner reads around a check, in their language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

LANGUAGES = ("en", "tg", "ru")
#: Those that texts are translated into.
TRANSLATIONS = LANGUAGES[1:]
_FIELD = re.compile(r"\{([A-Za-z_]\w*)\}")


class Texts:
    """Translate a source text and fill its ``{name}`` fields; a text without a translation stays as it is.

    A field that nobody filled, and any other brace, is shown as it is written rather than raising in a learner's face.

    Args:
        language: one of `LANGUAGES`.
        messages: translations of the unit's own texts, beside those of the interface.
    """

    def __init__(self, language: str = "en", messages: Mapping[str, str] | None = None) -> None:
        self.language = language
        self._messages = {**(read_catalog(Path(__file__).parent / "po", language)), **(messages or {})}

    def __call__(self, text: str, /, **fields: object) -> str:
        translated = self._messages.get(text) or text
        return _FIELD.sub(lambda field: str(fields.get(field[1], field[0])), translated)


@lru_cache
def read_catalog(folder: Path, language: str) -> Mapping[str, str]:
    """The finished translations in ``folder/<language>.po`` by source text; empty for English or without a file."""
    path = folder / f"{language}.po"
    if language == "en" or not path.is_file():
        return {}
    import polib  # pure Python; only a translated notebook needs it

    return {entry.msgid: entry.msgstr for entry in polib.pofile(str(path)) if entry.msgstr and not entry.fuzzy}

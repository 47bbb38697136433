"""Pages that show a student's notebook: in formgrader, where an instructor is logged in, and as feedback.

nbgrader puts what a notebook holds into the page as it is, so that a script in it could grade its own author. The
configuration that `ustod build` writes has nbconvert use the filters and the template of this module instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bleach
import nbgrader
from bleach.css_sanitizer import ALLOWED_CSS_PROPERTIES, CSSSanitizer
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters import get_metadata
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from autograder.reports.rubrics import rubric_of

#: For `HTMLExporter.filters`: names of filters in nbconvert's templates, and what stands in for them.
FILTERS = {
    "clean_html": f"{__name__}.harmless_html",
    "markdown2html": f"{__name__}.harmless_markdown",
    "get_metadata": f"{__name__}.harmless_metadata",
}
#: For `HTMLExporter.extra_template_basedirs`: ours, which asks nothing of the network, before nbgrader's.
TEMPLATES = [
    str(Path(__file__).with_name("templates")),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]

_TABLE = {"table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"}
_TEXT = {"p", "div", "span", "pre", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "sub", "sup", "s", "u", "small"}
_TAGS = {*bleach.ALLOWED_TAGS, *_TABLE, *_TEXT, "img"}
_PLAIN = {"title", "alt", "lang", "style", "scope", "colspan", "rowspan", "data-state"}
_STYLES = [
    *(f"{box}{side}" for box in ("padding", "margin", "border") for side in ("", "-left", "-right", "-top", "-bottom")),
    *("border-collapse", "table-layout", "max-width", "max-height", "overflow-wrap"),
]
_CSS = CSSSanitizer(allowed_css_properties=[*ALLOWED_CSS_PROPERTIES, *_STYLES])
#: Style that asks another server for something, or moves what it styles over something else.
_TRICK = re.compile(r"url|\\|(^|[\s:(])-\s*[\d.]", re.IGNORECASE)
_SILENT = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)


def harmless_html(html: str | bytes) -> str:
    """What of `html` only shows something: no script, no form, nothing from another server or laid over the page."""
    text = html.decode() if isinstance(html, bytes) else str(html)
    return _clean(_SILENT.sub("", text), _shows)


@pass_context
def harmless_markdown(context: Context, source: str) -> str:
    """Markdown as HTML of the same kind; HTML that is written in it is shown as it was written."""
    if (rubric := rubric_of(context)) is not None:
        return rubric
    cell: Any = context.get("cell", {})
    renderer = IPythonRenderer(escape=True, attachments=cell.get("attachments", {}), exclude_anchor_links=True)
    return _clean(MarkdownWithMath(renderer=renderer).render(source), _shows_or_colours)


def _clean(html: str, attributes: Callable[[str, str, str], bool]) -> str:
    protocols = {*bleach.ALLOWED_PROTOCOLS, "data"}
    clean: str = bleach.clean(html, _TAGS, attributes, protocols, strip=True, css_sanitizer=_CSS)
    return clean


def _shows(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and not value.lower().startswith("data:")
    if name == "src":
        return tag == "img" and (value.startswith("data:image/") or not re.match(r"[\w+.-]*:|[/\\]", value.strip()))
    return name in _PLAIN and not (name == "style" and _TRICK.search(value))


def _shows_or_colours(tag: str, name: str, value: str) -> bool:
    return _shows(tag, name, value) or name == "class"


def harmless_metadata(output: Any, key: str, mimetype: str | None = None) -> Any:
    """What a notebook says about one of its pictures, which a template puts into the page without quotes: a number."""
    value = get_metadata(output, key, mimetype)  # type: ignore[no-untyped-call]
    return value if key == "alt" or isinstance(value, int | float) else None

"""Cards as people read them: Markdown made into HTML in which nothing runs and nothing is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote, urlsplit

import bleach
from markdown_it import MarkdownIt
from markdown_it.token import Token

#: Letters of a card that are shown.
LONGEST = 200_000
_TAGS = {
    *("a", "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em"),
    *("strong", "s", "del", "table", "thead", "tbody", "tr", "th", "td", "img", "span"),
}
_ATTRIBUTES = {"a": ["href", "rel"], "img": ["src", "alt", "loading"], "ol": ["start"], "span": ["class"]}


@lru_cache(maxsize=64)
def render(text: str, base: str) -> str:
    """The HTML of a card's `text`; links and pictures without a host belong to the version at the address `base`."""
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    reader.add_render_rule("image", _picture)
    reader.add_render_rule("link_open", _link)
    html = reader.render(text[:LONGEST], {"base": base})
    return str(bleach.clean(html, _TAGS, _ATTRIBUTES, {"http", "https", "mailto"}, strip=True))


def _picture(self: Any, tokens: Sequence[Token], number: int, options: Any, env: dict[str, str]) -> str:
    token = tokens[number]
    alt, source = escape(token.content), str(token.attrs.get("src", ""))
    address = _own(source, env["base"])
    if address is None:
        return f'<span class="absent">{alt}</span>'
    return f'<img src="{escape(address)}" alt="{alt}" loading="lazy">'


def _link(self: Any, tokens: Sequence[Token], number: int, options: Any, env: dict[str, str]) -> str:
    target = str(tokens[number].attrs.get("href", ""))
    address = _own(target, env["base"])
    return f'<a href="{escape(target if address is None else address)}" rel="nofollow noopener noreferrer">'


def _own(target: str, base: str) -> str | None:
    """The address of a file of the repository that `target` names; None if it names something else."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    names = parts.path.split("/")
    if parts.scheme or parts.netloc or not parts.path or target.startswith(("/", "\\")) or ".." in names:
        return None
    kept = [name for name in names if name not in ("", ".")]
    return f"{base}/{quote('/'.join(kept), safe='/%')}"

"""Pages for people: in three languages, without a script, and with nothing in them that a card's author could run."""

from __future__ import annotations

import http.client
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.offline.mirror.markdown import render

PAGES = ["/", "/models", "/datasets", "/models?search=tiny", "/campus/tiny", "/campus/tiny/tree/main", "/gpt0"]
PAGES += ["/campus/tiny/commits/main", "/datasets/campus/rows", "/datasets/campus/rows/tree/main/data", "/no/such"]


def page(hub, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode(errors="replace")


class Attributes(HTMLParser):
    """All elements and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[tuple[str, str]] = []
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.addresses += [(tag, value or "") for name, value in attrs if name in ("href", "src", "action")]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_and_asks_no_other_server(library, path: str) -> None:
    status, headers, html = page(library, path)
    assert status == (404 if path == "/no/such" else 200)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; img-src 'self'")
    found = Attributes(html)
    assert not {"script", "iframe", "object", "style", "base"} & found.tags
    assert not [name for name in found.names if name.startswith("on") or name == "style"]
    assert all(address.startswith(("/", "?")) for tag, address in found.addresses if tag != "a")


@pytest.mark.parametrize("path", PAGES)
def test_links_of_a_page_lead_somewhere(library, path: str) -> None:
    for tag, address in Attributes(page(library, path)[2]).addresses:
        if address.startswith("/") and tag == "a":
            assert page(library, address)[0] == (404 if address.startswith("/no/such") else 200), address


def test_the_reader_s_language_is_the_browser_s_until_another_is_chosen(library) -> None:
    words = {"en": "Data sets", "tg": "Маҷмуаҳои маълумот", "ru": "Наборы данных"}
    for language, word in words.items():
        html = page(library, "/", **{"Accept-Language": f"{language}-XX,fr;q=0.5"})[2]
        assert word in html and f'<html lang="{language}">' in html
        _, headers, html = page(library, f"/?lang={language}", **{"Accept-Language": "en"})
        assert word in html
        cookie = headers["Set-Cookie"].split(";")[0]
        assert word in page(library, "/campus/tiny", **{"Accept-Language": "en", "Cookie": cookie})[2]


def test_a_page_says_what_a_model_is_and_how_to_use_it(library) -> None:
    html = page(library, "/campus/tiny")[2]
    for words in ("Хурд", "mit", "AutoModel.from_pretrained", f"HF_ENDPOINT={library.url}", "Салом!"):
        assert words in html
    assert "load_dataset" in page(library, "/datasets/campus/rows")[2]
    assert "There is no card" in page(library, "/datasets/campus/table", **{"Accept-Language": "en"})[2]
    assert "campus/tiny" in page(library, "/models?search=TINY")[2]
    assert "campus/tiny" not in page(library, "/models?search=gpt")[2]


def test_what_was_typed_is_shown_and_not_run(library) -> None:
    html = page(library, "/models?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")[2]
    assert "<script" not in html and "&lt;script&gt;" in html
    html = page(library, "/models?lang=en&x=%22%3E%3Cscript%3E")[2]
    assert "<script" not in html


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "![x](javascript:alert(1))",
    '![" onerror="alert(1)](a.png)',
    '[x](/a" onclick="alert(1))',
    "[x](data:text/html,<script>alert(1)</script>)",
    "![x](//evil.example/a.png)",
    "![x](https://evil.example/a.png)",
    "![x](\\\\evil.example\\a.png)",
    "[x](../../../etc/passwd)",
    '<a href="https://evil.example" style="position:fixed">x</a>',
    "| a |\n|---|\n| <iframe src=x> |",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_card_runs_or_is_fetched_from_elsewhere(text: str) -> None:
    harmless(render(text, "/campus/tiny/resolve/abc"))


@given(st.text(max_size=300) | st.lists(st.sampled_from([*HOSTILE, "[", "](", ")", "<", ">", '"', "\n"])).map("".join))
def test_nothing_of_any_card_does(text: str) -> None:
    harmless(render(text, "/campus/tiny/resolve/abc"))


def harmless(html: str) -> None:
    found = Attributes(html)
    assert found.names <= {"href", "rel", "src", "alt", "loading", "class", "start"}
    assert not {"script", "iframe", "style", "form", "input"} & found.tags
    for tag, address in found.addresses:
        if tag == "img":
            assert address.startswith("/campus/tiny/resolve/abc/") and ".." not in address
        else:
            assert not re.match(r"\s*(javascript|data|vbscript):", address, re.IGNORECASE)


def test_pictures_and_links_of_a_card_are_those_of_its_own_version() -> None:
    html = render("![a](img/б.png) [b](data/a.csv) [c](#top) [d](https://example.org/)", "/campus/tiny/resolve/abc")
    assert 'src="/campus/tiny/resolve/abc/img/%D0%B1.png"' in html
    assert 'href="/campus/tiny/resolve/abc/data/a.csv"' in html
    assert 'href="#top"' in html and 'href="https://example.org/"' in html

"""The table of an exercise: nothing by colour alone, nothing unescaped, the same in plain text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.student.running import Outcome, State
from autograder.student.table import EXPLANATION, LOOK, WORD, as_html, as_text, points
from autograder.student.texts import Texts

HOSTILE = "<script>alert(1)</script>\"'&`<b>`"
ALLOWED = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "b", "code", "pre", "p"}


def outcome(state: State = State.WRONG, **more: object) -> Outcome:
    return Outcome("a_check", "The sum is right.", 2.0, state, **more)  # type: ignore[arg-type]


class Page(HTMLParser):
    """The elements and the text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def html_of(*outcomes: Outcome, notes: tuple[str, ...] = (), title: str = "Add up", language: str = "en") -> Page:
    page = Page(as_html(title, outcomes, notes, Texts(language)))
    assert not page.open, "every element is closed"
    return page


class TestHtml:
    @pytest.mark.parametrize("state", State)
    def test_tells_every_state_by_a_word_and_a_mark(self, state: State) -> None:
        text = html_of(outcome(state)).text
        assert WORD[state] in text and LOOK[state][0] in text

    def test_no_two_states_share_word_or_mark(self) -> None:
        assert len({WORD[state] for state in State}) == len({LOOK[state][0] for state in State}) == len(State)

    def test_has_a_caption_and_scoped_headers(self) -> None:
        page = html_of(outcome(), outcome(State.RIGHT))
        assert len(list(page.all("caption"))) == 1
        scopes = [attributes.get("scope") for attributes in page.all("th")]
        assert scopes == ["col", "col", "col", "row", "row"]

    def test_names_its_language(self) -> None:
        assert next(html_of(outcome(), language="tg").all("div"))["lang"] == "tg"

    @pytest.mark.parametrize("state", State)
    def test_escapes_whatever_a_learner_or_a_check_says(self, state: State) -> None:
        hostile = outcome(
            state,
            hint=HOSTILE + "{got}",
            evidence={"got": HOSTILE, HOSTILE: HOSTILE},
            traceback=HOSTILE,
            missing=HOSTILE,
        )
        page = html_of(replace(hostile, sentence=HOSTILE), notes=(HOSTILE,), title=HOSTILE)
        assert {tag for tag, _ in page.elements} <= ALLOWED

    @given(st.text(), st.text())
    def test_escapes_any_text(self, text: str, title: str) -> None:
        page = html_of(outcome(hint=text, evidence={"got": text}), notes=(text,), title=title)
        assert {tag for tag, _ in page.elements} <= ALLOWED

    def test_asks_nothing_of_the_network_and_runs_nothing(self) -> None:
        page = html_of(*(outcome(state, traceback="a\nb") for state in State))
        for _, attributes in page.elements:
            assert not {"src", "href", "srcset"} & attributes.keys()
            assert not any(name.startswith("on") for name in attributes)
            assert "url(" not in (attributes.get("style") or "")

    @pytest.mark.parametrize("state", State)
    def test_colours_stand_out_on_light_and_dark(self, state: State) -> None:
        def luminance(colour: str) -> float:
            parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
            linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        for background in ("#ffffff", "#111111"):
            high, low = sorted((luminance(LOOK[state][1]), luminance(background)), reverse=True)
            assert (high + 0.05) / (low + 0.05) > 3

    def test_shows_points_only_where_there_are_some(self) -> None:
        assert "0 / 2" in html_of(outcome()).text
        assert "2 / 2" in html_of(outcome(State.RIGHT)).text
        public = html_of(replace(outcome(), points=0))
        assert "Points" not in public.text and len(list(public.all("td"))) == 1

    def test_of_nothing_is_still_a_table(self) -> None:
        assert len(list(html_of().all("table"))) == 1

    def test_shows_single_backticks_as_code_and_a_lone_one_as_it_is(self) -> None:
        assert "<code>x</code>" in as_html("t", [], ["see `x`"], Texts())
        assert "see `x<" in as_html("t", [], ["see `x"], Texts())


class TestText:
    @pytest.mark.parametrize("state", State)
    def test_tells_every_state_by_a_word_and_a_mark(self, state: State) -> None:
        text = as_text("Add up", [outcome(state)], [], Texts())
        assert f"{LOOK[state][0]} {WORD[state]}" in text

    def test_shows_title_evidence_hint_and_notes(self) -> None:
        text = as_text("Add up", [outcome(hint="See {input}.", evidence={"input": "[1]"})], ["A note."], Texts())
        lines = text.splitlines()
        assert lines[0] == "Add up" and lines[-1] == "A note."
        assert "Input: [1]" in text and "Where to look: See [1]." in text and "[0/2]" in text


class TestDetails:
    @pytest.mark.parametrize("state", State)
    def test_a_hint_belongs_to_a_wrong_answer_and_a_traceback_to_a_crash(self, state: State) -> None:
        text = as_text("t", [outcome(state, traceback="TRACE")], [], Texts())
        assert ("TRACE" in text) == (state is State.CRASHED)

    @pytest.mark.parametrize("state", [State.TIMED_OUT, State.FAULT])
    def test_a_time_out_and_a_fault_explain_themselves(self, state: State) -> None:
        assert EXPLANATION[state] in as_text("t", [outcome(state)], [], Texts())

    def test_a_missing_name_is_named(self) -> None:
        assert "The name `total` is not defined yet." in as_text(
            "t", [outcome(State.NOT_ATTEMPTED, missing="total")], [], Texts()
        )

    def test_evidence_with_an_underscore_is_for_the_hint_alone(self) -> None:
        text = as_text("t", [outcome(hint="Look at {row}.", evidence={"_row": "7"})], [], Texts())
        assert "Look at 7." in text and "_row" not in text and "row:" not in text

    @pytest.mark.parametrize("name", ["text", "self", "language", "code"])
    def test_evidence_may_have_any_name(self, name: str) -> None:
        text = as_text("t", [outcome(hint=f"Look at {{{name}}}.", evidence={name: "7"})], [], Texts())
        assert "Look at 7." in text

    @pytest.mark.parametrize("hint", ["A {} is empty.", "{", "{got.x}", "{got[0]}"])
    def test_a_hint_with_braces_of_its_own_is_shown_as_it_is(self, hint: str) -> None:
        assert hint in as_text("t", [outcome(hint=hint, evidence={"got": "7"})], [], Texts())


@pytest.mark.parametrize(("number", "text"), [(2.0, "2"), (0.5, "0.5"), (0, "0"), (10.0, "10")])
def test_points_without_a_needless_fraction(number: float, text: str) -> None:
    assert points(number) == text

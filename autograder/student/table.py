"""Show the outcomes of an exercise: an accessible HTML table, and the same in plain text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from autograder.student.running import Outcome, State
from autograder.student.texts import Texts

#: State, its mark (never colour alone), and a colour legible on light and dark backgrounds (over 3:1 on both).
LOOK = {
    State.RIGHT: ("✓", "#2e8b57"),
    State.WRONG: ("✗", "#d1495b"),
    State.CRASHED: ("!", "#c2703d"),
    State.TIMED_OUT: ("…", "#c2703d"),
    State.NOT_ATTEMPTED: ("–", "#7a7f87"),
    State.FAULT: ("?", "#8a63b5"),
}
WORD = {
    State.RIGHT: "right",
    State.WRONG: "not yet right",
    State.CRASHED: "crashed",
    State.TIMED_OUT: "ran out of time",
    State.NOT_ATTEMPTED: "not attempted",
    State.FAULT: "grader fault",
}
LABEL = {"input": "Input", "got": "Your code gave", "expected": "Expected"}
EXPLANATION = {
    State.TIMED_OUT: "The check was stopped: your code ran for too long. Look for a loop that never ends.",
    State.FAULT: "The check itself failed. This costs you nothing; please tell your instructor.",
}


class Detail(NamedTuple):
    """One thing a learner should read about an outcome; `code` is shown as it is, other text may hold `code`."""

    label: str
    text: str
    code: bool = False


def details(outcome: Outcome, texts: Texts) -> list[Detail]:
    """Everything a learner should read about one outcome, besides its property and state."""
    rows = []
    if outcome.state is State.NOT_ATTEMPTED and outcome.missing:
        rows.append(Detail("", texts("The name {name} is not defined yet.", name=f"`{outcome.missing}`")))
    if explanation := EXPLANATION.get(outcome.state):
        rows.append(Detail("", texts(explanation)))
    for name, value in outcome.evidence.items():
        if not name.startswith("_"):
            rows.append(Detail(texts(LABEL.get(name, name)), value, code=True))
    if outcome.state is State.CRASHED:
        rows.append(Detail(texts("Your code stopped with"), outcome.traceback, code=True))
    if outcome.hint:
        fields = {name.lstrip("_"): value for name, value in outcome.evidence.items()}
        rows.append(Detail(texts("Where to look"), texts(outcome.hint, **{**fields, **outcome.evidence})))
    return rows


def as_text(title: str, outcomes: Sequence[Outcome], notes: Sequence[str], texts: Texts) -> str:
    """The table in plain text."""
    lines = [title]
    for outcome in outcomes:
        mark, _ = LOOK[outcome.state]
        worth = f" [{points(outcome.score)}/{points(outcome.points)}]" if outcome.points else ""
        lines.append(f"  {mark} {texts(WORD[outcome.state])}{worth}: {texts(outcome.sentence)}")
        for detail in details(outcome, texts):
            body = detail.text.replace("\n", "\n        ")
            lines.append(f"      {detail.label + ': ' if detail.label else ''}{body}")
    return "\n".join([*lines, *notes])


def as_html(title: str, outcomes: Sequence[Outcome], notes: Sequence[str], texts: Texts) -> str:
    """The table as HTML: one row per property, a caption, scoped headers, no script and no outside resource."""
    graded = any(outcome.points for outcome in outcomes)
    heads = [texts("Result"), texts("Property")] + ([texts("Points")] if graded else [])
    head = "".join(f'<th scope="col" style="text-align:left;padding:4px 8px">{escape(h)}</th>' for h in heads)
    rows = "".join(_row(outcome, graded, texts) for outcome in outcomes)
    foot = "".join(f'<p style="margin:4px 8px">{with_code(note)}</p>' for note in notes)
    return (
        f'<div class="ustod" lang="{escape(texts.language)}" style="max-width:60em;line-height:1.45">'
        '<table style="border-collapse:collapse;table-layout:auto;width:100%;text-align:left">'
        f'<caption style="text-align:left;font-weight:bold;padding:4px 8px">{escape(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{foot}</div>"
    )


def _row(outcome: Outcome, graded: bool, texts: Texts) -> str:
    mark, colour = LOOK[outcome.state]
    cell = "padding:4px 8px;vertical-align:top;text-align:left"
    state = (
        f'<th scope="row" data-state="{outcome.state}" style="padding:4px 8px;vertical-align:top;white-space:nowrap;'
        f'text-align:left;border-left:4px solid {colour}">{mark} {escape(texts(WORD[outcome.state]))}</th>'
    )
    more = "".join(map(_detail, details(outcome, texts)))
    of_points = f"{points(outcome.score)} / {points(outcome.points)}" if outcome.points else ""
    worth = f'<td style="{cell};white-space:nowrap">{of_points}</td>' if graded else ""
    body = f'<td style="{cell};white-space:normal">{with_code(texts(outcome.sentence))}{more}</td>'
    return f"<tr>{state}{body}{worth}</tr>"


def _detail(detail: Detail) -> str:
    name = f"<b>{escape(detail.label)}:</b> " if detail.label else ""
    if detail.code and "\n" in detail.text:
        box = "white-space:pre-wrap;overflow-wrap:anywhere;max-height:20em;overflow:auto;margin:2px 0"
        return f'<div style="margin-top:2px">{name}<pre style="{box}">{escape(detail.text)}</pre></div>'
    body = f"<code>{escape(detail.text)}</code>" if detail.code else with_code(detail.text)
    return f'<div style="margin-top:2px;overflow-wrap:anywhere">{name}{body}</div>'


def with_code(text: str) -> str:
    """Escape `text`, with what stands between single backticks as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:  # a lone backtick: leave the text alone
        return escape(text)
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def points(number: float) -> str:
    """Points without a needless ``.0``."""
    return f"{number:g}"

"""The queue of requests as one page that needs no network and no program."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment

from autograder.gradebook.regrade import Request
from autograder.student.texts import Texts

_PAGE = """<!DOCTYPE html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 48rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
article { border: 1px solid #767676; border-radius: .3rem; padding: .8rem 1rem; margin: 1rem 0; }
blockquote { margin: .6rem 0; padding-left: .8rem; border-left: .25rem solid #767676; white-space: pre-wrap;
  overflow-wrap: anywhere; }
p { margin: .3rem 0; overflow-wrap: anywhere; } code { background: #f2f2f2; padding: .1rem .3rem; }
.small { color: #4a4a4a; }
@media print { article { break-inside: avoid; } }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
{% for request, heading, asked, done, how in requests %}
<article>
<h2>{{ heading }}</h2>
<p class="small">{{ asked }}</p>
<blockquote lang="{{ request.language }}">{{ request.reason }}</blockquote>
{% if done %}<p>{{ done }}</p><blockquote>{{ request.answer }}</blockquote>
{% else %}<p>{{ how }} <code>ustod regrade answer {{ request.number }} --words "…" --score …</code></p>{% endif %}
</article>
{% endfor %}
</main>
</body>
</html>
"""


def regrade_page(requests: Sequence[Request], course: str, language: str) -> str:
    """The page of `requests` in `language`. Whatever students wrote is shown as text."""
    texts = Texts(language)
    rows = []
    for one in requests:
        heading = f"{one.number}. {one.student}: {one.assignment}, {one.exercise}"
        asked = texts("Asked on {day}", day=one.asked[:16].replace("T", " "))
        done = texts("Answered by {who} on {day}:", who=one.who, day=(one.answered or "")[:16].replace("T", " "))
        rows.append((one, heading, asked, done if one.answer is not None else "", texts("To answer:")))
    waiting = sum(one.answer is None for one in requests)
    summary = texts("{waiting} of {all} requests wait for an answer.", waiting=waiting, all=len(requests))
    title = texts("Requests for a regrade: {course}", course=course)
    page = Environment(autoescape=True).from_string(_PAGE)
    return page.render(language=language, title=title, summary=summary, requests=rows)

"""Slips of paper with first-login codes, for printing and cutting."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path

from autograder.files import write_text
from autograder.hub.accounts import Accounts
from autograder.hub.lab import Lab
from autograder.hub.roster import Person
from autograder.hub.words import words

#: Slips on a page of A4: two columns of five.
PER_PAGE = 10

_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 10mm; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; font: 10.5pt/1.35 "DejaVu Sans", "Noto Sans", Arial, sans-serif; color: #000; background: #fff; }}
.page {{ width: 190mm; height: 276mm; margin: 0 auto; display: grid; grid-template: repeat(5, 1fr) / repeat(2, 1fr);
  break-after: page; break-inside: avoid; overflow: hidden; }}
.page:last-child {{ break-after: auto; }}
.slip {{ border: .3mm dashed #777; margin: -.15mm; padding: 4mm 5mm; overflow: hidden; }}
.slip p {{ margin: 0 0 1.2mm; }}
.name {{ font-weight: bold; max-height: 2.7em; overflow: hidden; overflow-wrap: anywhere; }}
.group {{ font-weight: normal; }}
dl {{ display: grid; grid-template-columns: auto 1fr; gap: 0 3mm; margin: 0 0 1.5mm; }}
dd {{ margin: 0; font-family: "DejaVu Sans Mono", "Noto Sans Mono", monospace; overflow-wrap: anywhere; }}
.code {{ font-weight: bold; font-size: 13pt; }}
.how {{ font-size: 8.5pt; line-height: 1.25; }}
</style>
</head>
<body>
{pages}
</body>
</html>
"""
_SLIP = """<div class="slip" lang="{language}">
<p class="name">{name} <span class="group">{group}</span></p>
<dl>
<dt>{address_word}</dt><dd>{address}</dd>
<dt>{login_word}</dt><dd>{login}</dd>
<dt>{code_word}</dt><dd class="code">{code}</dd>
</dl>
<p class="how">{how}</p>
</div>"""


def enrol_with_slips(lab: Lab, folder: Path) -> tuple[Path | None, list[str]]:
    """Give everybody new on the class lists a first-login code.

    Args:
        lab: whose.
        folder: where its accounts are kept; the slips go beside them.

    Returns:
        The page of slips, None if nobody is new; and who is new.
    """
    codes = Accounts(folder / "accounts.sqlite").enrol(lab.people)
    if not codes:
        return None, []
    page = folder / "slips" / f"{datetime.now():%Y-%m-%d-%H%M%S}.html"
    page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_slips(lab, codes, page)
    return page, sorted(codes)


def write_slips(lab: Lab, codes: Mapping[str, str], path: Path) -> None:
    """Write a page for printing to `path`, readable by its owner alone: a slip for each id of `codes`.

    Slips stand in the order of the class lists, course after course, and in the language of the person's course.
    """
    people = lab.people
    ids = [person for person in people if person in codes] + [person for person in codes if person not in people]
    slips = [_slip(lab, people.get(person, Person(person)), codes[person]) for person in ids]
    starts = range(0, len(slips), PER_PAGE)
    pages = ['<div class="page">\n' + "\n".join(slips[start : start + PER_PAGE]) + "\n</div>" for start in starts]
    text = _PAGE.format(language=lab.languages[0], title=escape(lab.name), pages="\n".join(pages))
    write_text(path, text, mode=0o600)


def _slip(lab: Lab, person: Person, code: str) -> str:
    language = _language(lab, person.id)
    say = words(language)
    how = (
        say("Open the address in a browser and log in with the login and the code."),
        say("Then choose a password of your own; the code works only once."),
        say("Show this slip to nobody, and ask your instructor if you cannot get in."),
    )
    shown = {
        "name": person.name or person.id,
        "group": person.group,
        "address_word": say("Address"),
        "address": lab.address,
        "login_word": say("Login"),
        "login": person.id,
        "code_word": say("Code"),
        "code": code,
        "how": " ".join(how),
    }
    return _SLIP.format(language=language, **{name: escape(text) for name, text in shown.items()})


def _language(lab: Lab, person: str) -> str:
    """That of the first course of `person` that has one, else the lab's first."""
    for course in lab.courses:
        belongs = person in course.instructors or any(one.id == person for one in lab.rosters[course.name])
        if belongs and course.language:
            return course.language
    return lab.languages[0]

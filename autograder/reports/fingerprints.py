"""What of a piece of code stays when names, remarks and the order of cells are changed: fingerprints by winnowing.

S. Schleimer, D. S. Wilkerson, A. Aiken, "Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD 2003: of
every run of `WINDOW` neighbouring hashes of `GRAM` tokens the least is kept, so that two texts with
`GRAM + WINDOW - 1` equal tokens in a row always share a fingerprint.
"""

from __future__ import annotations

import builtins
import keyword
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

#: Tokens in one hash, and hashes of which one is kept.
GRAM, WINDOW = 8, 4
_TOKEN = re.compile(
    r"""
    (?P<remark>\#[^\n]*)
  | (?P<text>[A-Za-z]{0,2}(?:\"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)|'''(?:\\.|[^\\])*?(?:'''|\Z)
        |\"(?:\\.|[^\\"\n])*(?:\"|$)|'(?:\\.|[^\\'\n])*(?:'|$)))
  | (?P<number>\.?\d[\w.]*)
  | (?P<name>[^\W\d]\w*)
  | (?P<end>\n)
  | (?P<sign>\*\*=?|//=?|>>=?|<<=?|->|:=|[-+*/%@&|^=!<>]=|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_LANGUAGE = frozenset({*keyword.kwlist, *dir(builtins)})
#: For a string, a number, and a name that somebody chose.
TEXT, NUMBER, CHOSEN = "S", "N", "V"


@dataclass(frozen=True)
class Token:
    """A token as it is compared, and the line, from 0, on which it stands."""

    text: str
    line: int


@dataclass(frozen=True)
class Fingerprint:
    """A kept hash, and the first and last line of the tokens it stands for."""

    value: int
    first: int
    last: int


def tokens(source: str, given: Collection[str] = ()) -> list[Token]:
    """The tokens of Python code, or of what was meant as such, without what copying changes first.

    Remarks, strings that stand for themselves, empty lines and indentation are left out; numbers and strings are
    alike; so are names, but for those of the language, those after a dot, and those in `given` that are called or have
    something taken from them.
    """
    found: list[Token] = []
    line = 0
    alone = True  # at the beginning of a statement, as far as that can be seen
    for match in _TOKEN.finditer(source):
        kind, text = match.lastgroup, match[0]
        if kind == "end":
            alone = True
        elif kind == "text":
            if not (alone and _ends_line(source, match.end())):
                found.append(Token(TEXT, line))
            alone = False
        elif kind == "number":
            found.append(Token(NUMBER, line))
            alone = False
        elif kind == "name":
            after_dot = bool(found) and found[-1].text == "." and found[-1].line == line
            known = (
                after_dot
                or text in _LANGUAGE
                or (text in given and source[match.end() : match.end() + 1] in ("(", "."))
            )
            found.append(Token(text if known else CHOSEN, line))
            alone = False
        elif kind == "sign":
            found.append(Token(text, line))
            alone = False
        line += text.count("\n")
    return found


def _ends_line(source: str, place: int) -> bool:
    return not source[place : source.find("\n", place) if "\n" in source[place:] else None].strip()


def fingerprints(found: Sequence[Token], gram: int = GRAM, window: int = WINDOW) -> list[Fingerprint]:
    """The fingerprints of `found`, in order; a text shorter than a gram has none."""
    hashes = [
        (zlib.crc32("\0".join(token.text for token in found[start : start + gram]).encode()), start)
        for start in range(len(found) - gram + 1)
    ]
    return [
        Fingerprint(value, found[start].line, found[start + gram - 1].line)
        for value, start in dict.fromkeys(_winnowed(hashes, window))
    ]


def _winnowed(hashes: Sequence[tuple[int, int]], window: int) -> Iterator[tuple[int, int]]:
    """Of every `window` hashes the least, the last of equal ones; of a shorter text the least of all."""
    for start in range(max(1, len(hashes) - window + 1)) if hashes else ():
        yield min(hashes[start : start + window], key=lambda one: (one[0], -one[1]))

"""Text as spreadsheets write and read it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

#: A cell of a table: text, a number, or nothing.
Cell = str | float | None

_BEFORE = r"""(^|[;,\t\r\n])([\s"']*)"""
#: What begins a formula, in the letters of East Asia too.
_FORMULA = "([=+\\-@\uff1d\uff0b\uff0d\uff20])"


@dataclass(frozen=True)
class Dialect:
    """How a program writes CSV: what separates cells, what stands before decimals, and whether a mark stands first."""

    separator: str = ","
    decimal: str = "."
    marked: bool = False


#: For programs; and as Excel writes and reads it where decimals have a comma, as in Russian and Tajik.
PLAIN = Dialect()
EXCEL_WITH_COMMAS = Dialect(";", ",", marked=True)


def harmless(text: str) -> str:
    """`text` that no spreadsheet takes for a formula, whichever separator it looks for: an apostrophe goes before it.

    https://owasp.org/www-community/attacks/CSV_Injection names what begins a formula. `original` undoes this.
    """
    text = re.sub(_BEFORE + _FORMULA, r"\1\2'\3", text)
    return f"'{text}" if re.match(r"'*[\t\r\n]", text) else text


def original(text: str) -> str:
    """What `harmless` was given."""
    text = text[1:] if re.match(r"'+[\t\r\n]", text) else text
    return re.sub(_BEFORE + "'" + _FORMULA, r"\1\2\3", text)


def plain_number(number: float) -> str:
    """The shortest decimal that is exactly `number`, without an exponent, which not every program reads."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_csv(rows: Iterable[Sequence[Cell]], dialect: Dialect = PLAIN) -> bytes:
    """`rows` as CSV in UTF-8, every text harmless and every number exact."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=dialect.separator, lineterminator="\r\n")
    for row in rows:
        writer.writerow([_written(cell, dialect) for cell in row])
    return text.getvalue().encode("utf-8-sig" if dialect.marked else "utf-8", "backslashreplace")


def _written(cell: Cell, dialect: Dialect) -> str:
    if cell is None:
        return ""
    return harmless(cell) if isinstance(cell, str) else plain_number(cell).replace(".", dialect.decimal)


def decoded(content: bytes) -> str:
    """The text of a file that a spreadsheet wrote: UTF-8, UTF-16, or Windows-1251, as Excel in Russian does."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")


def rows_of(text: str) -> list[list[str]]:
    """The rows of a table whose cells commas, semicolons or tabs separate; the first row tells which."""
    lines = text.splitlines(keepends=True)
    separator = max(";,\t", key=lines[0].count) if lines else ","
    return list(csv.reader(lines, delimiter=separator))

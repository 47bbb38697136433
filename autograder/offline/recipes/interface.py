"""The Tajik words of two programs that people use: messages of Firefox and LibreOffice with their translations.

Nothing is cleaned: Russian filed as Tajik, wrong pairs, keyboard shortcuts and placeholders stay, because cleaning
them is what a unit of the course teaches. Only the markup of the file formats goes.
"""

from __future__ import annotations

import gettext
import io
import re
import zipfile
from collections.abc import Mapping

import pyarrow as pa
from fluent.syntax import FluentParser, ast
from fluent.syntax.serializer import serialize_expression

from autograder.offline.archive import Archive

Messages = dict[str, str]

# Column → code in the package names. Firefox keeps its American English in an archive of 60 MB; the British pack is the
# nearest small relative.
FIREFOX = {"en": "en-gb", "tg": "tg", "ru": "ru", "fa": "fa"}
LIBREOFFICE = {"tg": "tg", "ru": "ru", "fa": "fa"}
COLUMNS = ("en", "tg", "ru", "fa")

_LOCALES = {"en-GB", "tg", "ru", "fa"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}


def _variant(pattern: ast.Pattern) -> str:
    """The pattern as a reader sees it: literals as they are, the default branch of a choice, the rest as `{ … }`."""
    parts: list[str] = []
    for element in pattern.elements:
        if isinstance(element, ast.TextElement):
            parts.append(element.value)
        elif isinstance(element, ast.Placeable):
            parts.append(_placeable(element))
    return "".join(parts)


def _placeable(placeable: ast.Placeable) -> str:
    inner = placeable.expression
    if isinstance(inner, ast.Placeable):
        return _placeable(inner)
    if isinstance(inner, ast.StringLiteral):
        return str(inner.parse()["value"])
    if isinstance(inner, ast.SelectExpression):
        return _variant(next(v for v in inner.variants if v.default).value)
    return f"{{ {serialize_expression(inner)} }}"


def fluent_messages(text: str) -> Messages:
    """`message` or `message.attribute` → text, of a Fluent file. Broken entries, the parser's junk, are left out."""
    found: Messages = {}
    for entry in FluentParser(with_spans=False).parse(text).body:
        if not isinstance(entry, ast.Message | ast.Term):
            continue
        name = f"-{entry.id.name}" if isinstance(entry, ast.Term) else entry.id.name
        if entry.value is not None:
            found[name] = _variant(entry.value)
        for attribute in entry.attributes:
            found[f"{name}.{attribute.id.name}"] = _variant(attribute.value)
    return found


def property_messages(text: str) -> Messages:
    """Key → text, of a Java properties file: comments skipped, continued lines joined, escapes resolved."""
    found: Messages = {}
    joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n[ \t]*", r"\1", text)
    for line in joined.splitlines():
        key, sign, value = line.strip().partition("=")
        if sign and key[:1] not in "#!":
            found[key.strip()] = _ESCAPE.sub(_unescape, value.strip())
    return found


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if code[0] == "u" and len(code) == 5 else _ESCAPED.get(code, code)


def langpack_messages(xpi: bytes) -> Messages:
    """`path:message` → text, of a Firefox language pack; the path is without the language's own folder, to join on."""
    found: Messages = {}
    with zipfile.ZipFile(io.BytesIO(xpi)) as pack:
        for name in pack.namelist():
            parser = {"ftl": fluent_messages, "properties": property_messages}.get(name.rpartition(".")[2])
            if parser is not None:
                path = "/".join(part for part in name.split("/") if part not in _LOCALES)
                for key, text in parser(pack.read(name).decode("utf-8")).items():
                    found[f"{path}:{key}"] = text
    return found


def catalog_messages(catalog: bytes) -> dict[tuple[str, str], str]:
    """(context, English) → translation, of a compiled gettext catalog; of a plural the first form."""
    entries: Mapping[object, str] = gettext.GNUTranslations(io.BytesIO(catalog))._catalog  # type: ignore[attr-defined]
    found: dict[tuple[str, str], str] = {}
    for key, text in entries.items():
        if isinstance(key, tuple):
            if key[1] != 0:
                continue
            key = key[0]
        assert isinstance(key, str)
        context, mark, english = key.rpartition("\x04")
        if mark or english:  # the empty key is the header
            found[context, english] = text
    return found


def _firefox(sources: Mapping[str, Archive]) -> list[dict[str, str]]:
    packs = {}
    for column, code in FIREFOX.items():
        archive = sources[f"firefox-esr-l10n-{code}"]
        packs[column] = langpack_messages(archive.read(archive.match("*.xpi")[0]))
    return [
        {"id": key, "project": "firefox"} | {column: packs[column].get(key, "") for column in COLUMNS}
        for key in sorted(packs["tg"])
    ]


def _libreoffice(sources: Mapping[str, Archive]) -> list[dict[str, str]]:
    catalogs: dict[str, dict[tuple[str, str, str], str]] = {}
    for column, code in LIBREOFFICE.items():
        archive = sources[f"libreoffice-l10n-{code}"]
        catalogs[column] = {
            (name.rpartition("/")[2], context, english): text
            for name in archive.match("*/LC_MESSAGES/*.mo")
            for (context, english), text in catalog_messages(archive.read(name)).items()
        }
    return [
        {"id": ":".join(key), "project": "libreoffice", "en": key[2]}
        | {column: catalogs[column].get(key, "") for column in LIBREOFFICE}
        for key in sorted(catalogs["tg"])
    ]


def tables(sources: Mapping[str, Archive]) -> dict[str, pa.Table]:
    """One table, `default`: id, project, en, tg, ru, fa (an empty string where a language lacks the message).

    One row per message that the Tajik translation has, sorted by project and id.
    """
    rows = _firefox(sources) + _libreoffice(sources)
    schema = pa.schema([(column, pa.string()) for column in ("id", "project", *COLUMNS)])
    return {"default": pa.Table.from_pylist(rows, schema=schema)}


def card(sources: Mapping[str, Archive]) -> str:
    """The data card's text."""
    return (
        "Interface messages of Firefox (British English, Tajik, Russian, Persian) and LibreOffice, one row per "
        "message that the Tajik translation has. Raw: Russian filed as Tajik, wrong pairs, one-letter shortcuts, "
        "markup and placeholders are all here, and a message that repeats in many dialogs repeats in the rows. Clean "
        "it before training on it. What Firefox's translators have not reached yet stands in English. Of a message "
        "with plural forms the default one is kept.\n"
    )

"""Interface messages: the three file formats, and rows put together from packages."""

from __future__ import annotations

import io
import zipfile

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.offline.archive import Archive
from autograder.offline.recipes import interface


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = Салом", {"a": "Салом"}),
        ("a = Салом\n    .label = Ном\n    .accesskey = Н", {"a": "Салом", "a.label": "Ном", "a.accesskey": "Н"}),
        ("a =\n    .label = Ном", {"a.label": "Ном"}),
        ("# remark\n## group\na = b", {"a": "b"}),
        ("a =\n    one\n    two", {"a": "one\ntwo"}),
        ('a = { "" }x{ "{" }y', {"a": "x{y"}),
        ("a = { $n } of { -brand-name }", {"a": "{ $n } of { -brand-name }"}),
        ("-brand-name = Firefox", {"-brand-name": "Firefox"}),
        ("a = { $n ->\n    [one] one\n   *[other] { $n } all\n }!", {"a": "{ $n } all!"}),
        ("a = { NUMBER($n, digits: 2) }", {"a": "{ NUMBER($n, digits: 2) }"}),
        ("a = ok\nbroken line\nb = ok", {"a": "ok", "b": "ok"}),
    ],
)
def test_fluent_files(source: str, expected: dict[str, str]) -> None:
    assert interface.fluent_messages(source + "\n") == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a=Салом", {"a": "Салом"}),
        ("a = Салом ба  ҳама ", {"a": "Салом ба  ҳама"}),
        ("# a=b\n! c=d\n\ne=f", {"e": "f"}),
        ("a=one \\\n   two", {"a": "one two"}),
        ("a=one\\nтwo\\u0439\\\\", {"a": "one\nтwoй\\"}),
        ("a=%1$S = %S", {"a": "%1$S = %S"}),
        ("a=ends\\\\\nb=c", {"a": "ends\\", "b": "c"}),
        ("no sign", {}),
    ],
)
def test_property_files(source: str, expected: dict[str, str]) -> None:
    assert interface.property_messages(source) == expected


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text("абв ӣӯ\\\n\t=#", max_size=20), max_size=6)
)
def test_properties_escaped_are_read_back(messages: dict[str, str]) -> None:
    stripped = {key: text.strip() for key, text in messages.items()}
    lines = []
    for key, text in stripped.items():
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
        lines.append(f"{key} = {escaped}")
    assert interface.property_messages("\n".join(lines)) == stripped


def catalog(entries: list[polib.POEntry]) -> bytes:
    file = polib.POFile()
    file.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Plural-Forms": "nplurals=2; plural=(n != 1);"}
    file.extend(entries)
    return file.to_binary()


def test_compiled_catalogs() -> None:
    raw = catalog(
        [
            polib.POEntry(msgid="File", msgstr="Файл", msgctxt="menu|file"),
            polib.POEntry(msgid="Plain", msgstr="Оддӣ"),
            polib.POEntry(msgid="%1 row", msgid_plural="%1 rows", msgstr_plural={0: "як", 1: "бисёр"}, msgctxt="n"),
        ]
    )
    assert interface.catalog_messages(raw) == {
        ("menu|file", "File"): "Файл",
        ("", "Plain"): "Оддӣ",
        ("n", "%1 row"): "як",
    }


def langpack(code: str, fluent: str, properties: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as pack:
        pack.writestr(f"localization/{code}/toolkit/a.ftl", fluent)
        pack.writestr(f"browser/chrome/{code}/locale/{code}/b.properties", properties)
        pack.writestr("manifest.json", "{}")
    return out.getvalue()


def test_rows_are_the_tajik_messages_with_what_other_languages_have(pack) -> None:
    texts = {
        "en-gb": ("en-GB", "x = Colour\ny = Yes\n", "k=v"),
        "tg": ("tg", "x = Ранг\ny = Да\n", "k=қ"),
        "ru": ("ru", "x = Цвет\nz = Нет\n", ""),
        "fa": ("fa", "", ""),
    }
    debs = {}
    for code, (inside, fluent, properties) in texts.items():
        name = f"firefox-esr-l10n-{code}"
        xpi = langpack(inside, fluent, properties)
        debs[name] = pack.deb(name, "1", {f"usr/lib/firefox-esr/langpack-{inside}@firefox.xpi": xpi})
    for code, text in (("tg", "Файл"), ("ru", "Файл"), ("fa", "")):
        name = f"libreoffice-l10n-{code}"
        entries = [polib.POEntry(msgid="File", msgstr=text, msgctxt="m")] if text else []
        folder = f"usr/lib/libreoffice/program/resource/{code}/LC_MESSAGES"
        debs[name] = pack.deb(name, "1", {f"{folder}/sw.mo": catalog(entries)})
    sources = {name: Archive(path) for name, path in debs.items()}
    rows = [tuple(row.values()) for row in interface.tables(sources)["default"].to_pylist()]
    assert rows == [
        ("browser/chrome/locale/b.properties:k", "firefox", "v", "қ", "", ""),
        ("localization/toolkit/a.ftl:x", "firefox", "Colour", "Ранг", "Цвет", ""),
        ("localization/toolkit/a.ftl:y", "firefox", "Yes", "Да", "", ""),
        ("sw.mo:m:File", "libreoffice", "File", "Файл", "Файл", ""),
    ]

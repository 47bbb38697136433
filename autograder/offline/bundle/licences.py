"""`LICENCES.txt`: what is in a bundle, under which licence, and the text of each licence once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from autograder.offline.archive import Archive, deb_control

_TEXT = re.compile(
    r"(^|/)(licen[cs]es?|copying|copyright|notice|unlicense|third.?party[^/]*|eula)([.\-_][^/]*)?$", re.IGNORECASE
)
_INFO = re.compile(r"^[^/]+\.dist-info/")
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Work:
    """One thing in the bundle that somebody made."""

    name: str
    version: str
    licence: str
    texts: tuple[str, ...]


def work_of(path: Path, licence: str | None = None) -> Work:
    """What the package file at `path` says of itself. `licence` is what is known of it already.

    Raises:
        UstodError: if the package is damaged.
    """
    with Archive(path) as archive:
        names = archive.match("*")
        if path.suffix == ".whl":
            header = HeaderParser().parsestr(
                _text(archive, next(n for n in names if n.endswith(".dist-info/METADATA")))
            )
            texts = [name for name in names if _INFO.match(name) and (_TEXT.search(name) or "/licenses/" in name)]
            told = (header["Name"], header["Version"], licence or _told(header.items()))
        elif path.suffix == ".deb":
            control = deb_control(path)
            texts = [name for name in names if re.search(r"^usr/share/doc/[^/]+/copyright$", name)]
            told = (control["Package"], control["Version"], licence or "see the text")
        else:
            import json

            about = json.loads(_text(archive, "package/package.json"))
            texts = [name for name in names if name.count("/") == 1 and _TEXT.search(name)]
            told = (about["name"], about["version"], licence or str(about.get("license", "not stated")))
        return Work(*told, tuple(text for name in texts if (text := _text(archive, name).strip())))


def works_of_modules(folder: Path) -> Iterator[Work]:
    """What each package below npm's folder `node_modules` says of itself."""
    import json

    for about in sorted(folder.rglob("package.json")):
        inside = about.parent.relative_to(folder).parts
        if not inside or inside[-1].startswith(".") or "node_modules" not in (folder.name, *about.parent.parts):
            continue
        told = json.loads(about.read_text("utf-8"))
        if "name" not in told or "version" not in told:
            continue
        files = sorted(p for p in about.parent.iterdir() if p.is_file() and _TEXT.search(p.name))
        texts = tuple(p.read_text("utf-8", "replace").strip() for p in files)
        yield Work(told["name"], told["version"], str(told.get("license", "not stated")), texts)


def _text(archive: Archive, name: str) -> str:
    return archive.read(name).decode("utf-8", "replace").replace("\r\n", "\n").replace("\f", "\n")


def _told(header: Iterable[tuple[str, str]]) -> str:
    """The licence in a wheel's METADATA: an expression, else a short name, else what the classifiers say."""
    fields: dict[str, list[str]] = {}
    for key, value in header:
        fields.setdefault(key.lower(), []).append(value)
    if expression := fields.get("license-expression"):
        return expression[0]
    name = fields.get("license", [""])[0].strip()
    if name and "\n" not in name and len(name) <= _LONGEST_NAME and name.upper() != "UNKNOWN":
        return name
    classified = [c.rpartition(" :: ")[2] for c in fields.get("classifier", []) if c.startswith("License ::")]
    return ", ".join(classified) or "see the text"


def write_licences(works: Iterable[Work]) -> str:
    """The whole of `LICENCES.txt`: a list of the works, then each text, once, with the works that it belongs to."""
    listed = sorted(set(works), key=lambda work: (work.name.lower(), work.version))
    numbers: dict[str, int] = {}
    owners: dict[str, list[str]] = {}
    for work in listed:
        for text in work.texts:
            numbers.setdefault(text, len(numbers) + 1)
            owners.setdefault(text, []).append(work.name)
    lines = [
        "What is on this stick, under which licence, and the number of the licence's text below.",
        "Чӣ дар ин ҷо ҳаст ва бо кадом иҷозатнома. Что здесь есть и по какой лицензии.",
        "",
    ]
    for work in listed:
        found = ", ".join(str(numbers[text]) for text in dict.fromkeys(work.texts)) or "none in the package"
        lines.append(f"{work.name} {work.version}: {work.licence} [{found}]")
    for text, number in numbers.items():
        names = ", ".join(dict.fromkeys(owners[text]))
        lines += ["", "=" * 100, f"[{number}] {names}", "=" * 100, "", text]
    return "\n".join(lines) + "\n"

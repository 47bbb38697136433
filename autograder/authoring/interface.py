"""The words of the interface itself, which stand in `autograder/student/po` for translators."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import polib

import autograder
from autograder.authoring.notebook import STALE_BANNER
from autograder.student.table import EXPLANATION, LABEL, WORD
from autograder.student.unit import UNKNOWN_EXERCISE

FOLDER = Path(next(iter(autograder.__path__))) / "student" / "po"


def interface_texts() -> list[str]:
    """Every text that the code passes to `Texts`, and those that it looks up by state or by kind of evidence."""
    found = [*WORD.values(), *LABEL.values(), *EXPLANATION.values(), STALE_BANNER, UNKNOWN_EXERCISE]
    for path in sorted(FOLDER.parent.parent.rglob("*.py")):
        found += _passed_to("texts", path)
    return list(dict.fromkeys(found))


def update_interface_catalog(
    language: str, texts: Sequence[str] | None = None, folder: Path = FOLDER
) -> tuple[int, int]:
    """Bring the catalog for `language` in `folder` up to date with `texts`, by default those of the interface.

    Returns:
        the numbers of translated and of all texts.
    """
    texts = interface_texts() if texts is None else texts
    template = polib.POFile(wrapwidth=120)
    template.extend(polib.POEntry(msgid=text) for text in texts)
    path = folder / f"{language}.po"
    catalog = polib.pofile(str(path), wrapwidth=120) if path.is_file() else polib.POFile(wrapwidth=120)
    catalog.metadata = {"Language": language, "Content-Type": "text/plain; charset=UTF-8"}
    catalog.merge(template)
    catalog.save(str(path))
    return len(catalog.translated_entries()), len(texts)


def texts_said(folder: Path) -> list[str]:
    """Every text that the templates of pages and the modules below `folder` pass to `say`, in order."""
    from jinja2 import Environment, nodes

    found = []
    templates = [path for pattern in ("*.html", "*.html.j2") for path in folder.rglob(pattern)]
    for path in sorted(templates):
        tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "say" and isinstance(call.args[0], nodes.Const):
                found.append(str(call.args[0].value))
    for path in sorted(folder.rglob("*.py")):
        found += _passed_to("say", path)
    return list(dict.fromkeys(found))


def _passed_to(name: str, path: Path) -> list[str]:
    """The texts that calls of `name`, or of a method of this name, have as their first argument."""
    firsts = [
        node.args[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and _name(node.func) == name
    ]
    return [first.value for first in firsts if isinstance(first, ast.Constant) and isinstance(first.value, str)]


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else str(getattr(function, "id", ""))

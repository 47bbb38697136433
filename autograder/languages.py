"""Which language a reader gets, and which texts of a program there are to be translated."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

#: Languages by the names that their speakers call them.
NAMES = {"en": "English", "tg": "Тоҷикӣ", "ru": "Русский"}


def best_language(chosen: str | None, accepted: str, languages: Sequence[str]) -> str:
    """The language for a reader: what they have `chosen`, else what their browser accepts, else the first of all.

    Args:
        accepted: the value of the header Accept-Language.
    """
    if chosen in languages:
        return str(chosen)
    wishes = []
    for position, part in enumerate(accepted.split(",")):
        name, _, rest = part.partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        if weight > 0:
            wishes.append((-weight, position, name.strip().split("-")[0].lower()))
    return next((name for _, _, name in sorted(wishes) if name in languages), languages[0])


def said_in(folder: Path) -> list[str]:
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
        found += passed_to("say", path)
    return list(dict.fromkeys(found))


def passed_to(name: str, path: Path) -> list[str]:
    """The texts that calls of `name`, or of a method of this name, in the module `path` have first."""
    firsts = [
        node.args[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and _name(node.func) == name
    ]
    return [first.value for first in firsts if isinstance(first, ast.Constant) and isinstance(first.value, str)]


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else str(getattr(function, "id", ""))

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


def said_in(modules: Path, templates: Path) -> list[str]:
    """Every text that modules below one folder and templates in another pass to `say`."""
    from jinja2 import Environment, nodes

    found = []
    for path in sorted(templates.glob("*.html")):
        tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "say" and isinstance(call.args[0], nodes.Const):
                found.append(call.args[0].value)
    for path in sorted(modules.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_say(node.func) and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.append(first.value)
    return list(dict.fromkeys(found))


def _is_say(function: ast.expr) -> bool:
    return (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) == "say"

"""Cards: the README.md of a repository, whose front matter says what it is, in what language and under what licence."""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Any

import yaml

#: Bytes of a card that are read.
LONGEST = 1 << 20


class _Plain(yaml.SafeLoader):
    """Reads plain data. Aliases are refused: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases are not taken")
        return super().compose_node(parent, index)


def split(text: str) -> tuple[str, str]:
    """The front matter of a card, and what people read."""
    lines = text.removeprefix("\ufeff").lstrip().splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        return "", text
    for number, line in enumerate(lines[1:], 1):
        if line.strip() == "---":
            return "".join(lines[1:number]), "".join(lines[number + 1 :])
    return "", text


def parse(front: str) -> dict[str, Any]:
    """What the front matter says, as JSON can carry it.

    Raises:
        ValueError: if it is not a mapping in YAML; says where.
    """
    try:
        data = yaml.load(front, Loader=_Plain)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ValueError("it is not a mapping")
    if not isinstance(data.get("model-index", []), list):
        raise ValueError("its model-index is not a list")
    return {str(key): _plain(value) for key, value in data.items()}


@lru_cache(maxsize=1024)
def metadata(text: str) -> dict[str, Any]:
    """What the front matter of the card `text` says; nothing if it cannot be read. Not to be changed."""
    try:
        return parse(split(text)[0])
    except ValueError:
        return {}


def licence(data: dict[str, Any]) -> str:
    """The licence that a card names; an empty text if none."""
    named = data.get("license") or data.get("licence")
    if isinstance(named, list):
        named = ", ".join(str(one) for one in named)
    text = str(named or "").strip()
    if text == "other" and data.get("license_name"):
        return str(data["license_name"])
    return "" if text.lower() in ("unknown", "none") else text


def tags(data: dict[str, Any], kind: str) -> list[str]:
    """What a search filters by: the card's own tags, and what it says in other fields."""
    found: list[str] = []
    prefixed = {"license": "license:", "datasets": "dataset:", "region": "region:"}
    if kind == "dataset":
        names = ("language", "task_categories", "task_ids", "size_categories", "multilinguality", "language_creators")
        prefixed |= {name: f"{name}:" for name in names}
    plain = (
        ("library_name", "pipeline_tag", "tags")
        if kind == "dataset"
        else ("library_name", "pipeline_tag", "language", "tags")
    )
    for names_, prefix_of in ((plain, None), (tuple(prefixed), prefixed)):
        for name in names_:
            value = data.get(name)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str | int | float) and not isinstance(one, bool):
                    found.append((prefix_of[name] if prefix_of else "") + str(one))
    return list(dict.fromkeys(found))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(one) for one in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)

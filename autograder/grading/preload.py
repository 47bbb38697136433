"""What the zygote should have imported before a notebook begins: what the instructor's own notebooks use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from importlib.util import find_spec

from autograder.judge.cells import parsed

#: Packages that can be imported before a fork: they start no threads.
PACKAGES = frozenset({
    "accelerate", "datasets", "matplotlib", "numpy", "pandas", "peft", "pyarrow", "safetensors", "scipy", "sklearn",
    "tokenizers", "torch", "transformers",
})  # fmt: skip
#: What a package of the stack asks another for when it is first used.
LATER = {"transformers": "transformers:PreTrainedTokenizerBase"}


def preloads(sources: Iterable[str]) -> list[str]:
    """What `sources` import of `PACKAGES` that are installed, with the attributes that they name.

    Written ``module:attribute``, as the zygote reads it. The attributes matter where a package imports its parts when
    they are first named, as transformers does.
    """
    found: dict[str, None] = {}
    origin: dict[str, str] = {}
    for tree in map(parsed, sources):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[f"{alias.name}:"] = None
                    first = alias.name.partition(".")[0]
                    origin[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found |= {f"{node.module}:{alias.name}": None for alias in node.names if alias.name != "*"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in origin:
                found[f"{origin[node.value.id]}:{node.attr}"] = None
    used = {package for package in {_package(what) for what in found} & PACKAGES if find_spec(package)}
    return [what for what in found if _package(what) in used] + [LATER[package] for package in used & LATER.keys()]


def _package(what: str) -> str:
    return re.split("[.:]", what, maxsplit=1)[0]

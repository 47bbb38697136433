"""The corpus of attacks: one file an attack, in a folder named for its family.

A file begins with a docstring of one sentence, how the attack means to win, and with two assignments: ``prize``, what
it must not gain (`PRIZES`), and ``harmless``, whether it may run outside a sandbox. Then comes one of two things:

- cells, each under a line ``# %% PLACE``, with a place of `PLACES`. The texts ``@COURSE@``, ``@HOME@`` and so on are
  filled in with where things are on the grader's machine (`victim.World.facts`): an attacker is taken to know that;
- a function ``rewrite(notebook, folder)`` that is given the untouched notebook as plain data and the folder that is
  handed in. It returns the notebook to be written, as data or as bytes, or None if it has written what it wants.
"""

from __future__ import annotations

import ast
import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

FOLDER = Path(__file__).parent / "corpus"
FAMILIES = ("forge", "read", "harm", "notebook", "crossing")
#: Points that were not earned; a secret of the grader's machine; the machine itself, or the work of others; time.
SECRETS = ("hidden checks", "solution", "gradebook", "classmate", "home", "environment", "loopback")
PRIZES = ("points", *SECRETS, "host", "time")
#: Before everything else, in the place of all answers, or after everything else.
PLACES = ("first", "answers", "last")

Notebook = dict[str, Any]


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        intent: how it means to win, in one sentence.
        prize: what it must not gain, one of `PRIZES`.
        harmless: whether it may run where nothing holds it back.
        file: where it is written down.
    """

    family: str
    name: str
    intent: str
    prize: str
    harmless: bool
    file: Path

    @property
    def title(self) -> str:
        """``FAMILY/NAME``."""
        return f"{self.family}/{self.name}"

    def hand_in(self, notebook: Notebook, folder: Path, facts: dict[str, str]) -> None:
        """Write this attack's version of the untouched `notebook` to `folder`, which is handed in."""
        rewrite = self._rewrite()
        changed = rewrite(notebook, folder) if rewrite else _with_cells(notebook, self.cells(), facts)
        if changed is not None:
            data = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
            (folder / f"{folder.name}.ipynb").write_bytes(data)

    def cells(self) -> list[tuple[str, str]]:
        """Place and source of each cell; none for an attack that rewrites the notebook."""
        _, *parts = ("\n" + self.file.read_text(encoding="utf-8")).split("\n# %% ")
        return [(place.strip(), source.strip()) for place, _, source in (part.partition("\n") for part in parts)]

    def _rewrite(self) -> Callable[[Notebook, Path], Notebook | bytes | None] | None:
        found: Callable[[Notebook, Path], Notebook | bytes | None] | None = None
        if not self.cells():
            found = runpy.run_path(str(self.file))["rewrite"]
        return found


def read_corpus(folder: Path = FOLDER) -> list[Attack]:
    """Every attack, by family and name.

    Raises:
        ValueError: if a file lacks its docstring, ``prize`` or ``harmless``.
    """
    return [read_attack(path) for family in FAMILIES for path in sorted((folder / family).glob("*.py"))]


def read_attack(path: Path) -> Attack:
    """The attack in the file `path`."""
    head = ("\n" + path.read_text(encoding="utf-8")).split("\n# %% ")[0]
    tree = ast.parse(head)
    found = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id in ("prize", "harmless")
    }
    intent = " ".join((ast.get_docstring(tree) or "").split())
    if not intent or found.keys() != {"prize", "harmless"}:
        raise ValueError(f"The attack {path} must begin with a docstring, prize and harmless.")
    return Attack(path.parent.name, path.stem, intent, found["prize"], found["harmless"], path)


def _with_cells(notebook: Notebook, cells: list[tuple[str, str]], facts: dict[str, str]) -> Notebook:
    for place, source in cells:
        for name, value in facts.items():
            source = source.replace(f"@{name}@", value)
        if place == "answers":
            answers = [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("solution")]
            for cell in answers:
                cell["source"] = ""
            answers[0]["source"] = source
        else:
            where = 0 if place == "first" else len(notebook["cells"])
            notebook["cells"].insert(where, code_cell(source))
    return notebook


def code_cell(source: str, **metadata: Any) -> Notebook:
    """A code cell as plain data, with an id that depends on nothing else in the notebook."""
    cell: Notebook = {"cell_type": "code", "source": source, "metadata": metadata, "outputs": []}
    return {**cell, "execution_count": None, "id": f"attack-{crc32(source.encode()):x}"}

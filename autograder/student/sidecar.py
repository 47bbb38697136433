"""What a notebook knows about its unit: the file beside it, or, for someone who runs the source, the course itself."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

#: Lies beside every built notebook; nbgrader carries it along as it does any file of an assignment.
SIDECAR = "ustod.json"


@dataclass(frozen=True)
class Exercise:
    """Title and hints of one exercise, untranslated."""

    title: str
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sidecar:
    """Everything but code that `open_unit` needs.

    Attributes:
        unit: the unit's folder name, such as ``u04_tokenization``.
        language: of the prose around the code.
        edition: ``class`` (hidden checks run at grading) or ``self-study`` (they run here, if the course is at hand).
        exercises: by id.
        messages: translations of the unit's own texts that a learner may see before grading.
    """

    unit: str
    language: str = "en"
    edition: str = "class"
    exercises: Mapping[str, Exercise] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Deterministic JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Sidecar:
        """The inverse of `to_json`."""
        data = json.loads(text)
        exercises = {name: Exercise(entry["title"], tuple(entry["hints"])) for name, entry in data["exercises"].items()}
        return cls(**{**data, "exercises": exercises})


def course_folder(unit: str) -> Path | None:
    """The folder of `unit` in the installed course with its hidden checks, or None where there is none."""
    spec = find_spec("course")
    for place in spec.submodule_search_locations or () if spec else ():
        folder = Path(place) / unit
        if (folder / "checks.py").is_file():
            return folder
    return None


def read_sidecar(unit: str) -> Sidecar:
    """The sidecar of the notebook in the working folder; without one, what the installed course says of `unit`."""
    path = Path(SIDECAR)
    if path.is_file():
        sidecar = Sidecar.from_json(path.read_text(encoding="utf-8"))
        if sidecar.unit == unit:
            return sidecar
    folder = course_folder(unit)
    if folder is None:
        return Sidecar(unit)
    table = tomllib.loads((folder / "unit.toml").read_text(encoding="utf-8"))
    exercises = {
        name: Exercise(entry.get("title", name), tuple(entry.get("hints", ())))
        for name, entry in table.get("exercises", {}).items()
    }
    return Sidecar(unit, edition="self-study", exercises=exercises)

"""The units that lie in a learner's folder, and how far they have come with each."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.lab.progress import Progress, Tried
from autograder.student.sidecar import SIDECAR, Sidecar, course_folder
from autograder.student.texts import LANGUAGES, Texts, read_catalog

#: How deep below the learner's folder a unit may lie: a lab has folders of courses, and in them of assignments.
DEEPEST = 3
#: Folders looked at, at most: somebody's own data may be large.
MOST_FOLDERS = 3000
_SCORE = re.compile(r'<meta name="ustod-score" content="([\d.e+-]+) ([\d.e+-]+)">')


@dataclass(frozen=True)
class Step:
    """One exercise."""

    name: str
    title: str
    done: bool


@dataclass(frozen=True)
class Stage:
    """One unit in a learner's folder.

    Attributes:
        notebook, feedback: paths below the folder; `feedback` is empty until it has been fetched.
        score: points that are certain: those of the feedback, or in self-study what the checks gave; None if none are.
        language: of the notebook.
        minutes: how long the unit is meant to take; 0 if that is not known.
    """

    name: str
    title: str
    question: str
    notebook: str
    steps: list[Step] = field(default_factory=list)
    score: float | None = None
    points: float = 0.0
    seconds: int = 0
    minutes: int = 0
    feedback: str = ""
    language: str = "en"

    @property
    def done(self) -> int:
        """How many exercises are done."""
        return sum(step.done for step in self.steps)

    @property
    def percent(self) -> int:
        """For the bar."""
        return round(100 * self.done / len(self.steps)) if self.steps else 0

    @property
    def next(self) -> Step | None:
        """The first exercise that is not done."""
        return next((step for step in self.steps if not step.done), None)


def stages(folder: Path, progress: Progress, language: str) -> list[Stage]:
    """The units in `folder` in the order of their names, as told in `language`.

    What cannot be read is left out: a learner may have put anything there.
    """
    found = [_stage(folder, path, progress, language) for path in _sidecars(folder)]
    return sorted((stage for stage in found if stage is not None), key=lambda stage: (stage.name, stage.notebook))


def next_stage(course: list[Stage], progress: Progress) -> Stage | None:
    """Where to go on: in the unit worked on last, if something is left there; else in the first where something is."""
    left = [stage for stage in course if stage.next is not None]
    return next((stage for stage in left if stage.name == progress.last), left[0] if left else None)


def _sidecars(folder: Path) -> Iterator[Path]:
    ahead, seen = [(str(folder), 0)], 0
    while ahead and seen < MOST_FOLDERS:
        place, depth = ahead.pop(0)
        seen += 1
        try:
            entries = list(os.scandir(place))
        except OSError:
            continue
        if any(entry.name == SIDECAR and entry.is_file(follow_symlinks=False) for entry in entries):
            yield Path(place) / SIDECAR
        elif depth < DEEPEST:
            inside = (e for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False))
            ahead += [(entry.path, depth + 1) for entry in sorted(inside, key=lambda entry: entry.name)]


def _stage(folder: Path, path: Path, progress: Progress, language: str) -> Stage | None:
    try:
        sidecar = Sidecar.from_json(path.read_text(encoding="utf-8"))
        notebook = path.with_name(f"{sidecar.unit}.ipynb")
        status = notebook.stat()
        heading, points = _outline(notebook, status.st_mtime_ns, status.st_size)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    about = _about(sidecar.unit)
    texts = _texts(sidecar, language)
    known = {name.replace(".", "-"): name for name in sidecar.exercises}
    names = [known[cell] for cell in (cell.removesuffix("-check") for cell in points) if cell in known]
    tried = {name: progress.exercises.get((sidecar.unit, name), Tried()) for name in names}
    page, score = _feedback(notebook)
    certain = sum(one.score for one in tried.values()) if sidecar.edition == "self-study" else None
    return Stage(
        name=sidecar.unit,
        title=texts(str(about["title"])) if "title" in about else heading or sidecar.unit,
        question=texts(str(about.get("question", ""))),
        notebook=notebook.relative_to(folder).as_posix(),
        steps=[Step(name, texts(sidecar.exercises[name].title), tried[name].done) for name in names],
        score=score if score is not None else certain,
        points=sum(points.values()),
        seconds=progress.seconds.get(sidecar.unit, 0),
        minutes=int(about.get("minutes", 0)),
        feedback=page.relative_to(folder).as_posix() if page else "",
        language=sidecar.language if sidecar.language in LANGUAGES else "en",
    )


@lru_cache(maxsize=64)
def _outline(notebook: Path, changed: int, size: int) -> tuple[str, dict[str, float]]:
    """The first heading of a notebook, and its graded cells in order with their points."""
    heading, points = "", {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if about.get("grade") or about.get("task"):
            points[str(about["grade_id"])] = float(about.get("points", 0))
        elif not heading and cell["cell_type"] == "markdown":
            found = re.search(r"^#\s+(.+?)\s*$", "".join(cell["source"]), re.MULTILINE)
            heading = found[1] if found else ""
    return heading, points


@lru_cache
def _about(unit: str) -> dict[str, Any]:
    """What `unit.toml` says, where the course is installed with its checks; a lab's students have it not."""
    folder = course_folder(unit)
    try:
        return tomllib.loads((folder / "unit.toml").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}


def _texts(sidecar: Sidecar, language: str) -> Texts:
    folder = course_folder(sidecar.unit)
    own = read_catalog(folder / "po", language) if folder else {}
    return Texts(language, {**own, **(sidecar.messages if sidecar.language == language else {})})


def _feedback(notebook: Path) -> tuple[Path | None, float | None]:
    """The latest page of feedback that was fetched, and its score if it tells one."""
    pages = sorted(notebook.parent.glob(f"feedback/*/{notebook.stem}.html"))
    if not pages:
        return None, None
    with pages[-1].open(encoding="utf-8", errors="replace") as file:
        found = _SCORE.search(file.read(4096))
    return pages[-1], float(found[1]) if found else None

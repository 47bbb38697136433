"""The course that is attacked: six graded cells of both kinds, a class of three, and a secret in every place.

The first two exercises are the unit of fixtures, whose test cells end in `grade(...)`; the others are plain nbgrader
cells: hidden tests with bare asserts, partial credit, and an answer that is a value rather than a function.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from attacks.corpus import SECRETS
from nbformat.v4 import new_code_cell
from shared import SUMS

from autograder.authoring.build import build_course, release
from autograder.authoring.unit import read_unit
from autograder.grading.course import Course

ASSIGNMENT = SUMS.name
ATTACKER, HONEST, CLASSMATE = "attacker", "honest", "classmate"
CELL_SECONDS = 8

#: Of the plain cells: name, points (0 for an answer), source.
_PLAIN = (
    (
        "mean",
        0,
        "def mean(values):\n    ### BEGIN SOLUTION\n    # @solution@\n    return sum(values) / len(values)\n"
        "    ### END SOLUTION",
    ),
    (
        "mean-test",
        2,
        "assert mean([1.0, 2.0, 3.0]) == 2.0\n"
        "### BEGIN HIDDEN TESTS\n"
        "first = [0.5, 8.5, 3.0]\nsecond = [7.0]\nthird = [-4.0, 4.0]\nfourth = [2.0, 2.0]\nfifth = [9.0, 0.0]\n"
        'note = "@hidden checks@"\n'
        "answers = []\nanswers.append(4.0)\nanswers.append(7.0)\nanswers.append(0.0)\nanswers.append(2.0)\n"
        "answers.append(4.5)\n"
        "for values, answer in zip([first, second, third, fourth, fifth], answers, strict=True):\n"
        "    assert mean(values) == answer\n"
        "### END HIDDEN TESTS",
    ),
    (
        "spread",
        0,
        "def spread(values):\n    ### BEGIN SOLUTION\n    return max(values) - min(values)\n    ### END SOLUTION",
    ),
    (
        "spread-test",
        3,
        "points = 0\n"
        "if spread([3, 9]) == 6:\n    points += 1\n"
        "### BEGIN HIDDEN TESTS\n"
        "if spread([-2, 5, 1]) == 7:\n    points += 1\n"
        "if spread([4]) == 0:\n    points += 1\n"
        "### END HIDDEN TESTS\n"
        "points",
    ),
    ("depth", 0, "# How deep is the well, in metres?\n### BEGIN SOLUTION\ndepth = 42\n### END SOLUTION"),
    ("depth-test", 1, "### BEGIN HIDDEN TESTS\nassert depth == 42\n### END HIDDEN TESTS"),
)
FULL_MARKS = 12.0

#: Variables that name the folders in which Jupyter and others keep their own files.
_STATE = ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "XDG_CACHE_HOME")

HONEST_ANSWERS = {
    **{name.replace(".", "-"): source for name, source in read_unit(SUMS).lesson.reference.items()},
    "mean": "def mean(values):\n    return sum(values) / len(values)",
    "spread": "def spread(values):\n    return max(values) - min(values)",
    "depth": "depth = 6 * 7",
}


@dataclass(frozen=True)
class World:
    """One copy of the victim: its course, and a piece of the grader's machine beside it.

    Attributes:
        root: holds ``course``, ``home``, ``drop`` (a folder anybody may write to) and ``state`` (Jupyter's own files).
        markers: the text that stands for each secret of `SECRETS`.
    """

    root: Path
    markers: dict[str, str]

    @property
    def course(self) -> Path:
        return self.root / "course"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def submission(self, student: str) -> Path:
        """The folder that `student` hands in; made if need be."""
        folder = self.course / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def released(self) -> dict[str, Any]:
        """The untouched notebook as plain data."""
        path = self.course / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return notebook

    def hand_in_honest_work(self) -> None:
        """`HONEST` hands in right answers to everything."""
        write_notebook(self.submission(HONEST), fill(self.released(), HONEST_ANSWERS))

    def environment(self) -> dict[str, str]:
        """The environment of a grader: what a program needs, and one secret; nothing of whoever runs the tests."""
        state = self.root / "state"
        jupyter = {
            name: str(state / name.lower())
            for name in (
                "IPYTHONDIR",
                "JUPYTER_DATA_DIR",
                "JUPYTER_RUNTIME_DIR",
                "JUPYTER_CONFIG_DIR",
                "XDG_CACHE_HOME",
            )
        }
        tests = Path(__file__).parents[1]
        own = {"HOME": str(self.home), "PYTHONPATH": str(tests), "LMS_TOKEN": self.markers["environment"]}
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
        return {**kept, **jupyter, **own, "HF_HUB_OFFLINE": "1"}

    def facts(self, port: int, socket: str, canary: int, confession: str) -> dict[str, str]:
        """Where things are, as an attack may use them between two ``@``.

        Args:
            port: of a service on the machine's loopback.
            socket: the name, after its zero byte, of an abstract unix socket.
            canary: the id of a process of the machine's.
            confession: what an attack prints once it holds something of the machine in its hands.
        """
        return {
            "COURSE": str(self.course),
            "HOME": str(self.home),
            "DROP": str(self.root / "drop"),
            "STATE": str(self.root / "state"),
            "ASSIGNMENT": ASSIGNMENT,
            "PORT": str(port),
            "SOCKET": socket,
            "CANARY": str(canary),
            "CONFESSION": confession,
        }


def build_victim(root: Path) -> None:
    """Make the victim in the empty folder `root`, with its markers in ``markers.json`` beside the course."""
    markers = {name: f"marker-{name.replace(' ', '-')}-{secrets.token_hex(8)}" for name in SECRETS}
    for name in ("home", "drop", "state"):
        (root / name).mkdir()
    (root / "home" / ".token").write_text(markers["home"])
    (root / "home" / "notes.txt").write_text("Do not forget the meeting.\n")
    unit = Path(shutil.copytree(SUMS, root / "unit" / ASSIGNMENT))
    _plant(unit / "checks.py", "def some_numbers(rng):", f"def some_numbers(rng):\n    # {markers['hidden checks']}")
    # Nothing that is wrong may be right by chance: an empty list has no number that is equal to the limit either.
    _plant(unit / "checks.py", "limit not in got,", "limit not in got and limit + 1 in got,")
    _plant(unit / "lesson.py", "    result = 0", f"    # {markers['solution']}\n    result = 0")
    _plant(unit / "unit.toml", "cell_seconds = 20", f"cell_seconds = {CELL_SECONDS}")
    world = World(root, markers)
    build_course([read_unit(unit)], "en", world.course, shut_in=False)
    shutil.rmtree(root / "unit")
    _add_plain_cells(world)
    write_notebook(world.submission(CLASSMATE), fill(world.released(), {"mean": f"# {markers['classmate']}"}))
    shutil.copytree(world.submission(CLASSMATE), world.course / "autograded" / CLASSMATE / ASSIGNMENT)
    _grade_classmate(world)
    (root / "markers.json").write_text(json.dumps(markers))


def copy_victim(victim: Path, root: Path) -> World:
    """A copy of the victim that `build_victim` made, for one attack; `root` must not exist."""
    shutil.copytree(victim, root, ignore=shutil.ignore_patterns("markers.json"))
    return World(root, json.loads((victim / "markers.json").read_text()))


def fill(notebook: dict[str, Any], answers: dict[str, str]) -> dict[str, Any]:
    """`notebook` with the answer cells replaced, by nbgrader's name of the cell."""
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in answers:
            cell["source"] = answers[name]
    return notebook


def write_notebook(folder: Path, notebook: dict[str, Any]) -> None:
    """Write `notebook` to `folder` under the name that the assignment wants."""
    (folder / f"{ASSIGNMENT}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def _plant(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise ValueError(f"The file {path} no longer holds {old!r}.")
    path.write_text(text.replace(old, new), encoding="utf-8")


def _add_plain_cells(world: World) -> None:
    path = world.course / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for name, points, source in _PLAIN:
        for marker, text in world.markers.items():
            source = source.replace(f"@{marker}@", text)
        about = {"grade_id": name, "grade": points > 0, "solution": points == 0, "locked": points > 0}
        about |= {"task": False, "schema_version": 3, "cell_type": "code"} | ({"points": points} if points else {})
        notebook.cells.append(new_code_cell(source, id=name, metadata={"nbgrader": about}))
    nbformat.write(notebook, path)
    release(world.course, ASSIGNMENT)


def _grade_classmate(world: World) -> None:
    with Course(world.course).gradebook() as gradebook:
        gradebook.add_student(CLASSMATE, last_name=world.markers["gradebook"])
        submission = gradebook.add_submission(ASSIGNMENT, CLASSMATE)
        for grade in submission.notebooks[0].grades:
            grade.manual_score = 1
        gradebook.db.commit()

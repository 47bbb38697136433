"""The worst that can be handed in, in a class with two ordinary students, and what must come of each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from grading.students import NAME, REFERENCE

from autograder.authoring.agreement import submit

ORDINARY = ("one", "two")
#: Fills the submission that is in a folder with something else.
Spoil = Callable[[Path], None]


@dataclass(frozen=True)
class Bad:
    """A bad submission: it gets `score`, or else a sentence with `words`."""

    spoil: Spoil
    score: float | None = None
    words: str = ""


def notebook_of(folder: Path) -> Path:
    return folder / f"{NAME}.ipynb"


def changed(change: Callable[[nbformat.NotebookNode, dict[str, nbformat.NotebookNode]], object]) -> Spoil:
    """The notebook with something in it changed, given the notebook and its graded cells."""

    def spoil(folder: Path) -> None:
        notebook = nbformat.read(notebook_of(folder), as_version=4)
        change(notebook, {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata})
        notebook_of(folder).write_text(json.dumps(notebook), "utf-8")

    return spoil


def written(text: str | bytes) -> Spoil:
    return lambda folder: void(notebook_of(folder).write_bytes(text if isinstance(text, bytes) else text.encode()))


def forged(**about: object) -> Spoil:
    """What nbgrader knows about a test cell, changed."""
    return changed(lambda _, cells: cells["sums-over-check"].metadata.nbgrader.update(about))


def kernel(spec: object) -> Spoil:
    return changed(lambda notebook, _: notebook.metadata.update(kernelspec=spec))


def link(name: str, target: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return spoil


def replaced_by(make: Callable[[Path], object], name: str = f"{NAME}.ipynb") -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return spoil


def sparse(name: str, size: int = 500_000_000) -> Spoil:
    """A file that says it has `size` bytes, and holds none."""
    return lambda folder: void(os.truncate(touched(folder / name), size))


def many_files(folder: Path) -> None:
    for number in range(20_000):
        (folder / f"{number}.txt").touch()


def deep(folder: Path) -> None:
    inner = folder.joinpath(*["a"] * 100)
    inner.mkdir(parents=True)
    (inner / "data.csv").write_text("1\n")


def instead(make: Callable[[Path], object]) -> Spoil:
    """Something else in place of the folder that was handed in."""

    def spoil(folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        make(folder)

    return spoil


def touched(path: Path) -> Path:
    path.touch()
    return path


def void(_: object) -> None:
    """For what is done for its effect."""


def version_3(folder: Path) -> None:
    notebook = nbformat.read(notebook_of(folder), as_version=4)
    notebook_of(folder).write_text(json.dumps(nbformat.convert(notebook, 3)), "utf-8")


R = {"name": "ir", "display_name": "R", "language": "R"}
EXTRA = {"grade_id": "mine", "grade": True, "points": 50, "solution": False, "locked": True, "task": False}
NESTED = '{"nbformat": 4, "nbformat_minor": 5, "cells": [], "metadata": ' + '{"a": ' * 100_000 + "1" + "}" * 100_001
PLAIN = "is a link or a device; put a copy"
READ, RUN = "cannot be read as a notebook", "could not be run ("

BAD: dict[str, Bad] = {
    # What is no notebook.
    "empty file": Bad(written(""), words=READ),
    "bad json": Bad(written('{"cells": ['), words=READ),
    "json that is a list": Bad(written("[1, 2]"), words=READ),
    "json that is no notebook": Bad(written('{"cells": 3}'), words=READ),
    "cells of numbers": Bad(written('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}'), words=READ),
    "nested json": Bad(written(NESTED), words=READ),
    "noise": Bad(written(bytes(range(256)) * 10), words=READ),
    "utf-16": Bad(written("{}".encode("utf-16")), words=READ),
    "version 3": Bad(version_3, score=6),
    "version 99": Bad(changed(lambda notebook, _: notebook.update(nbformat=99)), words=READ),
    # What it says about itself.
    "R": Bad(kernel(R), score=6),
    "unknown kernel": Bad(kernel({"name": "nowhere", "display_name": "?"}), score=6),
    "no kernel": Bad(changed(lambda notebook, _: notebook.metadata.pop("kernelspec")), score=6),
    "kernel of text": Bad(kernel("python3"), score=6),
    "forged points": Bad(forged(points=100), score=6),
    "points of text": Bad(forged(points="many"), words=RUN),
    "forged name": Bad(forged(grade_id="sums-total-check"), words="has the graded cell sums-total-check twice"),
    "unknown name": Bad(forged(grade_id="mine"), words="has the graded cell mine that is not in the assignment"),
    "name of a list": Bad(forged(grade_id=[1]), words=RUN),
    "forged type": Bad(forged(cell_type="markdown"), score=6),
    "unlocked": Bad(forged(locked=False), score=6),
    "no grade": Bad(forged(grade=False), words=RUN),
    "schema 99": Bad(forged(schema_version=99), words=RUN),
    "schema of text": Bad(forged(schema_version="x"), words=RUN),
    "nbgrader of text": Bad(changed(lambda _, c: c["sums-over-check"].metadata.update(nbgrader="x")), words=RUN),
    "made markdown": Bad(changed(lambda _, cells: cells["sums-over-check"].update(cell_type="markdown")), score=6),
    "twice": Bad(
        changed(lambda notebook, cells: notebook.cells.append(dict(cells["sums-over-check"], id="again"))),
        words="has the graded cell sums-over-check twice",
    ),
    "extra": Bad(
        changed(
            lambda notebook, _: notebook.cells.append(nbformat.v4.new_code_cell("50", metadata={"nbgrader": EXTRA}))
        ),
        words="has the graded cell mine that is not in the assignment",
    ),
    "no tests": Bad(changed(lambda notebook, cells: notebook.cells.remove(cells["sums-over-check"])), score=6),
    "no cells": Bad(changed(lambda notebook, _: notebook.update(cells=[])), words=RUN),
    # Links and what is neither file nor folder.
    "link to work": Bad(link(f"{NAME}.ipynb", f"../../one/{NAME}/{NAME}.ipynb"), words=PLAIN),
    "link to passwd": Bad(link(f"{NAME}.ipynb", "/etc/passwd"), words=PLAIN),
    "link to itself": Bad(link(f"{NAME}.ipynb", f"{NAME}.ipynb"), words=PLAIN),
    "link as data": Bad(link("data.csv", "/etc/passwd"), score=6),
    "loop as data": Bad(link("loop", "loop"), score=6),
    "folder as data": Bad(link("everything", "/"), score=6),
    "link as folder": Bad(instead(lambda folder: folder.symlink_to(f"../one/{NAME}")), words="is a link; put a copy"),
    "loop as folder": Bad(instead(lambda folder: folder.symlink_to(NAME)), words="is a link; put a copy"),
    "fifo": Bad(replaced_by(os.mkfifo), words=PLAIN),
    "fifo as data": Bad(replaced_by(os.mkfifo, "data.csv"), score=6),
    "fifo as time": Bad(replaced_by(os.mkfifo, "timestamp.txt"), words=PLAIN),
    "folder": Bad(replaced_by(Path.mkdir), words=f"has no notebook named {NAME}.ipynb"),
    "nothing": Bad(replaced_by(void), words=f"has no notebook named {NAME}.ipynb"),
    # Too much.
    "large file": Bad(sparse("data.csv"), words="holds more than 250 MB or 10000 files"),
    "large notebook": Bad(sparse(f"{NAME}.ipynb"), words="has 500 MB and may have 32; clear its outputs"),
    "long time": Bad(sparse("timestamp.txt", 2000), words="is no time; write one like"),
    "no time": Bad(lambda folder: void((folder / "timestamp.txt").write_text("soon")), words="is no time; write one"),
    "many files": Bad(many_files, words="holds more than 250 MB or 10000 files"),
    "deep": Bad(deep, score=6),
    # Names of students.
    "new\nline": Bad(void, score=6),
    "\x1b[31mred": Bad(void, score=6),
    "🎓": Bad(void, score=6),
    "a; touch hacked": Bad(void, score=6),
    "Ҷамшед Ғаниев": Bad(void, score=6),
    "quote'\"s`": Bad(void, score=6),
    "back\\slash": Bad(void, score=6),
    "{student_id}": Bad(void, score=6),
    "x*[a]?": Bad(void, score=6),
    "%2Fetc": Bad(void, score=6),
    "l" * 200: Bad(void, score=6),
    "ы" * 127: Bad(void, score=6),
    "not text \udcff": Bad(void, words="has a name that is no text; rename it"),
    "bad\nname": Bad(written(""), words=READ),
}


def hand_in_the_worst(course: Path) -> None:
    """Two ordinary submissions and every bad one."""
    submit(NAME, {student: REFERENCE for student in (*ORDINARY, *BAD)}, course)
    for student, bad in BAD.items():
        bad.spoil(course / "submitted" / student / NAME)

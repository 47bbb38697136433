"""A student's process for tests: a fork that serves one notebook, and cells as nbgrader marks them."""

from __future__ import annotations

import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.utils import determine_grade

from autograder.judge.agent import serve
from autograder.judge.conductor import Conducted, conduct
from autograder.judge.link import Link
from autograder.judge.wire import Channel

#: Imported before any fork, as where a class is graded, so that no test waits for it.
STACK = (numpy, pandas, torch)


@contextmanager
def process(life: Callable[[int], None] = serve) -> Iterator[tuple[Channel, Callable[[], None]]]:
    """A child that leads `life` with its end of a socket; our end, and how to interrupt the child."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        try:
            ours.close()
            for number in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            life(theirs.detach())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    theirs.close()
    try:
        yield Channel(ours), lambda: os.kill(child, signal.SIGINT)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        ours.close()


@contextmanager
def student(source: str = "") -> Iterator[Student]:
    """The names that `source` defines, in a process of their own."""
    with process() as (channel, interrupt):
        link = Link(channel, interrupt)
        outputs, failed = link.ask("execute", source)
        assert not failed, outputs
        yield Student(link)


@dataclass(frozen=True)
class Case:
    """One student's work, a test of it, and the points out of 2 that it must get."""

    title: str
    work: str
    test: str
    score: float

    def __str__(self) -> str:
        return self.title


def read_cases(name: str) -> list[Case]:
    """The cases of a text file: a title after ##, the work, the test after "# test", a score that is 0 if not said."""
    found = []
    for text in (Path(__file__).parent / name).read_text(encoding="utf-8").split("## ")[1:]:
        title, _, body = text.partition("\n")
        work, _, rest = body.partition("# test\n")
        test, _, score = rest.partition("# score\n")
        found.append(Case(title, work.strip(), test.strip(), float(score or 0)))
    return found


class Student:
    """`student.f` is what the judge sees of the student's name f."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def __getattr__(self, name: str) -> Any:
        found, told = self.link.ask("lookup", name)
        assert found, name
        return self.link.unlend(told)


def ordinary(source: str) -> NotebookNode:
    return new_code_cell(source)


def answer(source: str, name: str = "answer") -> NotebookNode:
    return _marked(source, name, grade=False, solution=True, locked=False)


def locked(source: str, name: str = "helper") -> NotebookNode:
    return _marked(source, name, grade=False, solution=False, locked=True)


def scored(source: str, name: str = "test", points: float = 2, tags: Sequence[str] = ()) -> NotebookNode:
    cell = _marked(source, name, grade=True, solution=False, locked=True, points=points)
    cell.metadata["tags"] = list(tags)
    return cell


def _marked(source: str, name: str, **about: Any) -> NotebookNode:
    cell = new_code_cell(source)
    cell.metadata["nbgrader"] = {"grade_id": name, "schema_version": 3, "cell_type": "code", "task": False, **about}
    return cell


def run(cells: Sequence[NotebookNode], life: Callable[[int], None] = serve, **options: Any) -> Conducted:
    """Conduct `cells` with a process of their own."""
    with process(life) as (channel, interrupt):
        return conduct(cells, channel, interrupt=interrupt, **options)


def points(cells: Sequence[NotebookNode], life: Callable[[int], None] = serve, **options: Any) -> list[float]:
    """What nbgrader makes of the outputs of each test cell."""
    done = run(cells, life, **options)
    return [grade for _, grade in graded(cells, done)]


def graded(cells: Sequence[NotebookNode], done: Conducted) -> list[tuple[str, float]]:
    """The score of every test cell by name."""
    found = []
    for cell, outputs in zip(cells, done.outputs, strict=True):
        about = cell.metadata.get("nbgrader", {})
        if about.get("grade") and not about.get("solution"):
            score, _ = determine_grade(NotebookNode({**cell, "outputs": outputs}))
            found.append((about["grade_id"], float(score)))
    return found

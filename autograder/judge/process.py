"""Two processes for each notebook: one with the student's cells, one that judges; the grader sees only its account."""

from __future__ import annotations

import json
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.judge.conductor import ENDED, Conducted, conduct
from autograder.judge.wire import Channel, Misbehaved
from autograder.kernel.client import STACK, Child, Zygote
from autograder.kernel.limits import Limits, Reason
from autograder.kernel.sandbox import Cache, Sandbox

#: Seconds that the judge may need beyond what the student's process may.
MARGIN = 120.0
_STUDENT = "autograder.judge.agent:serve"
_JUDGE = "autograder.judge.process:judge"


@dataclass(frozen=True)
class Account:
    """What running one notebook gave.

    Attributes:
        outputs: for each cell its outputs.
        problems: what went wrong in the instructor's own cells, as sentences.
    """

    outputs: list[list[NotebookNode]]
    problems: list[str]


class Lost(Exception):
    """A process of the grader's own ended; the notebook may be run once more."""


class Court:
    """The two zygotes that student's processes and judges are forked from. Use it as a context manager.

    Args:
        modules: what both import beforehand.
        readable: folders that the judge may read and students may not, such as units with their hidden checks.
        sandboxed: whether both are shut in; without it the student's code can do whatever this user can.
    """

    def __init__(
        self, modules: Sequence[str] = STACK, readable: Sequence[Path] = (), *, sandboxed: bool = True
    ) -> None:
        box = Sandbox(cache=Cache.of_user()) if sandboxed else None
        own = replace(box, readable=tuple(readable)) if box is not None else None
        self._students = Zygote(box, [*modules, "autograder.judge.agent"])
        self._judges = Zygote(own, [*modules, "autograder.judge.process"])

    def __enter__(self) -> Court:
        return self

    def prepare(self) -> None:
        """Start both zygotes, side by side.

        Raises:
            UstodError: if one cannot be started.
        """
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Zygote.start, (self._students, self._judges)))

    def __exit__(self, *exception: object) -> None:
        self._students.close()
        self._judges.close()

    def try_notebook(
        self,
        notebook: NotebookNode,
        reference: NotebookNode | None,
        folder: Path,
        *,
        seconds: float,
        hidden: tuple[str, str],
        limits: Limits | None = None,
        ignore: Callable[[Path], bool] = lambda path: False,
    ) -> Account:
        """Run `notebook` with copies of the files in `folder` beside it, once more if a process of ours is lost.

        Args:
            reference: the instructor's notebook, as for `conduct`.
            seconds: on the clock, for each ordinary cell.
            hidden: what marks the lines that students must not see.
            limits: of the student's process.
            ignore: says which files in `folder` to leave out.

        Raises:
            Lost: if that happens twice.
            UstodError: if a process cannot be started.
        """
        order = {
            "cells": notebook.cells,
            "reference": reference.cells if reference is not None else None,
            "seconds": seconds,
            "hidden": hidden,
        }
        message = json.dumps(order).encode()
        try:
            return self._try(message, folder, limits or Limits(), ignore)
        except Lost:
            return self._try(message, folder, limits or Limits(), ignore)

    def _try(self, message: bytes, folder: Path, limits: Limits, ignore: Callable[[Path], bool]) -> Account:
        students, judges = socket.socketpair()
        ours, theirs = socket.socketpair()
        channel = Channel(ours)
        with students, judges, theirs, channel.closing(), tempfile.TemporaryFile() as console:
            fds = [students.fileno()]
            student = self._students.fork(
                _STUDENT, fds=fds, limits=limits, files=folder, ignore=ignore, console=console
            )
            students.close()
            try:
                patience = replace(limits, wall=limits.wall + MARGIN, cpu=limits.cpu + MARGIN)
                fds = [judges.fileno(), theirs.fileno()]
                judge = self._judges.fork(_JUDGE, fds=fds, limits=patience, files=folder, ignore=ignore)
                try:
                    judges.close()
                    theirs.close()
                    return self._hear(channel, message, student, patience.wall)
                finally:
                    judge.kill()
            finally:
                student.kill()

    @staticmethod
    def _hear(channel: Channel, message: bytes, student: Child, patience: float) -> Account:
        try:
            deadline = time.monotonic() + patience
            channel.send(message, deadline)
            while (answer := channel.receive(deadline)) == b"interrupt":
                student.signal(signal.SIGINT)
        except Misbehaved as error:
            raise Lost(f"The judge's process was lost: {error}") from None
        told = json.loads(answer)
        if "fault" in told:
            raise Lost(told["fault"])
        early = student.wait(0.5) if told["ended"] else None
        if early is not None and early.reason is Reason.ZYGOTE:
            raise Lost("The process from which students' processes are forked was lost.")
        outputs = [nbformat.from_dict(cell) for cell in told["outputs"]]
        if early is not None:
            _say_why(outputs, early.reason.sentence(student.limits))
        return Account(outputs, told["problems"])


def _say_why(cells: list[list[NotebookNode]], sentence: str) -> None:
    """Put `sentence` in the place of every output that only says that the student's process has ended."""
    for output in (output for outputs in cells for output in outputs if output.get("ename") == ENDED):
        output.evalue, output.traceback = sentence, [f"{ENDED}: {sentence}"]


def judge(student: int, grader: int) -> int:
    """The judge's process: conduct the notebook that comes from `grader` with the process behind `student`."""
    channel = Channel(socket.socket(fileno=grader))
    order: dict[str, Any] = json.loads(channel.receive())
    reference = order["reference"]
    try:
        conducted = conduct(
            [nbformat.from_dict(cell) for cell in order["cells"]],
            Channel(socket.socket(fileno=student)),
            reference=None if reference is None else [nbformat.from_dict(cell) for cell in reference],
            interrupt=lambda: channel.send(b"interrupt"),
            seconds=order["seconds"],
            hidden=tuple(order["hidden"]),
        )
    except Exception as error:
        channel.send(json.dumps({"fault": f"The judge failed: {type(error).__name__}: {error}"}).encode())
        return 1
    channel.send(json.dumps(_told(conducted)).encode())
    return 0


def _told(conducted: Conducted) -> dict[str, Any]:
    ended = any(output.get("ename") == ENDED for outputs in conducted.outputs for output in outputs)
    return {"outputs": conducted.outputs, "problems": conducted.problems, "ended": ended}

"""Two processes for each notebook: one with the student's cells, one that judges; the grader sees only its account."""

from __future__ import annotations

import json
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
DEFAULT_LIMITS = Limits()
_STUDENT = "autograder.judge.agent:serve"
_JUDGE = "autograder.judge.process:judge"


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
        limits: Limits = DEFAULT_LIMITS,
    ) -> Conducted:
        """Run `notebook` with copies of the files in `folder` beside it, once more if a process of ours is lost.

        Args:
            reference: the instructor's notebook, as for `conduct`.
            seconds: on the clock, for each ordinary cell.
            hidden: what marks the lines that students must not see.
            limits: of the student's process.

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
            return self._try(message, folder, limits)
        except Lost:
            return self._try(message, folder, limits)

    def _try(self, message: bytes, folder: Path, limits: Limits) -> Conducted:
        students, judges = socket.socketpair()
        ours, theirs = socket.socketpair()
        channel = Channel(ours)
        with students, judges, theirs, channel.closing(), tempfile.TemporaryFile() as console:
            fds = [students.fileno()]
            student = self._students.fork(_STUDENT, fds=fds, limits=limits, files=folder, console=console)
            students.close()
            try:
                patience = replace(limits, wall=limits.wall + MARGIN, cpu=limits.cpu + MARGIN)
                fds = [judges.fileno(), theirs.fileno()]
                judge = self._judges.fork(_JUDGE, fds=fds, limits=patience, files=folder)
                try:
                    judges.close()
                    theirs.close()
                    return self._hear(channel, message, student, patience.wall)
                finally:
                    judge.kill()
            finally:
                student.kill()

    @staticmethod
    def _hear(channel: Channel, message: bytes, student: Child, patience: float) -> Conducted:
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
        cells = [nbformat.from_dict(outputs) for outputs in told["outputs"]]
        ends = [output for outputs in cells for output in outputs if output.get("ename") == ENDED]
        ending = student.wait(0.5) if ends else None
        if ending is not None:
            if ending.reason is Reason.ZYGOTE:
                raise Lost("The process from which students' processes are forked was lost.")
            why = ending.reason.sentence(student.limits)
            for output in ends:
                output.evalue, output.traceback = why, [f"{ENDED}: {why}"]
        return Conducted(cells, told["problems"])


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
    channel.send(json.dumps(vars(conducted)).encode())
    return 0

"""Two processes for each notebook: one with the student's cells, one that judges; the grader sees only its account."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.errors import UstodError
from autograder.judge.conductor import ENDED, Conducted, conduct
from autograder.judge.wire import Channel, Misbehaved
from autograder.kernel.client import STACK, Child, Twin, Zygote
from autograder.kernel.limits import Limits, Reason
from autograder.kernel.sandbox import Cache, Sandbox

#: Seconds that the judge may need beyond what the student's process may.
MARGIN = 120.0
#: Seconds within which the end of a process that has fallen silent is told.
PATIENCE = 10.0
DEFAULT_LIMITS = Limits()
_STUDENT = "autograder.judge.agent:serve"
_JUDGE = "autograder.judge.process:judge"


class Lost(Exception):
    """A process ended through no fault of the student's code; the notebook may be run once more."""


class Court:
    """The zygote that students' processes and judges are forked from. Use it as a context manager.

    Args:
        modules: what is imported beforehand, as for `Zygote`.
        readable: folders that the judge may read and students may not, such as units with their hidden checks.
        sandboxed: whether all are shut in; without it the student's code can do whatever this user can.
        twin: a zygote for the same that another court has forked from its own.
    """

    def __init__(
        self,
        modules: Sequence[str] = STACK,
        readable: Sequence[Path] = (),
        *,
        sandboxed: bool = True,
        twin: Twin | None = None,
    ) -> None:
        box = Sandbox(tuple(readable), Cache.of_user()) if sandboxed else None
        self._hidden = tuple(readable) if sandboxed else ()
        self._zygote = Zygote(box, [*modules, "autograder.judge.warmth"], twin=twin)

    def __enter__(self) -> Court:
        return self

    def prepare(self) -> None:
        """Start the zygote.

        Raises:
            UstodError: if it cannot be started.
        """
        self._zygote.start()

    def twin(self) -> Twin:
        """A zygote for such a court in another process. It ends with that of this one, which need not be ready yet."""
        return self._zygote.twin()

    def __exit__(self, *exception: object) -> None:
        self._zygote.close()

    def try_notebook(
        self,
        notebook: NotebookNode,
        reference: NotebookNode | None,
        folder: Path,
        *,
        seconds: float,
        hidden: tuple[str, str],
        limits: Limits = DEFAULT_LIMITS,
        skip: Collection[int] = (),
    ) -> Conducted:
        """Run `notebook` with copies of the files in `folder` beside it; once more if that failed through no fault
        of its own: a process was killed or not born, or a package was installed meanwhile.

        Args:
            reference: the instructor's notebook, as for `conduct`.
            seconds: on the clock, for each ordinary cell.
            hidden: what marks the lines that students must not see.
            limits: of the student's process.
            skip: places of cells that are left out, as for `conduct`.

        Raises:
            Lost: if that happens twice.
            UstodError: if a process cannot be started.
        """
        order = {
            "cells": notebook.cells,
            "reference": reference.cells if reference is not None else None,
            "seconds": seconds,
            "hidden": hidden,
            "skip": list(skip),
        }
        message = json.dumps(order).encode()
        try:
            return self._try(message, folder, limits)
        except (Lost, UstodError):
            return self._try(message, folder, limits)

    def _try(self, message: bytes, folder: Path, limits: Limits) -> Conducted:
        students, judges = socket.socketpair()
        ours, theirs = socket.socketpair()
        channel = Channel(ours)
        console = os.fdopen(os.memfd_create("console"), "wb")  # on no disk, since a full one would cost the student
        with students, judges, theirs, channel.closing(), console:
            fds = [students.fileno()]
            own: dict[str, Any] = {"limits": limits, "files": folder, "hidden": self._hidden, "console": console}
            student = self._zygote.fork(_STUDENT, limits.plain(), fds=fds, **own)
            students.close()
            try:
                patience = replace(limits, wall=limits.wall + MARGIN, cpu=limits.cpu + MARGIN)
                fds = [judges.fileno(), theirs.fileno()]
                judge = self._zygote.fork(_JUDGE, fds=fds, limits=patience, files=folder)
                try:
                    judges.close()
                    theirs.close()
                    conducted = self._hear(channel, message, student, patience.wall)
                    if student.is_outdated:
                        raise Lost("Python or a package was changed while the notebook ran.")
                    return conducted
                except Lost:
                    for child in (judge, student):  # with their ends it is known whether their zygote lives
                        child.kill()
                        child.wait(PATIENCE)
                    raise
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
        ending = student.wait(PATIENCE) if ends else None
        if ending is not None:
            if ending.reason in (Reason.ZYGOTE, Reason.KILLED):
                raise Lost("The student's process was killed from outside.")
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
            skip=order["skip"],
        )
    except Exception as error:
        channel.send(json.dumps({"fault": f"The judge failed: {type(error).__name__}: {error}"}).encode())
        return 1
    channel.send(json.dumps(vars(conducted)).encode())
    return 0

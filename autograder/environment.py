"""The process environment in which learners' code and nbgrader run."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager

#: For the Hugging Face libraries (which read it when they are imported), and for processes that fork.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def work_offline() -> None:
    """Let this process and its children use what is in the cache and never wait for a network.

    Call it before a Hugging Face library is imported.
    """
    os.environ.update(OFFLINE)


def put_own_programs_on_path() -> None:
    """Let child processes find the programs installed beside this Python, without the environment being activated.

    nbgrader calls ``alembic`` by its bare name when it creates a gradebook.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", "").split(os.pathsep)
    if scripts not in path:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])


def die_with_parent() -> None:
    """Let Linux end this process when its parent ends, however it ends; elsewhere do nothing."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        parent = multiprocessing.parent_process()
        if parent is not None and parent.pid != os.getppid():  # it ended before Linux was told
            os._exit(1)


def leave_interrupts_to_parent() -> None:
    """Let Ctrl-C, which reaches every process of a terminal, be the parent's matter; programs started here hear it."""
    signal.signal(signal.SIGINT, lambda number, frame: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


@contextmanager
def starting_deaf() -> Iterator[None]:
    """Keep Ctrl-C from processes that the body starts until they call `leave_interrupts_to_parent`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ended_as_by_interrupt() -> Iterator[None]:
    """Let a request to end (SIGTERM) raise `KeyboardInterrupt` in the body, as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def spare_slow_imports() -> None:
    """Keep jsonschema from importing a checker of IRIs, which takes over a second and which no notebook needs."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

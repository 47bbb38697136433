"""Processes of this package and what becomes of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.environment import die_with_parent, ended_as_by_interrupt, starting_deaf


def _outlive(mark: Path) -> None:
    """In a process whose parent has gone: say so if `die_with_parent` lets it."""
    while os.getppid() == multiprocessing.parent_process().pid:
        time.sleep(0.01)
    mark.with_suffix(".orphan").write_text(str(os.getpid()))
    die_with_parent()
    mark.touch()


def _leave_a_child(mark: Path) -> None:
    multiprocessing.get_context("fork").Process(target=_outlive, args=(mark,)).start()
    os._exit(0)


def test_a_process_whose_parent_died_before_it_could_tell_linux_ends_too(tmp_path: Path) -> None:
    parent = multiprocessing.get_context("fork").Process(target=_leave_a_child, args=(tmp_path / "mark",))
    parent.start()
    parent.join()
    orphan = tmp_path / "mark.orphan"
    while not orphan.exists() or not orphan.read_text():
        time.sleep(0.01)
    while Path("/proc", orphan.read_text(), "cmdline").exists() and not (tmp_path / "mark").exists():
        time.sleep(0.01)
    assert not (tmp_path / "mark").exists()


def test_a_worker_does_not_hear_an_interrupt_from_its_first_moment_and_its_programs_do() -> None:
    program = (
        "import signal, subprocess, sys\n"
        "from autograder.environment import leave_interrupts_to_parent\n"
        "signal.raise_signal(signal.SIGINT)\n"
        "leave_interrupts_to_parent()\n"
        "signal.raise_signal(signal.SIGINT)\n"
        "code = 'import signal; signal.raise_signal(signal.SIGINT)'\n"
        "print(subprocess.run([sys.executable, '-c', code], stderr=subprocess.DEVNULL).returncode)\n"
    )
    with starting_deaf():
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{-signal.SIGINT}\n", "")


def test_interrupts_are_heard_again_after_workers_were_started() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with starting_deaf():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_a_request_to_end_is_an_interrupt_while_it_is_wanted() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ended_as_by_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before

"""Keeps a lab's programs running: starts what ended, and writes down what each says."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

import psutil

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.hub.lab import Lab, read_lab
from autograder.hub.programs import Program, programs

#: Seconds between two looks at the programs.
TICK = 0.2
#: Seconds before a program that ended is started again; doubled each time, up to the second.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: A program that ran for so long had no trouble starting.
SETTLED = 60.0
#: Seconds that programs have to end by themselves.
GRACE = 15.0

LOG_BYTES, LOGS = 5 << 20, 5


@dataclass
class _Run:
    """A program, and how it fares."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    restarts: int = -1
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("unused"))


class Supervisor:
    """Runs the programs of the lab at `path` until it is told to stop.

    Args:
        path: ``lab.toml``; read again on SIGHUP.
        chores: called with the lab about once a minute.
    """

    def __init__(self, path: Path, chores: Callable[[Lab], None]) -> None:
        self._lab = read_lab(path)
        self._chores = chores
        self._runs: dict[str, _Run] = {}
        self._ending = False
        self._reread = False
        self._log = _log(self._lab, "supervisor")

    def run(self) -> None:
        """Start everything, and keep it running until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_end)
        signal.signal(signal.SIGHUP, self._on_reread)
        self._adopt(programs(self._lab))
        next_chore = time.monotonic() + 5
        while not self._ending:
            if self._reread:
                self._reread = False
                self._read_again()
            self._look()
            if time.monotonic() > next_chore:
                next_chore = time.monotonic() + 60
                self._do_chores()
            time.sleep(TICK)
        self._end(list(self._runs.values()))

    def _on_end(self, number: int, frame: object) -> None:
        self._ending = True

    def _on_reread(self, number: int, frame: object) -> None:
        self._reread = True

    def _do_chores(self) -> None:
        try:
            self._chores(self._lab)
        except Exception as error:  # the lab goes on
            self._log.error("a chore failed: %s: %s", type(error).__name__, error)

    def _read_again(self) -> None:
        try:
            lab = read_lab(self._lab.path)
            self._adopt(programs(lab))
            self._lab = lab
            self._log.info("lab.toml was read again")
        except UstodError as error:
            self._log.error("lab.toml was not applied: %s", error)

    def _adopt(self, wanted: list[Program]) -> None:
        """Start what is new, stop what is no longer wanted, and leave alone what is as it was."""
        names = {program.name for program in wanted}
        gone = [run for name, run in self._runs.items() if name not in names]
        self._end(gone)
        for run in gone:
            del self._runs[run.program.name]
        for program in wanted:
            known = self._runs.get(program.name)
            if known is None:
                self._runs[program.name] = _Run(program, log=_log(self._lab, program.name))
            elif known.program != program:
                self._log.info("%s has new settings, and gets them when it is next started", program.name)
                known.program = program

    def _look(self) -> None:
        now = time.monotonic()
        for run in self._runs.values():
            if run.process is not None and run.process.poll() is not None:
                self._log.warning("%s ended with %s", run.program.name, run.process.returncode)
                run.pause = FIRST_PAUSE if now - run.began > SETTLED else min(run.pause * 2, LONGEST_PAUSE)
                run.due, run.process = now + run.pause, None
            if run.process is None and now >= run.due:
                self._start(run)

    def _start(self, run: _Run) -> None:
        program = run.program
        try:
            run.process = subprocess.Popen(
                program.started_as,
                env=dict(program.environment),
                cwd=program.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            self._log.error("%s could not be started: %s", program.name, error)
            run.pause = min(run.pause * 2, LONGEST_PAUSE)
            run.due = time.monotonic() + run.pause
            return
        run.began = time.monotonic()
        run.restarts += 1
        threading.Thread(target=_write_down, args=(run.process, run.log), daemon=True).start()
        self._log.info("%s started, pid %s", program.name, run.process.pid)

    def _end(self, runs: list[_Run]) -> None:
        """End programs in the opposite order of their start: whoever needs another ends first."""
        for run in reversed(runs):
            if run.process is not None:
                run.process.terminate()
        deadline = time.monotonic() + GRACE
        for run in runs:
            if run.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.process.wait(max(0.0, deadline - time.monotonic()))
                if run.process.poll() is None:
                    run.process.kill()
                    run.process.wait()
                run.process = None


def _write_down(process: subprocess.Popen[bytes], log: logging.Logger) -> None:
    """What a program says goes to its log, which is kept from filling the disk."""
    assert process.stdout is not None
    for line in process.stdout:
        log.info("%s", line.decode("utf-8", "replace").rstrip()[:4000])


def _log(lab: Lab, name: str) -> logging.Logger:
    lab.storage.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = logging.getLogger(f"ustod.{name}")
    log.propagate = False
    log.setLevel(logging.INFO)
    if not log.handlers:
        handler = RotatingFileHandler(lab.storage.logs / f"{name}.log", maxBytes=LOG_BYTES, backupCount=LOGS)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(handler)
    return log


@dataclass(frozen=True)
class Running:
    """A supervisor that runs: its pid, told from another process's by the time at which it began."""

    pid: int

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def ended(self) -> bool:
        """Whether it has ended."""
        return not psutil.pid_exists(self.pid) or psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE


def running(lab: Lab) -> Running | None:
    """The supervisor of `lab`, if it runs."""
    try:
        pid, began = (lab.storage.run / "supervisor.pid").read_text().split()
        process = psutil.Process(int(pid))
        found = Running(int(pid))
        return found if f"{process.create_time():.2f}" == began and not found.ended() else None
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


@contextlib.contextmanager
def on_record(lab: Lab) -> Iterator[None]:
    """Be the supervisor of `lab`, as `running` tells it.

    Raises:
        UstodError: if there is one already.
    """
    path = lab.storage.run / "supervisor.pid"
    if other := running(lab):
        raise UstodError(f"This lab is up already (process {other.pid}); ustod hub status shows it.")
    write_text(path, f"{os.getpid()} {psutil.Process().create_time():.2f}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def main() -> None:
    """``python -m autograder.hub.supervisor LAB.TOML``: be the supervisor."""
    from autograder.hub.chores import do_chores

    lab = read_lab(Path(sys.argv[1]))
    with on_record(lab):
        Supervisor(lab.path, do_chores).run()


if __name__ == "__main__":
    main()

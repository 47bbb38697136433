"""Kill -9 while students work: whatever dies, what the lab has answered is there afterwards."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
import requests
from hub.seats import Refused, Seat, together
from hub.whole_lab import COURSE, PASSWORD, RIGHT, WholeLab, logs, ustod
from shared import wait_for

from autograder.hub import control
from autograder.hub.exchange.bundle import Reader
from autograder.hub.exchange.receipts import Receipt, Seal, verify_receipt
from autograder.hub.exchange.store import pieces_of
from autograder.hub.supervisor import running
from autograder.hub.warm.servers import NAME as SERVER

pytestmark = pytest.mark.slow

COUNT = 30
#: How often each program is killed, and the longest that everybody may need afterwards until their work goes on.
KILLS, PATIENCE = 3, 300.0
#: Of one student to one assignment: the exchange takes fifty.
MOST_SUBMISSIONS = 40
#: What a person answers by reloading the page and logging in again.
TROUBLE = (Refused, requests.RequestException, TimeoutError, AssertionError)


class Lost(Exception):
    """The lab broke a promise."""


class Worker:
    """A student who saves and hands in until told to stop, and puts up with a lab that does not answer for a while.

    Attributes:
        answered: the last version of each file that the lab said it has saved.
        sent: the last version of each file that was sent, whatever became of it.
        handed_in: the version in each submission of which a receipt came.
        lost: the promise that the lab broke.
    """

    def __init__(self, lab: WholeLab, seat: Seat, assignment: str) -> None:
        self.seat, self.assignment = seat, assignment
        self.home = lab.lab.storage.homes / seat.name
        self.notebook = f"{COURSE}/{assignment}/{assignment}.ipynb"
        self.text = f"{assignment}.txt"
        self.model: dict[str, Any] = {}
        self.answered: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        self.handed_in: dict[str, int] = {}
        self.saves = self.rounds = self.troubles = 0
        self.lost: Exception | None = None
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Fetch the assignment, and begin."""
        self.seat.do("fetch", COURSE, self.assignment)
        self.model = self.seat.read(self.notebook)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way."""
        self.stopping.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        well, version = True, 0
        while not self.stopping.is_set():
            try:
                if not well:
                    self._come_back()
                    well = True
                version += 1
                self._save(self.notebook, version)
                self._save(self.text, version)
                if len(self.handed_in) < MOST_SUBMISSIONS:
                    self._hand_in(version)
                self.rounds += 1
            except TROUBLE:
                well = False
                self.troubles += 1
            except Exception as error:
                self.lost = error
                return
            self.stopping.wait(random.uniform(0.5, 2))

    def _come_back(self) -> None:
        """Log in again, and look whether the work is there."""
        log_in_again(self.seat)
        self.seat.start_server(PATIENCE)
        for path in self.answered:
            found = self.seat.read(path)
            source = found["cells"][0]["source"] if path == self.notebook else found
            if source not in [written(version) for version in self._possible(path)]:
                raise Lost(
                    f"{self.seat.name} finds in {path}, instead of version {self._possible(path)}: {source[:80]}"
                )

    def _possible(self, path: str) -> range:
        """The last version that was answered, and those sent since, of which one may have come through whole."""
        return range(self.answered[path], self.sent[path] + 1)

    def _save(self, path: str, version: int) -> None:
        self.sent[path] = version
        self.seat.save(path, self._content(path, version))
        self.answered[path] = version
        self.saves += 1

    def _content(self, path: str, version: int) -> Any:
        if path == self.text:
            return written(version)
        first, *others = self.model["cells"]
        return {**self.model, "cells": [{**first, "source": written(version)}, *others]}

    def _hand_in(self, version: int) -> None:
        before = set(self.receipts())
        self.seat.do("submit", COURSE, self.assignment)
        new = set(self.receipts()) - before
        if len(new) != 1:
            raise Lost(f"{self.seat.name} handed in, and has {len(new)} new receipts")
        self.handed_in[new.pop()] = version

    def receipts(self) -> dict[str, Receipt]:
        """The receipts that the student keeps, by submission."""
        found = (self.home / ".local/share/jupyter/nbgrader_cache/receipts" / COURSE).glob(f"{self.assignment} *.json")
        receipts = [Receipt.read(json.loads(path.read_bytes())) for path in found]
        return {receipt.submission: receipt for receipt in receipts}

    def check_saves(self) -> None:
        """On the disk, byte for byte, is the last version that was answered, or one that was sent after it."""
        for path in self.answered:
            contents = [self._content(path, version) for version in self._possible(path)]
            if path == self.notebook:
                contents = [nbformat.writes(nbformat.from_dict(one)) + "\n" for one in contents]
            assert (self.home / path).read_bytes() in [content.encode() for content in contents], (self.seat.name, path)


def written(version: int) -> str:
    """An answer of 200 kB, so that it takes a while to save."""
    return f"# version {version}\n{RIGHT}\n" + f"# деҳқони доно {version:06}\n" * 5000


@pytest.fixture(scope="module")
def lab() -> Iterator[WholeLab]:
    whole = WholeLab(COUNT)
    for seat in [whole.instructor, *whole.seats]:
        whole.first_login(seat)
    together(whole.seats, patiently(Seat.start_server))
    yield whole
    print(logs())
    ustod("down")


def log_in_again(seat: Seat) -> None:
    """As after a reload."""
    seat.session.cookies.clear()
    seat.log_in(PASSWORD)


def patiently(act: Callable[[Seat], object]) -> Callable[[Seat], None]:
    """`act` for whoever tries again when the hub says that too many start their servers just now."""

    def tried(seat: Seat) -> bool:
        try:
            act(seat)
        except Refused as refused:
            if refused.status != 429:
                raise
            time.sleep(2)
            return False
        return True

    return lambda seat: wait_for(lambda: tried(seat), PATIENCE)


@contextmanager
def at_work(lab: WholeLab, assignment: str) -> Iterator[list[Worker]]:
    """Everybody works on `assignment`, and has handed in once; afterwards they stop."""
    log_in_again(lab.instructor)
    lab.release(assignment)
    workers = [Worker(lab, seat, assignment) for seat in lab.seats]
    try:
        together(lab.seats, lambda seat: workers[lab.seats.index(seat)].start())
        all_go_on(workers)
        yield workers
        all_go_on(workers)
    finally:
        for worker in workers:
            worker.stopping.set()
        for worker in workers:
            worker.stop()


def all_go_on(workers: Sequence[Worker]) -> None:
    """Wait until everybody has begun to save, saved and handed in."""
    rounds = [worker.rounds for worker in workers]

    def gone_on() -> bool:
        for worker in workers:
            if worker.lost is not None:
                raise worker.lost
        return all(worker.rounds >= before + 2 for worker, before in zip(workers, rounds, strict=True))

    wait_for(gone_on, PATIENCE)


def kill_often(
    lab: WholeLab, assignment: str, kill: Callable[[], None], mend: Callable[[], object] | None = None
) -> None:
    """While everybody works, `kill` at random moments, `mend`, and see that everybody's work goes on and is kept."""
    answers, everybody = [], []
    with at_work(lab, assignment) as workers:
        for _ in range(KILLS):
            time.sleep(random.uniform(0, 3))
            kill()
            began = time.monotonic()
            if mend is not None:
                mend()
            wait_for(lambda: control.answers(lab.lab), PATIENCE)
            answers.append(time.monotonic() - began)
            all_go_on(workers)
            everybody.append(time.monotonic() - began)
    saves, submissions = sum(one.saves for one in workers), sum(len(one.handed_in) for one in workers)
    print(
        f"\n{assignment}: {KILLS} kills, {len(workers)} students, {saves} saves, {submissions} submissions,"
        f" {sum(one.troubles for one in workers)} requests in vain; the lab answered after {max(answers):.1f} s,"
        f" everybody had saved and handed in twice after {max(everybody):.1f} s at most"
    )
    everybody_can_log_in(lab)
    for worker in workers:
        worker.check_saves()
    submissions_are_kept_and_collected(lab, workers, assignment)


def everybody_can_log_in(lab: WholeLab) -> None:
    """With the password that they chose."""
    together(
        [lab.seat(name) for name in [lab.instructor.name, *lab.ids]], patiently(lambda seat: seat.log_in(PASSWORD))
    )


def submissions_are_kept_and_collected(lab: WholeLab, workers: Sequence[Worker], assignment: str) -> None:
    """Every receipt's submission is in the exchange, all of the exchange is whole, and the last ones are collected."""
    storage = lab.lab.storage
    key = Seal(storage.exchange / "key").public
    log_in_again(lab.instructor)
    lab.instructor.ask("GET", f"services/{COURSE}/formgrader/")
    lab.formgrader("collect", assignment)
    for worker in workers:
        kept = storage.exchange / "courses" / COURSE / assignment / "submissions" / worker.seat.name
        in_exchange = {}
        for folder in kept.iterdir():
            receipt = Receipt.read(json.loads((folder / "receipt.json").read_bytes()))
            verify_receipt(receipt, key)
            reader = Reader(1 << 30)
            for piece in pieces_of(folder / "bundle"):
                reader.feed(piece)
            assert reader.end().sha256 == receipt.sha256, folder
            in_exchange[folder.name] = receipt
        held = worker.receipts()
        assert held.keys() >= worker.handed_in.keys()
        assert {name: in_exchange.get(name) for name in held} == held
        last = max(in_exchange.values(), key=lambda receipt: receipt.number)
        collected = storage.courses / COURSE / "submitted" / worker.seat.name / assignment
        assert (collected / "timestamp.txt").read_text("utf-8").strip() == last.received
        source = json.loads((collected / f"{assignment}.ipynb").read_bytes())["cells"][0]["source"]
        newest = max(worker.handed_in.values())
        possible = (
            [worker.handed_in.get(last.submission)]
            if last.submission in worker.handed_in
            else range(newest, worker.sent[worker.notebook] + 1)
        )
        assert "".join(source) in [written(version) for version in possible if version]


def program(lab: WholeLab, words: str) -> psutil.Process:
    """The program of the lab, run by its supervisor, in whose command line `words` stand."""
    supervisor = running(lab.lab)
    assert supervisor is not None
    (found,) = [one for one in psutil.Process(supervisor.pid).children() if words in " ".join(one.cmdline())]
    return found


def kill(process: psutil.Process) -> None:
    """End `process` as Linux does when memory runs out, and wait until it has; its parent may be our init."""
    process.send_signal(signal.SIGKILL)
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    reap()


def reap() -> None:
    """Be the init that this process, as the first of its machine, has to be."""
    assert os.getpid() == 1
    for process in psutil.Process().children():
        if process.status() == psutil.STATUS_ZOMBIE:
            os.waitpid(process.pid, 0)


def start_kernels(lab: WholeLab) -> list[str]:
    """A kernel for each student, warm or plain by turns, with a variable."""

    def start(seat: Seat) -> str:
        kernel = seat.start_kernel("ustod-ready" if lab.seats.index(seat) % 2 == 0 else "python3")
        assert seat.run(kernel, f"kept = {seat.name!r}") == ""
        return kernel

    return together(lab.seats, start)


def kernels_go_on(lab: WholeLab, kernels: list[str]) -> None:
    """They still have the variable; then they are ended."""

    def look(seat: Seat) -> None:
        kernel = kernels[lab.seats.index(seat)]
        assert seat.run(kernel, "print(kept)") == f"{seat.name}\n"
        seat.ask("DELETE", seat.path(f"api/kernels/{kernel}"))

    together(lab.seats, look)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hub", "-m jupyterhub"),
        ("proxy", "configurable-http-proxy"),
        ("exchange", "autograder.hub.exchange.service"),
        ("warm-kernels", "autograder.hub.warm kernels"),
        ("warm-servers", "autograder.hub.warm servers"),
    ],
)
def test_a_program_of_the_lab_is_killed_and_comes_back_by_itself(lab: WholeLab, name: str, words: str) -> None:
    kernels = start_kernels(lab)
    kill_often(lab, f"kill-{name}", lambda: kill(program(lab, words)))
    kernels_go_on(lab, kernels)


def test_kernels_are_warm_again_after_the_daemon_was_killed(lab: WholeLab) -> None:
    before = program(lab, "autograder.hub.warm kernels")
    kill(before)
    wait_for(lambda: program_or_none(lab, "autograder.hub.warm kernels") not in (None, before))
    seat = lab.seats[0]

    def is_warm() -> bool:
        kernel = seat.start_kernel("ustod-ready")
        said = seat.run(kernel, "import sys; print('torch' in sys.modules)")
        seat.ask("DELETE", seat.path(f"api/kernels/{kernel}"))
        return said == "True\n"

    wait_for(is_warm)


def program_or_none(lab: WholeLab, words: str) -> psutil.Process | None:
    """The program, unless it is between two starts."""
    try:
        return program(lab, words)
    except (ValueError, psutil.NoSuchProcess):
        return None


def test_students_servers_are_killed_and_start_again(lab: WholeLab) -> None:
    def kill_servers() -> None:
        for name in random.sample(lab.ids, max(1, COUNT // 3)):
            account = lab.lab.account(name)
            for process in psutil.process_iter(["username", "name"]):
                if (process.info["username"], process.info["name"]) == (account, SERVER):
                    kill(process)

    kill_often(lab, "kill-servers", kill_servers)


def test_the_supervisor_is_killed_and_the_lab_started_again(lab: WholeLab) -> None:
    def kill_supervisor() -> None:
        supervisor = running(lab.lab)
        assert supervisor is not None
        kill(psutil.Process(supervisor.pid))

    kernels = start_kernels(lab)
    kill_often(lab, "kill-supervisor", kill_supervisor, lambda: ustod("up"))
    kernels_go_on(lab, kernels)


def test_the_power_goes_and_the_lab_is_started_again(lab: WholeLab) -> None:
    def cut_power() -> None:
        assert os.getpid() == 1
        os.kill(-1, signal.SIGKILL)
        wait_for(lambda: reap() or not psutil.Process().children())
        for path in Path("/run").iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    kill_often(lab, "kill-power", cut_power, lambda: ustod("up"))

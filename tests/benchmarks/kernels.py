"""Kernels with the stack: how long until one is ready, and how much memory of its own each takes."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.figures import Section
from jupyter_client.manager import KernelManager

from autograder.errors import UstodError
from autograder.kernel.kernelspec import KERNEL, offer_kernel
from autograder.kernel.tree import descendants, private_memory, processes

BASELINE = "ipykernel"
ROWS = {"python3": BASELINE, KERNEL: "Ustod, warm and shut in"}
FIRST_CELL = "import torch, transformers, datasets"
#: Seconds after which a kernel is taken to be lost.
PATIENCE = 120
NOTE_ON_READY = (
    "From the start of a kernel to the reply to a first cell that imports torch, transformers and datasets. The warm "
    "kernel's process that imported them was there before; it is started once."
)
NOTE_ON_MEMORY = (
    "Private memory (Private_Clean and Private_Dirty of /proc/PID/smaps_rollup) of all processes that came with "
    "each further kernel, after the same cell, with one kernel of the kind there before."
)


def measure(rounds: int) -> Iterator[Section]:
    """Start `rounds` kernels of both kinds in turn, one by one and then side by side."""
    ready = Section("kernel", "Kernel ready", "seconds", BASELINE, NOTE_ON_READY)
    memory = Section("memory", "Memory of one more kernel", "MB", BASELINE, NOTE_ON_MEMORY)
    offer_kernel()
    with _kernel(KERNEL):
        pass  # the first one waits for the stack to be imported, once
    for _ in range(rounds):
        for name, row in ROWS.items():
            began = time.perf_counter()
            with _kernel(name):
                ready.add(row, time.perf_counter() - began)
    for name, row in ROWS.items():
        for sample in _memory_of_extra_kernels(name, rounds):
            memory.add(row, sample)
    yield ready
    yield memory


def _memory_of_extra_kernels(name: str, count: int) -> list[float]:
    """Megabytes of each of `count` kernels that run beside each other and beside a first one.

    Raises:
        UstodError: if Linux does not tell.
    """
    with _side_by_side(name, count + 1) as newcomers:
        found = [sum(map(private_memory, pids)) / 1e6 for pids in newcomers[1:]]
    if not all(found):
        raise UstodError("The memory of a kernel's processes cannot be read by this user; measure it as root.")
    return found


@contextmanager
def _side_by_side(name: str, count: int) -> Iterator[list[set[int]]]:
    """Start `count` kernels; for each the processes that came with it."""
    if count == 0:
        yield []
        return
    before = _own_processes()
    with _kernel(name):
        came = _own_processes() - before
        with _side_by_side(name, count - 1) as others:
            yield [came, *others]


def _own_processes() -> set[int]:
    return {process.pid for process in descendants(os.getpid(), processes())}


@contextmanager
def _kernel(name: str) -> Iterator[Any]:
    """A kernel that has run the first cell."""
    with tempfile.TemporaryDirectory(prefix="ustod-bench-") as folder:
        manager = KernelManager(kernel_name=name)
        manager.start_kernel(cwd=folder, stderr=subprocess.DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=PATIENCE)
            reply = client.execute_interactive(FIRST_CELL, timeout=PATIENCE, output_hook=lambda message: None)
            assert reply["content"]["status"] == "ok", reply["content"]
            yield client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)

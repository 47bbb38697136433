"""The floor under a submission's time: a bare fork, nothing shut in, that runs the same cells in its own process."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

import nbformat
from benchmarks.commands import output
from benchmarks.course import HEAVY_ASSIGNMENT, source_notebook
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

TESTS = Path(__file__).parents[1]
STACK = ("numpy", "torch", "transformers", "datasets")
#: What a bare fork needs: libraries that start no threads before it.
STEADY = ("OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "JE_ARROW_MALLOC_CONF=background_thread:false")


def seconds_for_bare_forks(count: int, folder: Path) -> tuple[list[float], list[float]]:
    """How long each of `count` bare forks takes for the reference notebook, answers and tests alike.

    The first list is of forks of a process that has imported the stack; the second, of one that has run the same cells
    before, and so has loaded all that libraries load on first use.
    """
    notebook = folder / "floor.ipynb"
    nbformat.write(source_notebook(HEAVY_ASSIGNMENT), notebook)
    command = [
        "env",
        f"PYTHONPATH={TESTS}",
        *STEADY,
        sys.executable,
        "-m",
        "benchmarks.floor",
        str(notebook),
        str(count),
    ]
    fresh, used = json.loads(output(command, folder))
    return fresh, used


def main(notebook: str, count: str) -> None:
    """Print the seconds of `count` forks of each kind that run `notebook`, as JSON."""
    for module in STACK:
        importlib.import_module(module)
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    sources = [cell.source for cell in nbformat.read(notebook, 4).cells]
    fresh = [_one_fork(shell, sources) for _ in range(int(count))]
    _run(shell, sources)
    print(json.dumps([fresh, [_one_fork(shell, sources) for _ in range(int(count))]]))


def _one_fork(shell: InteractiveShell, sources: list[str]) -> float:
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(0 if _run(shell, sources) else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0, "a cell of the reference notebook failed"
    return time.perf_counter() - began


def _run(shell: InteractiveShell, sources: list[str]) -> bool:
    return all(shell.run_cell(source).success for source in sources)


if __name__ == "__main__":
    main(*sys.argv[1:])

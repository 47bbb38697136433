"""One worker, two, and two of a Dask cluster; and what a submission costs above the floor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import dask
from benchmarks.course import Class
from benchmarks.figures import Section
from benchmarks.floor import seconds_for_bare_forks
from benchmarks.throughput import grade_class
from distributed import LocalCluster

ALONE, PAIR, CLUSTER = "one worker", "two workers", "two workers of a Dask cluster"
FLOOR = "bare fork, libraries used before"
FRESH = "bare fork, libraries imported"
FORKS = 20
NOTE = "The same class, once each worker has graded a first submission."
NOTE_ON_OVERHEAD = (
    "Ustod: with the sandbox, the judge's process, nbgrader's own steps and the gradebook. Bare fork: os.fork of a "
    "process that has an IPython shell and the stack imported, and which runs the 17 cells itself; with all that "
    "libraries load on first use already there, and without; the median of 20."
)


def measure(made: Class, work: Path, rounds: int) -> Iterator[Section]:
    """Grade the class in each of the ways in turn, and fork barely in between."""
    speed = Section("scaling", "More workers", "submissions a minute", ALONE, NOTE)
    cost = Section("overhead", "One more submission", "seconds", FLOOR, NOTE_ON_OVERHEAD)
    for number in range(rounds):
        fresh, used = map(median, seconds_for_bare_forks(FORKS, work))
        alone = grade_class(made, work / f"alone-{number}", "--workers", "1").each()
        pair = grade_class(made, work / f"pair-{number}", "--workers", "2").each(2)
        with _cluster(work / "dask") as scheduler:
            cluster = grade_class(made, work / f"cluster-{number}", "--scheduler", scheduler).each(2)
        for way, seconds in ((ALONE, alone), (PAIR, pair), (CLUSTER, cluster)):
            speed.add(way, 60 / seconds)
        for what, seconds in ((FLOOR, used), (FRESH, fresh), (f"Ustod, {ALONE}", alone)):
            cost.add(what, seconds)
        cost.add("Ustod above the lower fork", alone - used)
    yield speed
    yield cost


@contextmanager
def _cluster(folder: Path) -> Iterator[str]:
    """The address of a Dask scheduler on this machine with two workers."""
    with (
        dask.config.set({"temporary-directory": str(folder)}),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs=50,
        ) as cluster,
    ):
        address: str = cluster.scheduler_address
        yield address

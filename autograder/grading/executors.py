"""Where submissions are run: in processes of this machine, or by the workers of a Dask cluster."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from multiprocessing import active_children, get_context
from multiprocessing.connection import wait as ready
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from autograder.environment import die_with_parent, leave_interrupts_to_parent, starting_deaf
from autograder.errors import UstodError
from autograder.files import write_text
from autograder.grading.course import Course
from autograder.grading.plan import versions

if TYPE_CHECKING:  # the sandbox is made of parts that Linux alone has
    from autograder.grading.execution import Execution, Warmth

T = TypeVar("T")
R = TypeVar("R")

#: For each worker, one piece of work that is run and one that waits: nobody is idle, and few results are in memory.
AHEAD = 2
#: Where a course tells the workers of a cluster which course it is.
MARK = Path(".ustod/grading")
#: Seconds to wait for a scheduler to answer.
ANSWER = 10
#: Seconds to wait for a first worker, or for another one when all are gone.
PATIENCE = 60.0
#: Seconds that processes of this machine have to end when there is no more work.
FAREWELL = 10.0
#: Seconds between two looks at workers that have nothing to say.
LOOK = 5.0


class Workers(Protocol):
    """Processes that can be given work."""

    @property
    def deaths(self) -> tuple[type[BaseException], ...]:
        """What a future raises if the process that worked for it was killed."""

    def submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        """Have ``work(item)`` done; both must be fit to be sent to another process."""

    def room(self) -> int:
        """How many pieces of work may be under way at a time."""

    def look(self) -> None:
        """Raise `UstodError` if nobody is left to do the work."""


def spread(work: Callable[[T], R], items: Iterable[T], workers: Workers, killed: Callable[[T], R]) -> Iterator[R]:
    """What `work` gives for each of `items`, in the order in which results come.

    A piece of work during which a worker was killed is done again alone, when no other can suffer from it. If that
    kills the worker too, ``killed(item)`` stands for its result. At most `workers.room` pieces are under way.

    Raises:
        UstodError: if nobody is left to do the work.
    """
    suspects = yield from _round(work, items, workers, workers.room)
    for item in suspects:
        if (yield from _round(work, [item], workers, lambda: 1)):
            yield killed(item)


def _round(
    work: Callable[[T], R], items: Iterable[T], workers: Workers, room: Callable[[], int]
) -> Generator[R, None, list[T]]:
    """Yield the results of `items`; return those during which a worker was killed."""
    waiting, under_way, lost = iter(items), dict[Future[R], T](), list[T]()
    while True:
        for item in islice(waiting, max(0, room() - len(under_way))):
            under_way[workers.submit(work, item)] = item
        if not under_way:
            return lost
        done, _ = wait(under_way, LOOK, FIRST_COMPLETED)
        if not done:
            workers.look()
        for future in done:
            item = under_way.pop(future)
            try:
                result = future.result()
            except workers.deaths:
                lost.append(item)
            except CancelledError:
                workers.look()
                raise UstodError("The work was called off by the workers; run the command again to go on.") from None
            else:
                yield result


class LocalPool:
    """Worker processes on this machine; each starts clean, since nbgrader changes a process's working folder.

    A death breaks the pool for all its processes; another pool is made for what is submitted afterwards.

    Args:
        folder: where results are left for this process.
        warmth: what each process is given, and calls when it starts.
    """

    deaths = (BrokenProcessPool,)

    def __init__(self, processes: int, folder: Path, warmth: Warmth | None = None) -> None:
        self._processes, self._folder, self._warmth = processes, folder, warmth
        self._others = set(active_children())
        self._pool = self._made()

    def _made(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._processes, get_context("spawn"), initializer=_begin, initargs=(self._warmth,))

    def __enter__(self) -> LocalPool:
        return self

    def __exit__(self, *exception: object) -> None:
        """End the processes: at once if nobody wants what is under way, else as soon as they have tidied up.

        One that was killed while it waited for work may leave the others waiting for ever; hence the patience.
        """
        processes = set(active_children()) - self._others
        self._pool.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + (0 if any(exception) else FAREWELL)
        for process in processes:
            if not ready([process.sentinel], max(0.0, end - time.monotonic())):
                process.kill()

    def submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        with starting_deaf():
            try:
                return _fetched(self._pool.submit(_put_aside, self._folder, work, item))
            except BrokenProcessPool:
                self._pool.shutdown()
                self._pool = self._made()
                return _fetched(self._pool.submit(_put_aside, self._folder, work, item))
            finally:
                if self._warmth is not None:
                    self._warmth.let_go()

    def room(self) -> int:
        return AHEAD * self._processes

    def look(self) -> None:
        """The processes belong to this one: a dead one is told of by its futures."""


def _begin(warmth: Warmth | None) -> None:
    """In a worker: end when the parent does, and not before; take what it gives."""
    die_with_parent()
    leave_interrupts_to_parent()
    if warmth is not None:
        warmth()


def _put_aside(folder: Path, work: Callable[[T], R], item: T) -> Path:
    """In a worker: leave the result in a file, so that little goes through the pool's pipe.

    For the rest of what a killed worker had begun to send there, the pool would wait for ever.
    """
    result = work(item)
    descriptor, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        pickle.dump(result, file)
    return Path(name)


def _fetched(left: Future[Path]) -> Future[Any]:
    """The future of what is in the file that `_put_aside` leaves."""
    fetched: Future[Any] = Future()

    def fetch(left: Future[Path]) -> None:
        try:
            path = left.result()
            result = pickle.loads(path.read_bytes())
            path.unlink()
        except BaseException as error:
            fetched.set_exception(error)
        else:
            fetched.set_result(result)

    left.add_done_callback(fetch)
    return fetched


@dataclass(frozen=True)
class Demands:
    """What a worker of a cluster must have before it is given a submission; plain, so that it can be sent.

    Attributes:
        root: the course directory.
        token: what stands in the file `MARK` there: another machine may have another course at the same place.
        versions: of the packages that may change a score.
        execution: how cells are executed, which the worker's machine must be able to do.
    """

    root: Path
    token: str
    versions: tuple[str, ...]
    execution: Execution | None

    def unmet(self, threads: int) -> str:
        """What is wrong with this process, which works with so many threads, and what to do; empty if nothing is."""
        if threads != 1:
            return f"runs {threads} submissions at a time in one process; start it with --nthreads 1"
        mark = self.root / MARK
        if not mark.is_file() or mark.read_text() != self.token:
            return f"does not see the course directory {self.root}; put that on a file system that all workers share"
        if differing := sorted(set(self.versions) - set(versions())):
            return f"does not have {', '.join(differing)}, which this machine has; install the same packages there"
        try:
            if self.execution is not None:
                self.execution.check()
        except UstodError as error:
            return f"cannot run students' code: {error}"
        return ""


@lru_cache(maxsize=1)
def _unmet(demands: Demands, worker: str, threads: int) -> str:
    """Why the worker at the address `worker`, in whose process this is, cannot be given work, as a sentence."""
    trouble = demands.unmet(threads)
    return f"The Dask worker {worker} {trouble.rstrip('.')}." if trouble else ""


def _asked(demands: Demands, dask_worker: Any) -> str:
    """The same for `Client.run`, which hands the worker over under this name."""
    return _unmet(demands, dask_worker.address, dask_worker.state.nthreads)


def _where_fit(demands: Demands, work: Callable[[T], R], item: T) -> R:
    """In a worker, which may have joined since the others were asked: do the work if it can be done here."""
    from distributed import get_worker

    if trouble := _asked(demands, get_worker()):
        raise UstodError(trouble)
    return work(item)


class Cluster:
    """The workers of a Dask cluster. Made by `cluster`."""

    def __init__(self, client: Any, address: str, demands: Demands) -> None:
        from distributed import KilledWorker

        self.deaths = (KilledWorker,)
        self._client, self._address, self._demands = client, address, demands
        # Not pure: the same submission may be graded again, and not be remembered by the scheduler.
        self._executor = client.get_executor(pure=False)
        self._seen = time.monotonic()

    def submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        future: Future[R] = self._executor.submit(_where_fit, self._demands, work, item)
        return future

    def room(self) -> int:
        return AHEAD * max(1, len(self._workers()))

    def look(self) -> None:
        if self._workers():
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE:
            raise UstodError(
                f"The Dask cluster at {self._address} has had no worker for {PATIENCE:.0f} seconds; start some with "
                f"dask worker {self._address} --nthreads 1 and run the command again: what is graded is kept."
            )

    def prove(self) -> None:
        """Wait for a first worker and ask all there are whether they can do the work.

        Raises:
            UstodError: if one cannot, or there is none.
        """
        while not self._workers():
            self.look()
            time.sleep(0.2)
        try:
            told = self._client.run(_asked, self._demands)
        except Exception as error:
            what = f"{type(error).__name__}: {error}".rstrip(".")
            raise UstodError(
                f"The workers of the Dask cluster at {self._address} cannot be asked what they have ({what}); install "
                "the same ustod there as here."
            ) from None
        for trouble in sorted(filter(None, told.values())):
            raise UstodError(trouble)

    def _workers(self) -> dict[str, int]:
        try:
            threads: dict[str, int] = self._client.nthreads()
            return threads
        except Exception:
            raise UstodError(
                f"The Dask scheduler at {self._address} has gone; start it and run the command again: what is graded "
                "is kept."
            ) from None


@contextmanager
def cluster(address: str, course: Course, execution: Execution | None) -> Iterator[Cluster]:
    """The workers of the Dask cluster whose scheduler is at `address`; they must share the course's file system.

    Raises:
        UstodError: if it does not answer, has no workers, or these cannot grade submissions of `course`.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UstodError(
            "A Dask cluster needs one package more; install it with: pip install 'ustod[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=ANSWER, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0].rstrip(".")
        raise UstodError(f"No Dask scheduler answers at {address} ({first}); start one with: dask scheduler") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told below, in a sentence
    token = secrets.token_hex(16)
    (course.root / MARK).parent.mkdir(exist_ok=True)
    write_text(course.root / MARK, token)
    with client:
        hired = Cluster(client, address, Demands(course.root, token, versions(), execution))
        hired.prove()
        yield hired

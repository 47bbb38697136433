"""Work spread over processes of this machine, or over a Dask cluster: all of it is done once, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import dask
import pytest
from distributed import LocalCluster
from grading.labour import fatal_if_odd, fatal_once, negative, patient
from grading.students import CLASS, NAME, REFERENCE, Hand, total_of, unshut
from shared import Ustod

from autograder.authoring.agreement import read_scores, submit
from autograder.errors import UstodError
from autograder.grading import executors
from autograder.grading.course import Course, open_course
from autograder.grading.engine import Isolation, grade
from autograder.grading.executors import LocalPool, Workers, cluster, spread


def assert_no_more_than_room(workers: Workers) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    for done, _ in enumerate(spread(negative, items(), workers, killed=lambda item: item), 1):
        assert len(taken) - done < workers.room()
    assert len(taken) == 20


class TestSpreading:
    def test_gives_every_result_once(self, tmp_path: Path) -> None:
        with LocalPool(2, tmp_path) as pool:
            found = list(spread(negative, range(20), pool, killed=lambda item: item))
        assert sorted(found) == sorted(-number for number in range(20))

    def test_names_what_kills_its_worker_and_nothing_else(self, tmp_path: Path) -> None:
        with LocalPool(2, tmp_path) as pool:
            found = list(spread(fatal_if_odd, range(6), pool, killed=lambda item: item))
        assert sorted(found) == [-4, -2, 0, 1, 3, 5]

    def test_gives_a_second_chance(self, tmp_path: Path) -> None:
        with LocalPool(1, tmp_path) as pool:
            assert list(spread(fatal_once, [tmp_path / "mark"], pool, killed=str)) == ["mark"]

    def test_takes_up_no_more_than_there_is_room_for(self, tmp_path: Path) -> None:
        with LocalPool(2, tmp_path) as pool:
            assert_no_more_than_room(pool)

    def test_takes_a_large_result_whatever_becomes_of_its_worker(self, tmp_path: Path) -> None:
        """In a process that is stopped when the result is there, and goes on when the worker has been killed."""
        program = (
            "from pathlib import Path\n"
            "from grading.labour import large\n"
            "from autograder.grading.executors import LocalPool, spread\n"
            "if __name__ == '__main__':\n"
            f"    folder = Path({str(tmp_path)!r})\n"
            "    with LocalPool(2, folder) as pool:\n"
            "        found = spread(large, [folder / 'one', folder / 'two'], pool, killed=str)\n"
            "        print([len(text) for text in found])\n"
        )
        (tmp_path / "program.py").write_text(program)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with Popen([sys.executable, tmp_path / "program.py"], stdout=PIPE, text=True, env=environment) as grader:
            while not (tmp_path / "one").exists():
                time.sleep(0.02)
            grader.send_signal(signal.SIGSTOP)
            worker = int((tmp_path / "one").read_text())
            time.sleep(1)  # for the worker to begin to tell
            os.kill(worker, signal.SIGKILL)
            grader.send_signal(signal.SIGCONT)
            try:
                said, _ = grader.communicate(timeout=60)
            finally:
                grader.kill()
        assert said == "[3000000, 3000000]\n"


@contextmanager
def dask_cluster(folder: Path, **options: int) -> Iterator[LocalCluster]:
    """A cluster on this machine whose scheduler gives a task up at the first worker that it kills."""
    settings = {
        "distributed.deploy.lost-worker-timeout": "10 minutes",  # until then a killed one may come back
        "distributed.scheduler.allowed-failures": 0,
        "temporary-directory": str(folder),
    }
    asked = {"n_workers": 2, "threads_per_worker": 1, **options}
    with (
        dask.config.set(settings),
        LocalCluster(**asked, host="127.0.0.1", dashboard_address=None, memory_limit=0, silence_logs=50) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as found:
        yield found.scheduler_address


@pytest.fixture
def course(small_course: Path) -> Course:
    return open_course(small_course)


@contextmanager
def processes(folder: Path, before: Sequence[str] = ()) -> Iterator[tuple[str, Popen[bytes], Popen[bytes]]]:
    """A scheduler and one worker that nobody starts again, as a cluster's administrator starts them."""
    file = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", *common, "--port", "0"]
    worker = [*before, sys.executable, "-m", "distributed.cli.dask_worker", *common, "--nthreads", "1", "--no-nanny"]
    with ExitStack() as stack:
        started = []
        for line in (scheduler, [*worker, "--local-directory", str(folder)]):
            process = stack.enter_context(Popen(line, env=environment, stdout=DEVNULL, stderr=DEVNULL))
            stack.callback(process.kill)
            started.append(process)
            while not file.exists():
                assert process.poll() is None
                time.sleep(0.1)
        yield json.loads(file.read_text())["address"], *started


def grade_nothing(address: str, course: Course) -> None:
    with cluster(address, course, None):
        raise AssertionError("the cluster was found fit")


@pytest.mark.slow
class TestACluster:
    def test_grades_a_class_as_the_local_pool_does(self, two_workers: str, course: Course) -> None:
        submit(
            NAME, {student: answers for student, (answers, _, _) in CLASS.items() if student != "stuck"}, course.root
        )
        result = grade(course, NAME, scheduler=two_workers)
        assert result.problems == {} and result.graded == sorted(CLASS.keys() - {"stuck"})
        assert read_scores(course.root, NAME) == {student: total_of(student) for student in result.graded}

    def test_is_chosen_on_the_command_line(self, two_workers: str, course: Course, hand_in: Hand, ustod: Ustod) -> None:
        hand_in("amina")
        done = ustod("grade", NAME, "--course", course.root, "--scheduler", two_workers)
        assert done.returncode == 0, done.stderr
        assert "1 graded, 0 unchanged, 0 problems" in done.stdout

    def test_forgets_what_it_graded(self, two_workers: str, course: Course, hand_in: Hand) -> None:
        hand_in("amina")
        for _ in range(2):
            assert grade(course, NAME, scheduler=two_workers, force=True).graded == ["amina"]

    def test_loses_a_worker_to_one_submission_and_grades_the_others(self, two_workers: str, course: Course) -> None:
        killer = REFERENCE | {"sums.over": REFERENCE["sums.over"] + "\nimport os\nos.kill(os.getppid(), 9)"}
        submit(NAME, {"killer": killer, "good": REFERENCE, "empty": {}}, course.root)
        course = open_course(unshut(course.root))
        result = grade(course, NAME, scheduler=two_workers, isolation=Isolation.NONE)
        assert result.graded == ["empty", "good"]
        assert "killed the process that graded it" in result.problems["killer"]

    def test_names_what_kills_its_worker_and_nothing_else(self, two_workers: str, course: Course) -> None:
        with cluster(two_workers, course, None) as workers:
            found = list(spread(fatal_if_odd, [0, 1, 2, 4], workers, killed=lambda item: item))
        assert sorted(found) == [-4, -2, 0, 1]

    def test_takes_up_no_more_than_there_is_room_for(self, two_workers: str, course: Course) -> None:
        with cluster(two_workers, course, None) as workers:
            assert_no_more_than_room(workers)


class TestAClusterThatCannotDoTheWork:
    """Each is told in one sentence that says what to do."""

    def test_is_not_installed(self, course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(UstodError, match=r"install it with: pip install 'ustod\[cluster\]'"):
            grade_nothing("tcp://127.0.0.1:1", course)

    @pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:1"])
    def test_does_not_answer(self, course: Course, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executors, "ANSWER", 0.5)
        with pytest.raises(UstodError, match=f"No Dask scheduler answers at {address} .*; start one with: dask sched"):
            grade_nothing(address, course)

    def test_has_no_worker(self, course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executors, "PATIENCE", 0.5)
        sentence = r"has had no worker for \d+ seconds; start some with dask worker"
        with dask_cluster(tmp_path, n_workers=0) as empty, pytest.raises(UstodError, match=sentence):
            grade_nothing(empty.scheduler_address, course)

    @pytest.mark.slow
    def test_has_workers_with_several_threads(self, course: Course, tmp_path: Path) -> None:
        sentence = "runs 2 submissions at a time in one process; start it with --nthreads 1"
        with (
            dask_cluster(tmp_path, n_workers=1, threads_per_worker=2) as threaded,
            pytest.raises(UstodError, match=sentence),
        ):
            grade_nothing(threaded.scheduler_address, course)

    @pytest.mark.slow
    def test_has_a_worker_that_does_not_see_the_course(self, course: Course, tmp_path: Path) -> None:
        elsewhere = ["unshare", "--mount", "--map-root-user", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"']
        sentence = r"does not see the course directory .+; put that on a file system that all workers share"
        with (
            processes(tmp_path, [*elsewhere, str(course.root)]) as (address, _, _),
            pytest.raises(UstodError, match=sentence),
        ):
            grade_nothing(address, course)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("which", "sentence"), [("scheduler", "The Dask scheduler at .* has gone"), ("worker", "has had no worker for")]
    )
    def test_dies_meanwhile(
        self, course: Course, tmp_path: Path, which: str, sentence: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with processes(tmp_path) as (address, scheduler, worker), cluster(address, course, None) as workers:
            results = spread(patient, [0.1] * 100, workers, killed=lambda item: -item)
            assert next(results) == 0.1
            monkeypatch.setattr(executors, "PATIENCE", 1.0)
            monkeypatch.setattr(executors, "LOOK", 1.0)
            (scheduler if which == "scheduler" else worker).kill()
            with pytest.raises(UstodError, match=sentence):
                list(results)

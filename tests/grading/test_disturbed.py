"""Nothing is lost when something dies: whatever is killed or full, the same is there at the end."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from itertools import count
from pathlib import Path

import pytest
from grading.disks import Disks, small_disks
from grading.disturbance import (
    PARTS,
    POINTS,
    Ended,
    Grader,
    Left,
    Undisturbed,
    die_at,
    grading,
    hand_in_everything,
)
from grading.students import NAME
from shared import Once, wait_for

from autograder.errors import UstodError
from autograder.grading.course import Course
from autograder.grading.engine import Grading, grade
from autograder.grading.plan import fingerprint_file, plan
from autograder.grading.record import record
from autograder.grading.run import Result
from autograder.grading.turn import running_folder, staging_folder, turn

#: Processes to be killed in all, each part in turn.
KILLS = int(os.environ.get("USTOD_KILLS", "50"))
STOPPED = "ustod: Grading was stopped; what is recorded is kept: run the command again to go on."


@pytest.fixture(scope="session")
def undisturbed(once: Once, impatient_course: Path) -> Undisturbed:
    """The class, graded in peace; only to be read."""

    def grade_in_peace(folder: Path) -> None:
        shutil.copytree(impatient_course, folder / "course")
        hand_in_everything(folder / "course")
        shutil.copytree(folder / "course", folder / "graded")
        began = time.monotonic()
        with grading(folder / "graded") as grader:
            ended = grader.wait()
        assert ended.code == 0, ended.words
        assert ended.data["scores"] == POINTS
        (folder / "seconds").write_text(str(time.monotonic() - began))

    folder = once("undisturbed", grade_in_peace)
    return Undisturbed(folder / "course", Left.by(folder / "graded"), float((folder / "seconds").read_text()))


def recorded(course: Path) -> int:
    """How many submissions are graded to the end."""
    return len(list((course / ".ustod" / "graded").rglob("sha256")))


def wait_for_a_moment(grader: Grader, course: Path, seconds: float) -> None:
    """Wait for some moment of a run: by what is recorded, since a machine may be busy; at its start by the clock."""
    many = random.randrange(len(POINTS))
    wait_for(lambda: grader.has_ended or recorded(course) >= many, patience=300)
    time.sleep(random.uniform(0, 0.5 if many else seconds))


def kill_one(grader: Grader, part: str) -> bool:
    """Kill a process that is a `part` of it as soon as there is one; False if the grader ended before."""
    while not grader.has_ended:
        if victims := grader.parts()[part]:
            random.choice(victims).kill()
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def seed() -> int:
    """For chance to be repeated: shown if a test fails."""
    number = random.SystemRandom().randrange(10**6)
    random.seed(number)
    print("seed", number)
    return number


@pytest.mark.slow
class TestAKill:
    @pytest.mark.parametrize("part", PARTS[1:])
    def test_of_a_part_is_not_even_noticed(
        self, undisturbed: Undisturbed, tmp_path: Path, part: str, seed: int
    ) -> None:
        for attempt in count():
            course = undisturbed.copy(tmp_path / str(attempt))
            with grading(course) as grader:
                wait_for_a_moment(grader, course, undisturbed.seconds)
                killed = kill_one(grader, part)
                ended = grader.wait()
            assert (ended.code, ended.words.strip()) == (0, "")
            assert Left.by(course).other_than(undisturbed.left) == []
            if killed:
                break

    @pytest.mark.parametrize("storm", range(-(-KILLS // len(PARTS))))
    def test_after_another_of_every_part_leaves_the_same_at_the_end(
        self, undisturbed: Undisturbed, tmp_path: Path, storm: int, seed: int
    ) -> None:
        course = undisturbed.copy(tmp_path / "course")
        victims = random.sample(PARTS, len(PARTS))
        while victims:
            with grading(course, *["--force"] * (recorded(course) == len(POINTS))) as grader:
                while victims and not grader.has_ended:
                    wait_for_a_moment(grader, course, undisturbed.seconds)
                    if kill_one(grader, victims[0]):
                        print("killed", victims.pop(0), "with", recorded(course), "recorded")
                ended = grader.wait()
            assert ended.code in (0, 1, -signal.SIGKILL)
            assert "Traceback" not in ended.words
            undisturbed.assert_whole(course)
        with grading(course) as grader:
            ended = grader.wait()
        assert (ended.code, ended.words.strip()) == (0, "")
        assert Left.by(course).other_than(undisturbed.left) == []


@pytest.mark.slow
class TestARequestToEnd:
    @pytest.fixture
    def endless(self, undisturbed: Undisturbed, tmp_path: Path) -> Path:
        """The class with more patience for a cell than any test has, and somebody who needs it."""
        course = undisturbed.copy(tmp_path / "course")
        with (course / "nbgrader_config.py").open("a") as config:
            config.write("\nc.ExecutePreprocessor.timeout = 3000\n")
        path = course / "submitted" / "slow" / NAME / f"{NAME}.ipynb"
        path.write_text(path.read_text("utf-8").replace("time.sleep(0.7)", "time.sleep(2000)"), "utf-8")
        return course

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_is_obeyed_at_once_whatever_a_student_waits_for(self, endless: Path, number: signal.Signals) -> None:
        with grading(endless) as grader:
            wait_for(lambda: recorded(endless) == len(POINTS) - 1, patience=300)
            wait_for(lambda: grader.parts()["student"])
            grader.signal(number)
            ended = grader.wait(patience=60)
        assert (ended.code, ended.words.strip()) == (1, STOPPED)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM] * 4)
    def test_at_any_moment_leaves_what_is_recorded(
        self, undisturbed: Undisturbed, tmp_path: Path, number: signal.Signals, seed: int
    ) -> None:
        course = undisturbed.copy(tmp_path / "course")
        with grading(course) as grader:
            wait_for(lambda: grader.has_ended or grader.parts()["worker"])
            wait_for_a_moment(grader, course, undisturbed.seconds / 2)
            grader.signal(number)
            ended = grader.wait(patience=60)
        assert (ended.code, ended.words.strip()) in ((1, STOPPED), (0, ""))
        undisturbed.assert_whole(course)
        before = recorded(course)
        with grading(course) as grader:
            ended = grader.wait()
        assert ended.code == 0, ended.words
        assert len(ended.data["unchanged"]) == before
        assert Left.by(course).other_than(undisturbed.left) == []


def grade_on(disks: Disks) -> Ended:
    with grading(disks.inside / "course", prefix=disks.prefix, TMPDIR=str(disks.inside / "temporary")) as grader:
        return grader.wait()


@pytest.mark.slow
class TestAFullDisk:
    """A disk of the course, of the gradebook or for temporary files, with a little room left or none."""

    @pytest.mark.parametrize("full", ["course", "gradebook", "temporary"])
    @pytest.mark.parametrize("room", [0, 8, 32, 100])
    def test_is_named_and_nothing_is_spoilt(
        self, undisturbed: Undisturbed, tmp_path: Path, full: str, room: int
    ) -> None:
        with small_disks(undisturbed.course, tmp_path) as disks:
            there = (disks.outside / "course", disks.outside / "gradebook" / "gradebook.db")
            disks.fill(full, room << 10)
            ended = grade_on(disks)
            assert "\n" not in ended.words.strip()
            if ended.code:
                assert f"The disk that holds {disks.inside}/{full}" in ended.words
                assert "is full; make room there and run this again." in ended.words
            undisturbed.assert_whole(*there)
            disks.empty(full)
            ended = grade_on(disks)
            assert (ended.code, ended.words.strip()) == (0, "")
            differing = Left.by(*there).other_than(undisturbed.left)
            assert {name.rpartition("/")[2] for name in differing} == {"nbgrader_config.py", "sha256"}


class TestRecording:
    """The grader dies at every step of writing a result in the place of an earlier one."""

    @pytest.fixture
    def result(self, graded_copy: Course) -> Result:
        """The work of a student who had half of the points, now with another's answers."""
        task = plan(graded_copy, NAME, ["half"], force=True)[0]
        better = graded_copy.folder("autograded", "Фирӯза Раҳимова", NAME) / f"{NAME}.ipynb"
        return Result(task, {NAME: better.read_text("utf-8")})

    def test_a_death_leaves_the_old_or_the_new_and_is_known(
        self, graded_copy: Course, result: Result, tmp_path: Path
    ) -> None:
        root, original = graded_copy.root, tmp_path / "original"
        with turn(graded_copy):
            pass
        shutil.copytree(root, original)
        before = Left.by(root)
        with turn(graded_copy):
            record(result)
        after = Left.by(root)
        assert after.other_than(before)
        place = f"autograded/half/{NAME}"
        for step in count():
            shutil.rmtree(root)
            shutil.copytree(original, root)
            if not die_at(step, root, lambda: record(result)):
                break
            found = Left.by(root)
            assert found.gradebook in (before.gradebook, after.gradebook)
            assert found.files_in(place) in ({}, before.files_in(place), after.files_in(place))
            if not plan(graded_copy, NAME, ["half"]):
                wholes = [(left.gradebook, left.files_in(place)) for left in (before, after)]
                assert (found.gradebook, found.files_in(place)) in wholes
            with turn(graded_copy):
                record(result)
            assert Left.by(root).other_than(after) == []
        assert step > 10

    def test_an_old_result_is_not_believed_once_a_new_one_is_being_written(
        self, graded_copy: Course, result: Result
    ) -> None:
        broken = Result(result.task, {NAME: "no notebook"})
        with pytest.raises(ValueError), turn(graded_copy):
            record(broken)
        assert [task.student for task in plan(graded_copy, NAME, ["half", "empty"])] == ["half"]
        assert not fingerprint_file(result.task).exists()


class TestATurn:
    def test_is_had_by_one_grader_at_a_time(self, graded_class: tuple[Course, Grading], graded_copy: Course) -> None:
        with turn(graded_copy):
            with pytest.raises(UstodError, match=r"Another grader is at work in .*; let it finish, then grade again\."):
                grade(graded_copy, NAME)
            with grading(graded_copy.root) as other:
                ended = other.wait()
        assert ended.code == 1
        assert ended.words.strip().startswith("ustod: Another grader is at work in ")
        assert "\n" not in ended.words.strip()
        assert grade(graded_copy, NAME).graded == []
        assert Left.by(graded_copy.root).other_than(Left.by(graded_class[0].root)) == []

    def test_ends_with_its_holder_however_that_dies(self, graded_copy: Course) -> None:
        def hold_and_die() -> None:
            with turn(graded_copy):
                os.kill(os.getpid(), signal.SIGKILL)

        assert die_at(10**6, graded_copy.root, hold_and_die)
        assert grade(graded_copy, NAME).graded == []

    def test_begins_with_sweeping_up_what_a_killed_grader_left(self, graded_copy: Course) -> None:
        before = Left.by(graded_copy.root)
        litter = [
            running_folder(graded_copy) / "xyz" / "work.ipynb",
            staging_folder(graded_copy) / "abc" / "new" / "half.ipynb",
            graded_copy.root / ".problems.json.abc",
            fingerprint_file(plan(graded_copy, NAME, ["half"], force=True)[0]).with_name(".sha256.abc"),
        ]
        for path in litter:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        with turn(graded_copy):
            assert [path for path in litter if path.exists()] == []
        assert Left.by(graded_copy.root).other_than(before) == []


def test_a_problem_that_is_mended_leaves_no_file(graded_copy: Course) -> None:
    notebook = graded_copy.folder("submitted", "half", NAME) / f"{NAME}.ipynb"
    elsewhere = notebook.with_name("my work.ipynb")
    notebook.rename(elsewhere)
    assert list(grade(graded_copy, NAME).problems) == ["half"]
    told = graded_copy.root / "problems.json"
    assert list(json.loads(told.read_text("utf-8"))[NAME]) == ["half"]
    elsewhere.rename(notebook)
    assert grade(graded_copy, NAME).problems == {}
    assert not told.exists()

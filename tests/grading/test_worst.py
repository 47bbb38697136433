"""The worst submissions: each ends in a grade or in one named problem, and the others get their grades."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from grading.students import NAME, Hand
from grading.worst import BAD, ORDINARY, hand_in_the_worst
from shared import Once

from autograder.authoring.agreement import read_scores
from autograder.errors import one_line
from autograder.grading.course import open_course

pytestmark = pytest.mark.slow
MIB = 1 << 20
#: Of the grader or any of its own processes.
MOST_MEMORY = 1024 * MIB


@pytest.fixture(scope="module")
def worst(once: Once, impatient_course: Path) -> Path:
    """The course, graded by the command, with what it said in three files; only to be read."""

    def grade_them(folder: Path) -> None:
        course = Path(shutil.copytree(impatient_course, folder / "course"))
        hand_in_the_worst(course)
        command = [sys.executable, "-m", "autograder.cli", "grade", NAME, "--course", str(course), "--json"]
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
            _, status, used = os.wait4(process.pid, 0)
        about = {"code": os.waitstatus_to_exitcode(status), "memory": used.ru_maxrss * 1024}
        (folder / "about.json").write_text(json.dumps(about))

    return once("the worst", grade_them)


@pytest.fixture(scope="module")
def problems(worst: Path) -> dict[str, str]:
    return dict(json.loads((worst / "course" / "problems.json").read_text("utf-8"))[NAME])


@pytest.fixture(scope="module")
def scores(worst: Path) -> dict[str, float]:
    return read_scores(worst / "course", NAME)


@pytest.mark.parametrize("student", ORDINARY)
def test_an_ordinary_student_has_a_grade(scores: dict[str, float], student: str) -> None:
    assert scores[student] == 6


@pytest.mark.parametrize("student", [student for student, bad in BAD.items() if bad.score is not None], ids=ascii)
def test_a_bad_submission_that_can_be_graded_is(
    scores: dict[str, float], problems: dict[str, str], student: str
) -> None:
    assert student not in problems
    assert scores[student] == BAD[student].score


@pytest.mark.parametrize("student", [student for student, bad in BAD.items() if bad.score is None], ids=ascii)
def test_another_is_told_in_one_sentence_with_its_path(
    scores: dict[str, float], problems: dict[str, str], student: str
) -> None:
    sentence = problems[student]
    assert BAD[student].words in sentence
    assert one_line(f"/course/submitted/{student}/{NAME}") in sentence
    assert sentence.isprintable() and sentence.count(". ") == 0 and sentence.endswith(".")
    assert student not in scores


def test_the_screen_shows_each_of_them_and_no_traceback(worst: Path, problems: dict[str, str]) -> None:
    said = (worst / "err").read_text("utf-8")
    assert "Traceback" not in said
    assert all(f"{one_line(student)}: {sentence}" in said for student, sentence in problems.items())
    assert json.loads((worst / "about.json").read_text())["code"] == 1


def test_a_program_reads_the_same(worst: Path, problems: dict[str, str], scores: dict[str, float]) -> None:
    told = json.loads((worst / "out").read_text("utf-8"))
    assert told["problems"] == problems
    assert sorted(told["graded"]) == sorted({*ORDINARY, *BAD} - problems.keys())
    assert told["scores"] == scores


def test_the_memory_of_the_grader_is_bounded(worst: Path) -> None:
    assert json.loads((worst / "about.json").read_text())["memory"] < MOST_MEMORY


def test_no_link_is_followed(worst: Path) -> None:
    for student in ("link as data", "loop as data", "folder as data"):
        folder = open_course(worst / "course").folder("autograded", student, NAME)
        assert sorted(path.name for path in folder.iterdir()) == [f"{NAME}.ipynb", "ustod.json"]


def test_deep_folders_are_carried_along(worst: Path) -> None:
    folder = open_course(worst / "course").folder("autograded", "deep", NAME)
    assert (folder.joinpath(*["a"] * 100) / "data.csv").read_text() == "1\n"


def test_no_name_is_taken_for_a_command(worst: Path) -> None:
    assert not (worst / "course" / "hacked").exists() and not Path("hacked").exists()


class TestWhatMayNotBeRead:
    """By the grader's own account; root may read everything unless it gives that right away."""

    MEEK = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []

    @pytest.fixture
    def graded(self, small_course: Path, hand_in: Hand) -> dict[str, str]:
        for student in ("amina", "notebook", "data", "folder"):
            hand_in(student)
        work = small_course / "submitted"
        (work / "data" / NAME / "data.csv").touch()
        (work / "folder" / NAME / "inner").mkdir()
        for path in (
            work / "notebook" / NAME / f"{NAME}.ipynb",
            work / "data" / NAME / "data.csv",
            work / "folder" / NAME / "inner",
        ):
            path.chmod(0)
        command = [sys.executable, "-m", "autograder.cli", "grade", NAME, "--course", str(small_course), "--json"]
        done = subprocess.run([*self.MEEK, *command], capture_output=True, text=True)
        (work / "folder" / NAME / "inner").chmod(0o700)
        assert done.returncode == 1 and done.stdout, done.stderr
        assert json.loads(done.stdout)["graded"] == ["amina"]
        return dict(json.loads(done.stdout)["problems"])

    def test_is_told_with_its_path(self, graded: dict[str, str]) -> None:
        for student, place in (("notebook", f"{NAME}.ipynb"), ("data", "data.csv"), ("folder", "inner")):
            path = f"/submitted/{student}/{NAME}/{place}"
            assert f"{path} cannot be read (Permission denied); mend that and grade again." in graded[student]

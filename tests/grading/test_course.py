"""Any nbgrader course, as its own configuration describes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from grading.students import NAME, Hand
from shared import Once

from autograder.errors import UstodError
from autograder.grading.course import Course, open_course
from autograder.grading.engine import grade


class TestOpening:
    def test_a_folder_that_is_no_course_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(UstodError, match=r"is no course: it has neither nbgrader_config\.py nor source"):
            open_course(tmp_path)

    def test_a_broken_configuration_is_told(self, small_course: Path) -> None:
        (small_course / "nbgrader_config.py").write_text("c = get_config()\nc.Execute.timeout = 1 / 0\n")
        with pytest.raises(
            UstodError, match=r"nbgrader_config\.py cannot be read: ZeroDivisionError: division by zero\."
        ):
            _ = open_course(small_course).config

    def test_the_root_is_the_folder_whatever_the_configuration_says(self, small_course: Path) -> None:
        config = small_course / "nbgrader_config.py"
        config.write_text(config.read_text("utf-8") + 'c.CourseDirectory.root = "/elsewhere"\n', "utf-8")
        course = open_course(small_course)
        assert course.directory.root == str(small_course)

    def test_other_settings_are_kept(self, small_course: Path) -> None:
        assert open_course(small_course).config.Execute.timeout == 8


class TestAssignments:
    @pytest.mark.parametrize("name", [NAME, "u90"])
    def test_are_found_by_long_or_short_name(self, small_course: Path, name: str) -> None:
        assert open_course(small_course).assignment(name) == NAME

    @pytest.mark.parametrize("name", ["u9", "u91", ""])
    def test_that_are_unknown_are_told_with_those_there_are(self, small_course: Path, name: str) -> None:
        with pytest.raises(UstodError, match=f"has no assignment {name}: it has {NAME}"):
            open_course(small_course).assignment(name)

    def test_know_their_notebooks(self, small_course: Path) -> None:
        assert open_course(small_course).notebooks(NAME) == [NAME]
        with pytest.raises(UstodError, match="does not know the assignment u91"):
            open_course(small_course).notebooks("u91")


class TestStudents:
    def test_are_the_folders_with_the_assignment(self, small_course: Path, hand_in: Hand) -> None:
        names = ["Ҷамшед Ғаниев", "a b", "a.b", "bob", "студент"]
        for name in names:
            hand_in(name)
        (small_course / "submitted" / "carol" / "u91_other").mkdir(parents=True)
        (small_course / "submitted" / "dora").mkdir()
        (small_course / "submitted" / "eva").mkdir()
        (small_course / "submitted" / "eva" / NAME).write_text("a file")
        (small_course / "submitted" / "frank" / "deeper" / NAME).mkdir(parents=True)
        assert open_course(small_course).students_with(NAME) == sorted(names)

    def test_are_none_before_anybody_hands_in(self, small_course: Path) -> None:
        assert open_course(small_course).students_with(NAME) == []


class TestLatePenalty:
    PENALTY = """
from nbgrader.plugins import LateSubmissionPlugin

class OnePointADay(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 86400

c.AssignLatePenalties.plugin_class = OnePointADay
"""

    def test_is_that_of_the_configured_plugin(self, small_course: Path, hand_in: Hand) -> None:
        config = small_course / "nbgrader_config.py"
        config.write_text(config.read_text("utf-8") + self.PENALTY, "utf-8")
        for student, when in (("in time", "2026-02-01 11:00:00 UTC"), ("late", "2026-02-03 12:00:00 UTC")):
            (hand_in(student).parent / "timestamp.txt").write_text(when)
        hand_in("no timestamp")
        course = open_course(small_course)
        with course.gradebook() as book:
            book.update_or_create_assignment(NAME, duedate="2026-02-01 12:00:00 UTC")
        assert grade(course, NAME).problems == {}
        with course.gradebook() as book:
            found = {s.student.id: (s.score, s.late_submission_penalty) for s in book.assignment_submissions(NAME)}
        assert found["late"] == (6, 2)
        assert found["in time"][0] == found["no timestamp"][0] == 6
        assert not found["in time"][1] and not found["no timestamp"][1]


class TestACourseWeNeverSaw:
    """What `nbgrader quickstart` makes: two notebooks, written answers, cells worth partial credit."""

    @pytest.fixture
    def plain(self, once: Once, tmp_path: Path) -> Course:
        def make(folder: Path) -> None:
            course = folder / "course101"
            for command, where in ((["quickstart", "course101"], folder), (["generate_assignment", "ps1"], course)):
                run = [sys.executable, "-m", "nbgrader", *command]
                subprocess.run(run, cwd=where, check=True, capture_output=True)
            for student, step in (("empty", "release"), ("right", "source"), ("half", "source")):
                shutil.copytree(course / step / "ps1", course / "submitted" / student / "ps1")
            (course / "submitted" / "half" / "ps1" / "problem2.ipynb").unlink()

        return open_course(Path(shutil.copytree(once("quickstart", make) / "course101", tmp_path / "course101")))

    @staticmethod
    def grades(course: Course) -> dict[tuple[str, str, str], tuple[float | None, bool]]:
        with course.gradebook() as book:
            return {
                (entry.student.id, notebook.name, g.name): (g.auto_score, g.needs_manual_grade)
                for entry in book.assignment_submissions("ps1")
                for notebook in entry.notebooks
                for g in notebook.grades
            }

    def test_is_graded_and_a_missing_notebook_scores_zero_and_waits_for_nobody(self, plain: Course) -> None:
        result = grade(plain, "ps1", ["half"])
        assert result.graded == ["half"] and result.problems == {}
        found = {key[1:]: value for key, value in self.grades(plain).items()}
        missing = {grade for (notebook, _), grade in found.items() if notebook == "problem2"}
        assert missing == {(0, False)}
        automatic = {
            cell: score for (name, cell), (score, manual) in found.items() if name == "problem1" and not manual
        }
        assert automatic == {
            "correct_squares": 1,
            "squares_invalid_input": 1,
            "correct_sum_of_squares": 0.5,
            "sum_of_squares_uses_squares": 0.5,
        }

    @pytest.mark.slow
    def test_gets_the_scores_that_stock_nbgrader_gives(self, plain: Course, tmp_path: Path) -> None:
        stock = open_course(Path(shutil.copytree(plain.root, tmp_path / "stock")))
        assert grade(plain, "ps1").graded == ["empty", "half", "right"]
        command = [sys.executable, "-m", "nbgrader", "autograde", "ps1", "--log-level=ERROR"]
        subprocess.run(command, cwd=stock.root, check=True, capture_output=True)
        assert self.grades(plain) == self.grades(stock)
        assert sum(score or 0 for key, (score, _) in self.grades(plain).items() if key[0] == "right") == 3
        assert sum(score or 0 for key, (score, _) in self.grades(plain).items() if key[0] == "empty") == 0

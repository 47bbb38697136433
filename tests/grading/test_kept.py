"""What nbgrader keeps, and what a course's configuration asks of it, is kept when work is graded again."""

from __future__ import annotations

import json
import shutil
import stat
from datetime import datetime
from pathlib import Path

import pytest
from grading.students import NAME, REFERENCE, Hand
from nbformat import NotebookNode
from shared import Once

from autograder.authoring.agreement import submit
from autograder.grading.course import Course, open_course
from autograder.grading.engine import Grading, grade

WORSE = REFERENCE | {"sums.over": "def over(numbers, limit): return []"}

PENALTY = """
from nbgrader.plugins import LateSubmissionPlugin

class OnePointADay(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 86400

c.AssignLatePenalties.plugin_class = OnePointADay
"""


def configured(course: Path, *lines: str) -> Course:
    config = course / "nbgrader_config.py"
    config.write_text("\n".join([config.read_text("utf-8"), *lines, ""]), "utf-8")
    return open_course(course)


def hand_in_at(work: Path, when: str) -> None:
    (work.parent / "timestamp.txt").write_text(f"{when} 12:00:00 UTC")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestGradedByHand:
    """A score, extra credit and a comment given by hand, the work handed in anew, and late, and graded again."""

    @pytest.fixture
    def again(self, small_course: Path, hand_in: Hand) -> Course:
        hand_in_at(hand_in("amina"), "2026-02-01")
        hand_in_at(hand_in("bahrom"), "2026-02-01")
        course = configured(small_course, PENALTY)
        with course.gradebook() as book:
            book.update_or_create_assignment(NAME, duedate="2026-02-01 12:00:00 UTC")
        assert grade(course, NAME).graded == ["amina", "bahrom"]
        with course.gradebook() as book:
            by_hand = book.find_grade("sums-total-check", NAME, NAME, "amina")
            by_hand.manual_score, by_hand.extra_credit = 1.5, 0.25
            book.find_comment("sums-total", NAME, NAME, "amina").manual_comment = "Бисёр хуб"
        for student, sources in (("amina", WORSE), ("bahrom", REFERENCE)):
            hand_in_at(hand_in(student, sources), "2026-02-03")
        assert grade(course, NAME).graded == ["amina", "bahrom"]
        return course

    @pytest.mark.slow
    def test_keeps_what_was_given_and_asks_to_look_again(self, again: Course) -> None:
        self.assert_kept(again)
        assert grade(again, NAME, force=True).graded == ["amina", "bahrom"]
        self.assert_kept(again)

    @staticmethod
    def assert_kept(course: Course) -> None:
        with course.gradebook() as book:
            total = book.find_grade("sums-total-check", NAME, NAME, "amina")
            assert (total.auto_score, total.manual_score, total.extra_credit) == (3, 1.5, 0.25)
            assert total.score == 1.75 and total.needs_manual_grade
            assert book.find_comment("sums-total", NAME, NAME, "amina").comment == "Бисёр хуб"

            over = book.find_grade("sums-over-check", NAME, NAME, "amina")
            assert (over.manual_score, over.needs_manual_grade) == (None, False) and over.auto_score < 3

            submission = book.find_submission(NAME, "amina")
            assert submission.timestamp == datetime(2026, 2, 3, 12)
            assert submission.late_submission_penalty == 2
            assert submission.score == 1.75 + over.auto_score
            assert book.find_submission(NAME, "bahrom").late_submission_penalty == 2
            assert len(book.students) == 2 and len(book.assignment_submissions(NAME)) == 2


@pytest.mark.slow
def test_a_score_does_not_outlive_its_cell(small_course: Path, hand_in: Hand) -> None:
    course = configured(small_course, "c.OverwriteCells.add_missing_cells = False")

    def without_tests(notebook: NotebookNode) -> None:
        notebook.cells = [cell for cell in notebook.cells if not cell.metadata.get("nbgrader", {}).get("grade")]

    for change, score in ((None, 6), (without_tests, 0)):
        hand_in("amina", change=change)
        assert grade(course, NAME).graded == ["amina"]
        with course.gradebook() as book:
            assert book.find_submission(NAME, "amina").score == score
            assert not book.find_grade("sums-over-check", NAME, NAME, "amina").needs_manual_grade


class TestTheGradedFolder:
    def test_is_for_reading(self, graded_class: tuple[Course, Grading]) -> None:
        course, _ = graded_class
        folder = course.folder("autograded", "half", NAME)
        assert folder == course.root / "autograded" / "half" / NAME
        assert mode(folder) == 0o755
        assert {path.name: mode(path) for path in folder.iterdir()} == {f"{NAME}.ipynb": 0o444, "ustod.json": 0o444}

    @pytest.mark.slow
    def test_lies_where_the_course_says(self, small_course: Path, hand_in: Hand) -> None:
        hand_in("amina")
        submitted = small_course / "submitted"
        (submitted / NAME).mkdir()
        (submitted / "amina" / NAME).rename(submitted / NAME / "amina")
        structure = 'c.CourseDirectory.directory_structure = "{nbgrader_step}/{assignment_id}/{student_id}"'
        course = configured(small_course, structure)
        assert course.students_with(NAME) == ["amina"]
        assert grade(course, NAME).graded == ["amina"]
        assert (small_course / "autograded" / NAME / "amina" / f"{NAME}.ipynb").is_file()


class TestAGroup:
    """A group of students hands in under a name of its own, in a course that a group of instructors shares."""

    NAME = "group 1: Амина, Баҳром"

    @pytest.fixture
    def graded(self, once: Once, impatient_course: Path) -> tuple[Course, Grading]:
        def grade_it(folder: Path) -> None:
            root = Path(shutil.copytree(impatient_course, folder / "course"))
            submit(NAME, {self.NAME: REFERENCE, "stranger": REFERENCE}, root)
            for name in ("own.csv", "given.csv"):
                (root / "source" / NAME / name).write_text("the course's")
                (root / "submitted" / self.NAME / NAME / name).write_text("the student's")
            course = configured(
                root,
                "c.CourseDirectory.groupshared = True",
                f'c.Autograde.exclude_overwriting = {{"{NAME}": ["own.csv"]}}',
                "c.Autograde.create_student = False",
            )
            with course.gradebook() as book:
                book.add_student(self.NAME)
            (folder / "result.json").write_text(json.dumps(vars(grade(course, NAME))))

        folder = once("a group", grade_it)
        return open_course(folder / "course"), Grading(**json.loads((folder / "result.json").read_text()))

    def test_has_one_grade(self, graded: tuple[Course, Grading]) -> None:
        course, result = graded
        assert result.graded == [self.NAME]
        with course.gradebook() as book:
            assert [entry.student.id for entry in book.assignment_submissions(NAME)] == [self.NAME]
            assert book.find_submission(NAME, self.NAME).score == 6

    def test_of_instructors_may_write_what_was_graded(self, graded: tuple[Course, Grading]) -> None:
        folder = graded[0].folder("autograded", self.NAME, NAME)
        assert mode(folder) == 0o2775
        assert mode(folder / f"{NAME}.ipynb") == 0o664

    def test_of_instructors_may_grade_again_what_one_of_them_graded(self, graded: tuple[Course, Grading]) -> None:
        folder = graded[0].root / ".ustod"
        assert [mode(folder), *map(mode, folder.rglob("*/"))] == [0o2775] * 4

    def test_keeps_a_file_that_the_course_excepts_from_being_overwritten(self, graded: tuple[Course, Grading]) -> None:
        folder = graded[0].folder("autograded", self.NAME, NAME)
        assert (folder / "own.csv").read_text() == "the student's"
        assert (folder / "given.csv").read_text() == "the course's"

    def test_that_the_course_does_not_know_is_told(self, graded: tuple[Course, Grading]) -> None:
        sentence = "is of a student who is not in the gradebook; add them with nbgrader db student add"
        assert sentence in graded[1].problems["stranger"]

"""Grading a class with real nbgrader and real kernels."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from grading.students import CLASS, NAME, REFERENCE, Hand, total_of, unshut
from shared import Once, Ustod

from autograder.authoring.agreement import read_scores, submit
from autograder.authoring.build import build_course
from autograder.authoring.unit import read_unit
from autograder.errors import UstodError
from autograder.grading.course import Course, open_course
from autograder.grading.engine import Grading, Isolation, grade
from autograder.grading.scores import scores
from autograder.student.running import State

Class = tuple[Course, Grading]


def gradebook(course: Course, assignment: str = NAME) -> dict[str, object]:
    """Everything of an assignment in the gradebook that grading may write, by student and cell."""
    found: dict[str, object] = {}
    with course.gradebook() as book:
        for entry in book.assignment_submissions(assignment):
            student = entry.student.id
            found[student] = (entry.score, entry.timestamp, entry.late_submission_penalty)
            for notebook in entry.notebooks:
                for g in notebook.grades:
                    found[f"{student} {notebook.name} {g.name}"] = (g.auto_score, g.manual_score, g.needs_manual_grade)
                for comment in notebook.comments:
                    found[f"{student} {notebook.name} {comment.name} comment"] = (
                        comment.auto_comment,
                        comment.manual_comment,
                    )
    return found


class TestScores:
    @pytest.mark.parametrize("student", CLASS)
    def test_every_student_gets_what_they_deserve(self, graded_class: Class, student: str) -> None:
        course, _ = graded_class
        found = {item.cell: item.score for item in scores(course, NAME, student)}
        assert found == {"sums-total-check": CLASS[student][1], "sums-over-check": CLASS[student][2]}
        assert read_scores(course.root, NAME)[student] == total_of(student)

    def test_nobody_is_a_problem(self, graded_class: Class) -> None:
        _, result = graded_class
        assert result.problems == {} and result.unchanged == []
        assert result.graded == sorted(CLASS)
        assert not (graded_class[0].root / "problems.json").exists()

    STATES = (
        ("Фирӯза Раҳимова", {State.RIGHT}),
        ("empty", {State.NOT_ATTEMPTED}),
        ("crashing", {State.RIGHT, State.CRASHED}),
        ("rejected", {State.RIGHT, State.WRONG}),
        ("looping", {State.RIGHT, State.TIMED_OUT}),
    )

    @pytest.mark.parametrize(("student", "states"), STATES)
    def test_the_states_are_in_the_graded_notebook(self, graded_class: Class, student: str, states: set[State]) -> None:
        outcomes = [outcome for item in scores(graded_class[0], NAME, student) for outcome in item.outcomes]
        assert {outcome.state for outcome in outcomes} == states
        assert len(outcomes) == 4

    def test_a_cell_that_never_ends_spoils_no_other(self, graded_class: Class) -> None:
        course, _ = graded_class
        path = course.folder("autograded", "stuck", NAME) / f"{NAME}.ipynb"
        cells = {c.metadata.nbgrader.grade_id: c for c in nbformat.read(path, 4).cells if "nbgrader" in c.metadata}
        assert cells["sums-over"].outputs[0].output_type == "error"
        assert [o.state for item in scores(course, NAME, "stuck")[:1] for o in item.outcomes] == [State.RIGHT] * 2


class TestTheGradedFolder:
    def test_has_notebook_and_sidecar_and_leaves_no_other_file(self, graded_class: Class) -> None:
        course, _ = graded_class
        for student in CLASS:
            names = {path.name for path in course.folder("autograded", student, NAME).iterdir()}
            assert names == {f"{NAME}.ipynb", "ustod.json"}
        folders = {path.name for path in (course.root / "autograded").iterdir()}
        assert folders == set(CLASS)

    def test_has_the_hidden_checks_back_in_the_test_cells(self, graded_class: Class) -> None:
        course, _ = graded_class
        text = (course.folder("autograded", "empty", NAME) / f"{NAME}.ipynb").read_text("utf-8")
        assert "sum_is_that_of_python" in text


def change_work(course: Course, student: str) -> None:
    """The student answers sums.over rightly after all."""
    path = course.folder("submitted", student, NAME) / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "sums-over":
            cell.source = REFERENCE["sums.over"]
    nbformat.write(notebook, path)


class TestAgain:
    @pytest.fixture
    def again(self, once: Once, graded_class: Class) -> Class:
        """The class graded once more, after some work, a result and a grade have changed; only to be read."""

        def grade_again(folder: Path) -> None:
            course = open_course(Path(shutil.copytree(graded_class[0].root, folder / "course")))
            change_work(course, "half")
            with course.gradebook() as book:
                book.find_grade("sums-over-check", NAME, NAME, "half").manual_score = 1.5
                book.find_comment("sums-over", NAME, NAME, "half").manual_comment = "Бисёр хуб"
                book.db.commit()
            (course.folder("submitted", "empty", NAME) / "data.csv").write_text("1\n")
            shutil.rmtree(course.folder("autograded", "rejected", NAME))
            (folder / "result.json").write_text(json.dumps(vars(grade(course, NAME))), "utf-8")

        folder = once("a class again", grade_again)
        return open_course(folder / "course"), Grading(**json.loads((folder / "result.json").read_text("utf-8")))

    def test_what_has_changed_is_run_again_and_nothing_else(self, again: Class) -> None:
        _, result = again
        assert result.graded == ["empty", "half", "rejected"]
        assert result.unchanged == sorted(CLASS.keys() - set(result.graded))

    def test_changed_work_has_its_new_score_and_the_others_keep_theirs(self, again: Class) -> None:
        course, _ = again
        assert {item.cell: item.score for item in scores(course, NAME, "half")}["sums-total-check"] == 3
        with course.gradebook() as book:
            assert book.find_grade("sums-over-check", NAME, NAME, "half").auto_score == 3
        found = read_scores(course.root, NAME)
        assert {student: found[student] for student in CLASS if student != "half"} == {
            student: total_of(student) for student in CLASS if student != "half"
        }

    def test_a_new_file_beside_the_notebook_is_carried_along(self, again: Class) -> None:
        assert (again[0].folder("autograded", "empty", NAME) / "data.csv").read_text() == "1\n"

    def test_a_lost_result_is_made_again(self, again: Class) -> None:
        assert (again[0].folder("autograded", "rejected", NAME) / f"{NAME}.ipynb").is_file()

    def test_a_manual_grade_and_comment_are_kept(self, again: Class) -> None:
        with again[0].gradebook() as book:
            entry = book.find_grade("sums-over-check", NAME, NAME, "half")
            assert (entry.auto_score, entry.manual_score, entry.score) == (3, 1.5, 1.5)
            assert entry.needs_manual_grade
            assert book.find_comment("sums-over", NAME, NAME, "half").comment == "Бисёр хуб"

    def test_nothing_is_run_if_nothing_has_changed(self, graded_copy: Course) -> None:
        before = gradebook(graded_copy)
        result = grade(graded_copy, NAME)
        assert result.graded == [] and result.unchanged == sorted(CLASS)
        assert gradebook(graded_copy) == before

    def test_with_force_the_chosen_students_are_run_and_progress_counts_them(self, graded_copy: Course) -> None:
        before, seen = gradebook(graded_copy), []
        result = grade(
            graded_copy, NAME, ["empty", "half"], force=True, progress=lambda done, total: seen.append((done, total))
        )
        assert result.graded == ["empty", "half"]
        assert seen == [(0, 2), (1, 2), (2, 2)]
        assert gradebook(graded_copy) == before

    def test_a_changed_check_is_judged_again(self, small_course: Path, hand_in: Hand, sums: Path) -> None:
        hand_in("amina")
        course = open_course(small_course)
        assert grade(course, NAME).graded == ["amina"]
        path = sums / "checks.py"
        path.write_text(path.read_text("utf-8").replace("got == sum(numbers)", "got == sum(numbers) + 1"), "utf-8")
        build_course([read_unit(sums)], "en", small_course)
        assert grade(open_course(small_course), NAME).graded == ["amina"]
        assert read_scores(small_course, NAME) == {"amina": 4}


class TestAKiller:
    """Code that kills the process above it."""

    KILLS = REFERENCE | {"sums.over": REFERENCE["sums.over"] + "\nimport os\nos.kill(os.getppid(), 9)"}

    @pytest.fixture
    def course(self, small_course: Path) -> Course:
        submit(NAME, {"killer": self.KILLS, "good": REFERENCE}, small_course)
        return open_course(small_course)

    def test_reaches_nobody_in_a_sandbox(self, course: Course) -> None:
        result = grade(course, NAME, workers=1)
        assert result.problems == {} and result.graded == ["good", "killer"]
        assert read_scores(course.root, NAME)["good"] == 6

    def test_without_one_spoils_only_its_own_submission(self, course: Course) -> None:
        result = grade(open_course(unshut(course.root)), NAME, workers=1, isolation=Isolation.NONE)
        assert list(result.problems) == ["killer"] and result.graded == ["good"]
        assert "killed the process that graded it" in result.problems["killer"]
        assert read_scores(course.root, NAME)["good"] == 6


class TestProblems:
    """None of them stops the others; each is told in one sentence, here and in problems.json."""

    @pytest.fixture
    def mixed(self, once: Once, impatient_course: Path) -> Class:
        folder = once("problems", lambda folder: self.grade_mixed(impatient_course, folder))
        return open_course(folder / "course"), Grading(**json.loads((folder / "result.json").read_text("utf-8")))

    @staticmethod
    def grade_mixed(impatient_course: Path, folder: Path) -> None:
        course = Path(shutil.copytree(impatient_course, folder / "course"))
        students = ["good", "bad json", "no notebook", "folder", "not a notebook", "twice", "forged", "extra", "points"]
        submit(NAME, {student: REFERENCE if student != "forged" else {} for student in students}, course)
        work = {student: course / "submitted" / student / NAME / f"{NAME}.ipynb" for student in students}
        work["bad json"].write_text(work["bad json"].read_text("utf-8")[:-200], "utf-8")
        work["no notebook"].rename(work["no notebook"].with_name("my work.ipynb"))
        work["folder"].unlink()
        work["folder"].mkdir()
        work["not a notebook"].write_text('{"cells": 3}')

        def change(
            student: str, act: Callable[[nbformat.NotebookNode, dict[str, nbformat.NotebookNode]], None]
        ) -> None:
            notebook = nbformat.read(work[student], as_version=4)
            act(notebook, {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata})
            nbformat.write(notebook, work[student])

        change(
            "twice",
            lambda notebook, cells: notebook.cells.append(
                nbformat.from_dict(dict(cells["sums-over-check"], id="again"))
            ),
        )
        change("forged", lambda notebook, cells: cells["sums-over-check"].metadata.nbgrader.update(points=100))
        change("forged", lambda notebook, cells: cells["sums-over-check"].update(source="100"))
        extra = nbformat.v4.new_code_cell("50", metadata={"nbgrader": {
            "grade_id": "mine", "grade": True, "points": 50, "solution": False, "locked": True, "task": False,
            "schema_version": 3, "cell_type": "code",
        }})  # fmt: skip
        change("extra", lambda notebook, cells: notebook.cells.append(extra))
        change("points", lambda notebook, cells: cells["sums-over-check"].metadata.nbgrader.update(points="many"))
        result = grade(open_course(course), NAME, workers=2)
        (folder / "result.json").write_text(json.dumps(vars(result)), "utf-8")

    SENTENCES = (
        ("bad json", "cannot be read as a notebook (NotJSONError"),
        ("no notebook", f"has no notebook named {NAME}.ipynb"),
        ("folder", f"has no notebook named {NAME}.ipynb"),
        ("not a notebook", "cannot be read as a notebook ("),
        ("twice", "has the graded cell sums-over-check twice"),
        ("extra", "has the graded cell mine that is not in the assignment"),
        ("points", "could not be "),
    )

    @pytest.mark.parametrize(("student", "words"), SENTENCES)
    def test_is_told_in_a_sentence_that_names_the_submission(self, mixed: Class, student: str, words: str) -> None:
        course, result = mixed
        sentence = result.problems[student]
        assert words in sentence
        assert f"submitted/{student}/{NAME}" in sentence
        assert json.loads((course.root / "problems.json").read_text("utf-8"))[NAME] == result.problems

    def test_leaves_the_others_with_their_scores(self, mixed: Class) -> None:
        course, result = mixed
        assert result.graded == ["forged", "good"]
        assert read_scores(course.root, NAME)["good"] == 6

    def test_forged_points_and_tests_are_worth_nothing(self, mixed: Class) -> None:
        assert read_scores(mixed[0].root, NAME)["forged"] == 0

    def test_that_is_mended_is_forgotten_and_the_others_are_not(self, mixed: Class, tmp_path: Path) -> None:
        _, result = mixed
        course = open_course(Path(shutil.copytree(mixed[0].root, tmp_path / "mended")))
        shutil.copyfile(
            course.folder("submitted", "good", NAME) / f"{NAME}.ipynb",
            course.folder("submitted", "bad json", NAME) / f"{NAME}.ipynb",
        )
        assert grade(course, NAME, ["bad json"]).graded == ["bad json"]
        known = json.loads((course.root / "problems.json").read_text("utf-8"))[NAME]
        assert known.keys() == result.problems.keys() - {"bad json"}


class TestUsage:
    def test_nothing_handed_in_is_told(self, small_course: Path) -> None:
        with pytest.raises(UstodError, match="There is no submission of u90_sums in"):
            grade(open_course(small_course), NAME)

    def test_an_unknown_student_is_told(self, small_course: Path, hand_in: Hand) -> None:
        hand_in("amina")
        with pytest.raises(UstodError, match="The student anima has no submission of u90_sums"):
            grade(open_course(small_course), NAME, ["anima"])


class TestTheCommand:
    def test_shows_a_table_and_says_what_it_did(self, graded_copy: Course, ustod: Ustod) -> None:
        done = ustod("grade", "u90", "--course", graded_copy.root)
        assert done.returncode == 0, done.stderr
        assert f"0 graded, {len(CLASS)} unchanged, 0 problems" in done.stdout
        assert re.search(r"Фирӯза Раҳимова\W+3\W+3\W+6", done.stdout)

    def test_gives_json_and_names_problems(self, graded_copy: Course, ustod: Ustod) -> None:
        folder = graded_copy.folder("submitted", "no work", NAME)
        folder.mkdir(parents=True)
        done = ustod("grade", NAME, "--course", graded_copy.root, "--json")
        assert done.returncode == 1
        data = json.loads(done.stdout)
        assert data["graded"] == [] and list(data["problems"]) == ["no work"]
        assert data["scores"]["rejected"] == 5
        assert "1 submissions could not be graded. no work: The folder" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_stock_nbgrader_gives_the_same_scores(graded_class: Class, impatient_course: Path, tmp_path: Path) -> None:
    course = Path(shutil.copytree(impatient_course, tmp_path / "stock"))
    shutil.copytree(graded_class[0].root / "submitted", course / "submitted")
    command = [sys.executable, "-m", "nbgrader", "autograde", NAME, "--log-level=ERROR"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert gradebook(open_course(course)) == gradebook(graded_class[0])

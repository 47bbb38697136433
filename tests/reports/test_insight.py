"""What a report says is checked against the gradebook, read through nbgrader's own API, and against what is known of
the made-up class."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from nbgrader.api import Gradebook
from reports.classes import MadeClass
from scipy import stats
from shared import SUMS, Once, Ustod

import course as installed
from autograder.errors import UstodError
from autograder.gradebook.standing import opened
from autograder.grading.course import Course, open_course
from autograder.reports.findings import CODE, Findings, Property, read_findings
from autograder.reports.insight import AssignmentInsight, fallen_silent, study_assignment
from autograder.reports.insight_pages import write_report
from autograder.reports.misconceptions import Misconception, known_misconceptions, sightings
from autograder.reports.register import Item, Person, Register, read_register
from autograder.reports.suspicions import Reason, discriminations
from autograder.student.running import State

NAME = SUMS.name


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def number(text: str) -> float | None:
    return float(text) if text else None


@pytest.fixture(scope="module")
def reported(once: Once, small_class: MadeClass) -> Path:
    """The report of the small class; only to be read."""

    def make(folder: Path) -> None:
        shutil.copytree(small_class.course.root, folder / "course")
        units = str(small_class.roll.units[0].folder.parent)
        installed.__path__.insert(0, units)
        try:
            write_report(open_course(folder / "course"))
        finally:
            installed.__path__.remove(units)

    return once("a report", make) / "course"


def gradebook(root: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{root}/gradebook.db")


def test_every_score_is_the_gradebooks(reported: Path) -> None:
    with gradebook(reported) as book:
        expected = {entry.student.id: entry.score for entry in book.assignment_submissions(NAME)}
        names = {student.id: f"{student.first_name} {student.last_name}" for student in book.students}
    found = list(rows(reported / "report" / NAME / "scores.csv"))
    assert {row["Student"]: float(row["Score"]) for row in found} == expected
    assert {row["Student"]: row["Name"] for row in found} == {student: names[student] for student in expected}


def test_the_distribution_is_the_gradebooks(reported: Path) -> None:
    with gradebook(reported) as book:
        scores = [entry.score for entry in book.assignment_submissions(NAME)]
    found = {row["Measure"]: float(row["Points"]) for row in rows(reported / "report" / NAME / "distribution.csv")}
    assert found["mean"] == pytest.approx(statistics.mean(scores))
    assert found["median"] == pytest.approx(statistics.median(scores))
    assert found["standard deviation"] == pytest.approx(statistics.stdev(scores))
    assert (found["lowest"], found["highest"]) == (min(scores), max(scores))
    quartiles = statistics.quantiles(scores, n=4, method="inclusive")
    assert [found["lower quartile"], found["upper quartile"]] == pytest.approx([quartiles[0], quartiles[2]])


def test_difficulty_and_discrimination_are_scipys(reported: Path) -> None:
    with gradebook(reported) as book:
        marks = {
            entry.student.id: {grade.cell.name: grade.score for part in entry.notebooks for grade in part.grades}
            for entry in book.assignment_submissions(NAME)
        }
        points = {cell.name: cell.max_score for cell in book.find_notebook(NAME, NAME).grade_cells}
    found = {row["No."]: row for row in rows(reported / "report" / NAME / "exercises.csv")}
    for place, cell in enumerate(("sums-total-check", "sums-over-check"), 1):
        own = [scores[cell] for scores in marks.values()]
        rest = [sum(scores.values()) - scores[cell] for scores in marks.values()]
        row = found[str(place)]
        assert number(row["Mean share"]) == pytest.approx(statistics.mean(own) / points[cell])
        assert int(row["All points"]) == sum(score == points[cell] for score in own)
        assert number(row["Correlation"]) == pytest.approx(stats.pearsonr(own, rest).statistic)


def test_states_are_those_of_what_was_handed_in(reported: Path, small_class: MadeClass) -> None:
    """Known from how the class was made: who crashed, who looped, who did nothing."""
    works = [work for work in small_class.roll.works if work.assignment == NAME]
    found = {row["Property"]: row for row in rows(reported / "report" / NAME / "properties.csv")}
    row = found["Every number over the limit is kept, in its order."]
    answers = [work.answers["sums.over"] for work in works]
    assert int(row["crashed"]) == answers.count("crash")
    assert int(row["ran out of time"]) == answers.count("loop")
    assert int(row["not attempted"]) == answers.count("")
    assert int(row["not yet right"]) == answers.count("rejected/sorted")
    states = ("right", "not yet right", "crashed", "ran out of time", "not attempted", "grader fault")
    assert sum(int(row[state]) for state in states) == len(works)


def test_misconceptions_are_those_that_the_class_was_given(reported: Path, small_class: MadeClass) -> None:
    for name in (unit.name for unit in small_class.roll.units):
        given = [
            answer for work in small_class.roll.works if work.assignment == name for answer in work.answers.values()
        ]
        wrong = [answer for answer in given if answer.startswith("rejected/")]
        met: dict[str, int] = {}
        path = reported / "report" / name / "misconceptions.csv"
        for row in rows(path) if path.exists() else ():
            met[row["File"]] = int(row["Only this failed"]) + int(row["Other things failed too"])
        for files, count in met.items():
            assert count == sum(answer.split("/")[1] in files.split(", ") for answer in wrong), files
        assert sum(met.values()) >= len(wrong)


def test_who_is_silent_late_or_absent_is_known(reported: Path, small_class: MadeClass) -> None:
    roll, report = small_class.roll, reported / "report"
    assert {row["Student"] for row in rows(report / "silent.csv")} == roll.silent
    assert {row["Student"] for row in rows(report / "never.csv")} == roll.absent
    for row in rows(report / "assignments.csv"):
        works = [work for work in roll.works if work.assignment == row["Assignment"]]
        late = sum(work.late for work in works)
        assert (int(row["in time"]), int(row["late"])) == (len(works) - late, late)
        assert int(row["missing"]) == len(roll.students) - len(works)


def test_before_it_is_due_nobody_is_silent(small_copy: MadeClass) -> None:
    pages = write_report(small_copy.course, now=datetime(2026, 9, 1, tzinfo=UTC))
    assert not (pages[-1].parent / "silent.csv").exists()


def test_silence_is_counted_from_the_last_that_was_handed_in() -> None:
    everybody = [Person(name, name) for name in ("always", "gap", "gone", "never", "new")]
    handed_in = {"a": {"always", "gap", "gone"}, "b": {"always"}, "c": {"always", "gap", "new"}, "d": set[str]()}
    silent, never = fallen_silent(everybody, handed_in, ["a", "b", "c"])
    assert [(one.person.id, one.last, one.missed) for one in silent] == [("gone", "a", 2)]
    assert [(one.person.id, one.missed) for one in never] == [("never", 3)]


def study(course: Course) -> AssignmentInsight:
    with opened(course) as book:
        return study_assignment(book.db(), course, NAME)


def test_without_graded_notebooks_the_scores_stand_for_them(small_copy: MadeClass) -> None:
    before = study(small_copy.course)
    shutil.rmtree(small_copy.course.root / "autograded")
    after = study(small_copy.course)
    assert after.exercises == before.exercises
    assert after.findings.unread == len(after.register.students)
    assert [one.name for one in after.findings.properties] == ["", ""]
    right = (after.register.scores >= [item.points for item in after.register.items]).sum(axis=0)
    assert [after.findings.count(column, State.RIGHT) for column in range(2)] == list(right)


def test_a_plain_nbgrader_course_is_told_by_test_cell(tmp_path: Path) -> None:
    """The course that `nbgrader quickstart` makes, graded by nbgrader."""
    run = [sys.executable, "-m", "nbgrader"]
    subprocess.run([*run, "quickstart", "plain"], cwd=tmp_path, check=True, capture_output=True)
    root = tmp_path / "plain"
    subprocess.run([*run, "generate_assignment", "ps1"], cwd=root, check=True, capture_output=True)
    for student in ("one", "two"):
        shutil.copytree(root / "release" / "ps1", root / "submitted" / student / "ps1")
    subprocess.run([*run, "autograde", "ps1"], cwd=root, check=True, capture_output=True)
    write_report(open_course(root))
    found = list(rows(root / "report" / "ps1" / "properties.csv"))
    assert {row["Property"] for row in found} >= {"correct_squares", "squares_invalid_input"}
    with gradebook(root) as book:
        scores = {entry.student.id: entry.score for entry in book.assignment_submissions("ps1")}
    assert {row["Student"]: float(row["Score"]) for row in rows(root / "report" / "ps1" / "scores.csv")} == scores


def findings_of(columns: list[list[State]]) -> tuple[Register, Findings]:
    """A register and findings in which every property is a cell of one point."""
    states = np.array([[CODE[state] for state in column] for column in columns], np.int8).T
    items = [Item("n", f"c{place}", 1.0) for place in range(len(columns))]
    count = len(states)
    scores = (states == CODE[State.RIGHT]) | (states == CODE[State.FAULT])
    register = Register(
        *("a", None, [f"s{row:02}" for row in range(count)], [None] * count, items, scores.astype(float)),
        *(np.zeros(count), [False] * count),
    )
    properties = [Property(place, f"e{place}", f"p{place}", "", 1.0) for place in range(len(columns))]
    return register, Findings(properties, states, np.full(states.shape, -1, np.int32), [])


R, W = State.RIGHT, State.WRONG


def test_a_check_that_good_students_fail_is_doubted_and_no_other() -> None:
    ladder = [[R if student >= 2 * place else W for student in range(20)] for place in range(9)]
    upside_down = [W if student >= 10 else R for student in range(20)]
    register, findings = findings_of([*ladder, upside_down])
    *good, bad = discriminations(register, findings)
    assert [one.reasons for one in good] == [()] * 9
    assert Reason.REVERSED in bad.reasons and bad.correlation is not None and bad.correlation < 0
    assert bad.examples[0] == "s16" or bad.examples[0] in {f"s{row}" for row in range(16, 20)}


def test_a_check_that_most_of_the_best_fail_is_doubted() -> None:
    easy = [[R] * 19 + [W] for _ in range(10)]
    hard = [W] * 17 + [R, R, R]
    register, findings = findings_of([*easy, hard])
    *others, last = discriminations(register, findings)
    assert Reason.BEST_FAIL in last.reasons and (last.best, last.best_failed) == (19, 17)
    assert not any(one.reasons for one in others)


def test_grader_faults_say_nothing_about_a_check() -> None:
    register, findings = findings_of([[State.FAULT] * 6 + [R] * 6, [R, W] * 6])
    assert discriminations(register, findings)[0].known == 6


def test_misconceptions_with_one_check_are_told_apart_by_their_hints(tmp_path: Path, sums: Path) -> None:
    kept = tmp_path / "kept" / "sums.json"
    runs: list[tuple[int, int]] = []
    known = known_misconceptions(sums, kept, lambda done, total: runs.append((done, total)))
    shared = next(one for one in known if one.check == "sum_is_that_of_python")
    assert {name.split("/")[1] for name in shared.names} == {"absolute", "without_last"}  # one hint for both
    assert len(known) == 4 and runs[-1] == (2, 2)
    runs.clear()
    assert known_misconceptions(sums, kept, lambda done, total: runs.append((done, total))) == known and runs == []
    kept.write_text("{")
    assert known_misconceptions(sums, kept) == known
    (sums / "rejected" / "absolute.py").unlink()
    assert {one.names for one in known_misconceptions(sums, kept)} == {
        (name,) for one in known for name in one.names
    } - {("rejected/absolute",)}


def test_a_hint_decides_between_misconceptions() -> None:
    _, findings = findings_of([[W, W, W, R]])
    findings.texts += ["first", "second", "third"]
    findings.hints[:3, 0] = (0, 1, 2)
    one = Misconception(("a",), ("A.",), "e0", "p0", frozenset({"first"}))
    other = Misconception(("b",), ("B.",), "e0", "p0", frozenset({"second"}))
    met, unexplained = sightings([one, other], findings)
    assert {(entry.misconception.names, entry.alone) for entry in met} == {(("a",), (0,)), (("b",), (1,))}
    assert unexplained == {0: (2,)}


def test_a_fault_is_counted_and_shown(small_copy: MadeClass) -> None:
    course = small_copy.course
    student = sorted(small_copy.course.students_with(NAME))[0]
    path = course.folder("autograded", student, NAME) / f"{NAME}.ipynb"
    text = path.read_text("utf-8")
    data = json.loads(text)
    outcome = next(
        entry
        for cell in data["cells"]
        for output in cell.get("outputs", [])
        for entry in output.get("data", {}).get("application/vnd.ustod.outcomes+json", {}).get("outcomes", [])
    )
    outcome |= {"state": "grader fault", "traceback": "Traceback\nZeroDivisionError: of the <check>"}
    path.chmod(0o600)
    path.write_text(json.dumps(data), "utf-8")
    page = write_report(course, NAME)[0]
    [row] = rows(page.parent / "faults.csv")
    assert (row["Students"], row["First"]) == ("1", student)
    assert "ZeroDivisionError: of the &lt;check&gt;" in page.read_text("utf-8")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"cells": 1}', b'{"cells": [1, {"cell_type": "code"}]}', b"\xff"]
)
def test_a_graded_notebook_that_is_none_stops_nothing(small_copy: MadeClass, content: bytes) -> None:
    student = sorted(small_copy.course.students_with(NAME))[0]
    path = small_copy.course.folder("autograded", student, NAME) / f"{NAME}.ipynb"
    path.chmod(0o600)
    path.write_bytes(content)
    with opened(small_copy.course) as book:
        register = read_register(book.db(), small_copy.course, NAME)
    assert len(read_findings(small_copy.course, register).states) == len(register.students)


EVIL = "<script>alert(1)</script>"


def test_names_are_shown_and_never_run(small_copy: MadeClass) -> None:
    course = small_copy.course
    with course.gradebook() as book:
        absent = next(iter(small_copy.roll.absent))
        book.update_or_create_student(absent, first_name=EVIL, last_name="=cmd|' /C calc'!A0", email="a,b@example.org")
    for page in write_report(course):
        text = page.read_text("utf-8")
        assert "<script" not in text
        assert EVIL.replace("<", "&lt;").replace(">", "&gt;") in text
    names = [row["Name"] for row in rows(course.root / "report" / "never.csv")]
    assert names == [f"{EVIL} =cmd|' /C calc'!A0"]


def test_a_name_that_is_a_formula_is_none_in_the_csv(small_copy: MadeClass) -> None:
    with small_copy.course.gradebook() as book:
        for student in book.students:
            book.update_or_create_student(student.id, first_name="=1+1", last_name="")
    write_report(small_copy.course)
    text = (small_copy.course.root / "report" / "students.csv").read_text("utf-8-sig")
    assert ",'=1+1," in text and ",=1+1" not in text


def test_a_truncated_gradebook_is_told_in_a_sentence(small_copy: MadeClass, ustod: Ustod) -> None:
    path = small_copy.course.root / "gradebook.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = ustod("report", "--course", small_copy.course.root)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "gradebook.db" in done.stderr and done.stderr.count("\n") == 1


def test_a_gradebook_that_is_held_is_told_in_a_sentence(small_copy: MadeClass) -> None:
    root = small_copy.course.root
    config = root / "nbgrader_config.py"
    url = f"sqlite:///{root}/gradebook.db?timeout=0.2"
    config.write_text(f'{config.read_text("utf-8")}\nc.CourseDirectory.db_url = "{url}"\n', "utf-8")
    holder = sqlite3.connect(root / "gradebook.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UstodError, match=r"gradebook\.db"):
        write_report(open_course(root))
    holder.close()
    assert write_report(open_course(root))


def test_the_command_names_its_pages_for_the_instructor_alone(small_copy: MadeClass, ustod: Ustod) -> None:
    done = ustod("report", "--course", small_copy.course.root, "--lang", "tg")
    assert done.returncode == 0, done.stderr
    pages = [Path(line) for line in done.stdout.split("\n") if line]
    assert len(pages) == 3 and all(page.is_file() and page.stat().st_mode & 0o007 == 0 for page in pages)
    assert "Ҳисобот барои устодон" in pages[0].read_text("utf-8")
    assert (pages[0].parent / "scores.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert ustod("report", "--course", small_copy.course.root, "--lang", "xx").returncode == 2
    assert ustod("report", "u77", "--course", small_copy.course.root).returncode == 1


@pytest.mark.slow
def test_five_thousand_students(sums_course: Path) -> None:
    course = open_course(sums_course)
    with course.gradebook() as book:
        task = book.find_assignment(NAME)
        [notebook] = task.notebooks
        cells = [cell.id for cell in notebook.grade_cells]
        ids = (task.id, notebook.id)
    count = 5000
    with sqlite3.connect(sums_course / "gradebook.db") as base:
        for n in range(count):
            base.execute("insert into student (id, first_name) values (?, ?)", (f"s{n:04}", f"N{n}"))
            base.execute(
                "insert into submitted_assignment (id, assignment_id, student_id) values (?, ?, ?)",
                (f"a{n}", ids[0], f"s{n:04}"),
            )
            base.execute(
                "insert into submitted_notebook (id, assignment_id, notebook_id) values (?, ?, ?)",
                (f"n{n}", f"a{n}", ids[1]),
            )
            for place, cell in enumerate(cells):
                base.execute(
                    "insert into grade (id, notebook_id, cell_id, auto_score, needs_manual_grade) "
                    "values (?, ?, ?, ?, 0)",
                    (f"g{n}-{place}", f"n{n}", cell, (n + place) % 4),
                )
    pages = write_report(course)
    assert sum(1 for _ in rows(sums_course / "report" / NAME / "scores.csv")) == count
    assert all(page.stat().st_size < 300_000 for page in pages)

"""Feedback of a whole made-up class, and of what else a gradebook may hold."""

from __future__ import annotations

import ast
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from reports.classes import MadeClass
from shared import SUMS, Ustod

from autograder.authoring.unit import read_unit
from autograder.errors import UstodError
from autograder.grading.course import Course, open_course
from autograder.reports.exercises import SHORTEST_SECRET
from autograder.reports.feedback import write_feedback
from autograder.reports.marks import graded_students, marks

LARGEST = 300_000


def assignments(course: Course) -> list[str]:
    with course.gradebook() as book:
        return sorted(entry.name for entry in book.assignments)


def pages(course: Course) -> dict[Path, str]:
    return {path: path.read_text("utf-8") for path in (course.root / "feedback").rglob("*.html")}


@pytest.fixture
def course(small_copy: MadeClass) -> Course:
    return small_copy.course


@pytest.fixture
def first(course: Course) -> str:
    return assignments(course)[0]


def secrets_of(unit_folder: Path) -> set[str]:
    """Every line of the hidden checks, and every text in them, that the lesson and the messages do not show."""
    unit = read_unit(unit_folder)
    source = (unit_folder / "checks.py").read_text("utf-8")
    lesson = (unit_folder / "lesson.py").read_text("utf-8")
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    texts = {text for text in constants if isinstance(text, str)}
    sentences = {check.sentence for check in unit.checks}
    shown = {text for text in texts if text in sentences or re.search(rf"hint=[\"']{re.escape(text)}", source)}
    lines = {line.strip() for line in source.splitlines()} - {f'"""{sentence}"""' for sentence in sentences}
    return {text for text in lines | (texts - shown) if len(text) >= SHORTEST_SECRET and text not in lesson}


def test_no_byte_of_any_page_comes_from_a_hidden_check(course: Course, small_class: MadeClass) -> None:
    for name in assignments(course):
        write_feedback(course, name)
    secret = {
        line for unit in sorted((small_class.course.root.parent / "units").iterdir()) for line in secrets_of(unit)
    }
    assert len(secret) > 10
    found = pages(course)
    assert len(found) > len(small_class.roll.students)
    for path, page in found.items():
        own = own_code(course, path)
        read = page + unescape(re.sub(r"<[^>]*>", "", page))
        for line in secret - own:
            assert line not in read, f"{path} shows {line!r}"


def own_code(course: Course, page: Path) -> set[str]:
    """The lines that the learner wrote, who may well write what a check does."""
    student, assignment = page.parts[-3:-1]
    notebook = json.loads((course.folder("submitted", student, assignment) / f"{page.stem}.ipynb").read_text("utf-8"))
    return {line.strip() for cell in notebook["cells"] for line in "".join(cell["source"]).splitlines()}


def test_a_page_is_small_whole_and_asks_for_nothing(course: Course, first: str) -> None:
    written, failed = write_feedback(course, first)
    assert failed == [] and written == graded_students(course, first)
    for page in pages(course).values():
        assert len(page.encode()) < LARGEST
        assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>")
        assert "<script" not in page
        assert all(
            link.startswith(("#", "data:")) for link in re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]*)""", page)
        )
        assert "url(" not in page and "@import" not in page


def test_points_are_the_gradebooks(course: Course, first: str) -> None:
    write_feedback(course, first)
    with course.gradebook() as book:
        scores = {entry.student.id: (entry.score, entry.max_score) for entry in book.assignment_submissions(first)}
    for student, (score, most) in scores.items():
        page = next(course.folder("feedback", student, first).glob("*.html")).read_text("utf-8")
        assert f'<meta name="ustod-score" content="{score:g} {most:g}">' in page


def test_what_is_read_at_once_is_what_nbgrader_reads_one_by_one(course: Course) -> None:
    for name in assignments(course):
        found = marks(course, name, graded_students(course, name))
        with course.gradebook() as book:
            for submission in book.assignment_submissions(name):
                entry = found[submission.student.id]
                for notebook in submission.notebooks:
                    one_by_one = {
                        grade.name: (grade.score, grade.max_score, bool(grade.needs_manual_grade))
                        for grade in notebook.grades
                    }
                    cells = entry.cells[notebook.name]
                    assert {cell: (mark.score, mark.points, mark.waits) for cell, mark in cells.items()} == one_by_one
                totals = {one.assignment: one.score for one in entry.course}
                assert totals[name] == pytest.approx(submission.score - (submission.late_submission_penalty or 0))
                assert {one.assignment: one.points for one in entry.course} == {
                    entry.name: entry.max_score for entry in book.assignments
                }


def test_scores_of_other_assignments_are_shown_once_they_were_given_back(course: Course) -> None:
    one, other = assignments(course)[:2]
    [student, *_] = sorted({*graded_students(course, one)} & {*graded_students(course, other)})
    page = course.folder("feedback", student, one) / f"{one}.html"
    write_feedback(course, one, [student])
    assert "not given back yet" in page.read_text("utf-8")
    write_feedback(course, other, [student])
    write_feedback(course, one, [student])
    assert "not given back yet" not in page.read_text("utf-8")


@pytest.mark.parametrize(("language", "word"), [("tg", "Супорида шуд"), ("ru", "Сдано"), ("en", "Handed in")])
def test_a_page_is_in_the_language_that_is_asked_for(course: Course, first: str, language: str, word: str) -> None:
    [student, *_] = graded_students(course, first)
    write_feedback(course, first, [student], language=language)
    page = next(iter(pages(course).values()))
    assert f'<html lang="{language}">' in page and word in page


def test_names_and_comments_are_shown_and_never_run(course: Course, first: str) -> None:
    [student, *_] = graded_students(course, first)
    evil = "<script>alert(1)</script>\"'&"
    with course.gradebook() as book:
        book.update_or_create_student(student, first_name=evil, last_name="=cmd|' /C calc'!A0")
        notebook = book.find_submission(first, student).notebooks[0]
        notebook.comments[0].manual_comment = evil
        notebook.late_submission_penalty = 1.5
    write_feedback(course, first, [student])
    page = next(iter(pages(course).values()))
    assert "<script" not in page and page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert "1.5 points are taken off" in page


def test_without_the_graded_notebook_the_points_are_shown_and_that_it_is_missing(course: Course, first: str) -> None:
    [student, broken, *_] = graded_students(course, first)
    shutil.rmtree(course.folder("autograded", student, first))
    notebook = course.folder("autograded", broken, first) / f"{first}.ipynb"
    notebook.chmod(0o644)
    notebook.write_text('{"cells": [', "utf-8")
    assert write_feedback(course, first, [student, broken]) == ([student, broken], [])
    for page in pages(course).values():
        assert "not at hand" in page and page.endswith("</html>") and "points" in page


def test_a_page_of_a_notebook_that_is_there_no_more_goes(course: Course, first: str) -> None:
    [student, *_] = graded_students(course, first)
    old = course.folder("feedback", student, first) / "old.html"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    write_feedback(course, first, [student])
    assert [path.name for path in old.parent.glob("*.html")] == [f"{first}.html"]


def test_a_gradebook_that_cannot_be_read_is_told_of_in_a_sentence(course: Course, first: str, ustod: Ustod) -> None:
    file = course.root / "gradebook.db"
    with sqlite3.connect(file) as book:
        book.execute("alter table student drop column first_name")
    done = ustod("feedback", first, "--course", course.root)
    assert done.returncode == 1
    assert "gradebook.db cannot be read" in done.stderr and "nbgrader db upgrade" in done.stderr
    file.write_bytes(file.read_bytes()[:5000])
    done = ustod("feedback", first, "--course", course.root)
    assert done.returncode == 1 and "gradebook.db" in done.stderr and "Traceback" not in done.stderr


def test_a_gradebook_that_is_being_written_to_is_told_of_or_waited_for(course: Course, first: str) -> None:
    writer = sqlite3.connect(course.root / "gradebook.db", isolation_level=None)
    writer.execute("begin exclusive")
    try:
        with pytest.raises(UstodError, match=r"gradebook\.db"):
            write_feedback(course, first)
    finally:
        writer.close()
    assert write_feedback(course, first)[1] == []


def test_an_nbgrader_course_of_somebody_elses_has_pages_too(course: Course, first: str) -> None:
    """Its notebooks have no checks of ours and nothing beside them."""
    for folder in (course.folder("source", ".", first), *(course.root / "autograded").glob(f"*/{first}")):
        folder.chmod(0o755)
        (folder / "ustod.json").unlink()
    for path in (course.root / "autograded").glob(f"*/{first}/*.ipynb"):
        path.chmod(0o644)
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            cell["outputs"] = [] if "outputs" in cell else None
            if cell["outputs"] is None:
                del cell["outputs"]
        path.write_text(json.dumps(notebook), "utf-8")
    written, failed = write_feedback(open_course(course.root), first)
    assert failed == [] and written
    assert all('lang="en"' in page and "</html>" in page for page in pages(course).values())


def test_nbgrader_generates_our_pages_and_releases_them(course: Course, first: str, tmp_path: Path) -> None:
    [student, *_] = graded_students(course, first)
    graded = course.folder("autograded", student, first)
    graded.chmod(0o755)
    for name, note in (("timestamp.txt", "2026-10-01 10:00:00 UTC"), ("submission_secret.txt", "a secret")):
        (graded / name).unlink(missing_ok=True)
        (graded / name).write_text(note)
    exchange = tmp_path / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    for verb in (["generate_feedback", "--force"], ["release_feedback", f"--Exchange.root={exchange}"]):
        command = [sys.executable, "-m", "nbgrader", *verb, first, f"--student={student}", "--log-level=ERROR"]
        done = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    [released] = (exchange / "ustod" / "feedback").glob("*.html")
    by_nbgrader = released.read_text("utf-8")
    write_feedback(course, first, [student])
    assert by_nbgrader == (course.folder("feedback", student, first) / f"{first}.html").read_text("utf-8")


def test_a_student_whom_the_gradebook_puts_elsewhere_gets_no_page_there(course: Course, first: str) -> None:
    with Gradebook(course.directory.db_url) as book:
        book.add_student("../../elsewhere")
        book.add_submission(first, "../../elsewhere")
    written, failed = write_feedback(course, first, ["../../elsewhere"])
    assert written == [] and "is not in the course" in failed[0]
    assert not (course.root.parent / "elsewhere").exists()


def test_the_unit_of_the_fixtures_has_secrets() -> None:
    assert any("some_numbers" in line for line in secrets_of(SUMS))

"""A student asks, the instructor answers, and the grade, the comment and the log change together."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from gradebook.books import ANSWER, CHECK, ESSAY, hand_in, make_course
from gradebook.conftest import Run
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from autograder.audit.trail import faults, lines
from autograder.errors import UstodError
from autograder.gradebook.regrade import answer, brought, handed_in, queue, take
from autograder.gradebook.regrade_page import regrade_page
from autograder.gradebook.standing import standings
from autograder.grading.course import Course
from autograder.student import regrade
from autograder.student.regrade import write_request


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = make_course(tmp_path / "курс")
    hand_in(course, "s1", auto=1, manual=2)
    return course


def asked(folder: Path, exercise: str = ANSWER, reason: str = "Ҷавобам дуруст аст <script>", lang: str = "tg") -> bytes:
    return write_request(folder, "u90", exercise, reason, lang).read_bytes()


def comment(course: Course, cell: str) -> str | None:
    with course.gradebook() as book:
        found: str | None = book.find_comment(cell, "u90", "u90", "s1").comment
        return found


def test_a_request_is_taken_once_however_often_it_comes(course: Course, tmp_path: Path) -> None:
    content = asked(tmp_path)
    assert take(course, "s1", content, "a file") == 1
    assert take(course, "s1", content, "a file") == 0
    (one,) = queue(course)
    assert (one.student, one.assignment, one.exercise, one.language) == ("s1", "u90", ANSWER, "tg")
    assert one.reason == "Ҷавобам дуруст аст <script>"


def test_an_answer_with_a_score_changes_the_grade_the_comment_and_the_log(course: Course, tmp_path: Path) -> None:
    take(course, "s1", asked(tmp_path), "a file")
    answer(course, 1, "Шумо ҳақ ҳастед.", 3)
    assert standings(course).of["s1", "u90"].score == 5
    text = comment(course, ANSWER)
    assert text and "Ҷавобам дуруст аст" in text and "Шумо ҳақ ҳастед." in text
    with course.gradebook() as book:
        connection = book.db().connection()
        last = list(lines(connection))[-1]
        assert faults(connection) == []
    assert last.why.startswith("regrade 1 (Ҷавобам дуруст аст")
    assert [(change.score.cell, change.score.kind, change.after) for change in last.changes] == [(CHECK, "manual", 3.0)]
    assert queue(course) == []
    (done,) = queue(course, all_of_them=True)
    assert done.answer == "Шумо ҳақ ҳастед." and done.who


def test_an_answer_in_words_alone_is_in_the_log_too(course: Course, tmp_path: Path) -> None:
    take(course, "s1", asked(tmp_path, ESSAY), "a file")
    answer(course, 1, "No: the second half is missing.")
    assert standings(course).of["s1", "u90"].score == 3
    with course.gradebook() as book:
        last = list(lines(book.db().connection()))[-1]
    assert last.changes == () and "the second half is missing" in last.why
    assert "the second half" in str(comment(course, ESSAY))


@pytest.mark.parametrize(
    ("number", "words", "score", "said"),
    [
        (7, "x", None, "is not in the queue"),
        (1, "  ", None, "Say something"),
        (1, "x", 3.5, "worth 0 to 3 points, not 3.5"),
        (1, "x", -1.0, "worth 0 to 3 points"),
        (1, "x", float("nan"), "worth 0 to 3 points"),
    ],
)
def test_an_answer_that_cannot_be_changes_nothing(
    course: Course, tmp_path: Path, number: int, words: str, score: float | None, said: str
) -> None:
    take(course, "s1", asked(tmp_path), "a file")
    with pytest.raises(UstodError, match=said):
        answer(course, number, words, score)
    assert standings(course).of["s1", "u90"].score == 3
    assert len(queue(course)) == 1 and comment(course, ANSWER) is None


def test_an_exercise_of_a_unit_is_two_cells_with_a_hyphen_in_their_names(tmp_path: Path) -> None:
    course = make_course(tmp_path / "course", ())
    with Gradebook(course.directory.db_url, "ml") as book:
        book.add_assignment("u90")
        book.add_notebook("u90", "u90")
        book.add_solution_cell("sums-total", "u90", "u90")
        book.add_source_cell("sums-total", "u90", "u90", cell_type="code")
        book.add_grade_cell("sums-total-check", "u90", "u90", max_score=3, cell_type="code")
        book.add_student("s1")
        book.add_submission("u90", "s1")
    assert take(course, "s1", asked(tmp_path, "sums.total"), "a file") == 1
    answer(course, 1, "yes", 2.5)
    assert standings(course).of["s1", "u90"].score == 2.5
    assert "yes" in str(comment(course, "sums-total"))


def test_a_request_is_answered_once(course: Course, tmp_path: Path) -> None:
    take(course, "s1", asked(tmp_path), "a file")
    answer(course, 1, "yes", 3)
    with pytest.raises(UstodError, match="answered already"):
        answer(course, 1, "no", 0)


@given(
    st.binary(max_size=40)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
)
def test_a_file_of_nonsense_is_told(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "nonsense"
    course = Course(folder) if folder.is_dir() else make_course(folder)
    with pytest.raises(UstodError, match="holds no requests"):
        take(course, "s1", content, "a file")


@pytest.mark.parametrize(
    ("student", "content", "said"),
    [
        ("s2", {}, "has no work of theirs"),
        ("s1", {"assignment": "u91"}, "has no work of theirs"),
        ("s1", {"requests": [{"exercise": "x", "reason": "r", "asked": "t"}]}, "asks about 'x', which u90 has not"),
        ("s1", {"requests": [{"exercise": ANSWER, "reason": " ", "asked": "t"}]}, "holds no requests"),
        ("s1", {"requests": [{}] * 101}, "asks too much"),
        ("s1", {"requests": [{"exercise": ANSWER, "reason": "r" * 300_000, "asked": "t"}]}, "bytes"),
    ],
)
def test_a_request_about_what_is_not_there_is_told(
    course: Course, student: str, content: dict[str, object], said: str
) -> None:
    whole = {"assignment": "u90", "requests": [{"exercise": ANSWER, "reason": "r", "asked": "t"}]} | content
    with pytest.raises(UstodError, match=said):
        take(course, student, json.dumps(whole).encode(), "a file")
    assert queue(course) == []


def test_a_file_beside_what_was_handed_in_is_found_and_a_link_is_not(course: Course, tmp_path: Path) -> None:
    for student in ("s1", "s2"):
        (course.root / "submitted" / student / "u90").mkdir(parents=True)
    asked(course.root / "submitted" / "s1" / "u90")
    (course.root / "submitted" / "s2" / "u90" / regrade.FILE).symlink_to("/etc/passwd")
    assert [student for student, _, _ in handed_in(course)] == ["s1"]


def test_files_zips_and_folders_say_whose_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "stick" / "s1" / "u90"
    folder.mkdir(parents=True)
    content = asked(folder)
    archive = tmp_path / "s2.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(folder / regrade.FILE, "u90/regrade.json")
    assert [who for who, _, _ in brought(tmp_path / "stick")] == ["s1"]
    assert brought(archive)[0][:2] == ("s2", content)
    assert brought(folder / regrade.FILE, "s3")[0][0] == "s3"
    with pytest.raises(UstodError, match="--student"):
        brought(folder / regrade.FILE)
    with pytest.raises(UstodError, match="no file or folder"):
        brought(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UstodError, match=r"no file regrade\.json"):
        brought(tmp_path / "empty")


def test_a_later_request_about_an_exercise_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    asked(tmp_path, "a", "first")
    asked(tmp_path, "b", "other")
    found = json.loads(asked(tmp_path, "a", "second"))["requests"]
    assert [(one["exercise"], one["reason"]) for one in found] == [("b", "other"), ("a", "second")]


@pytest.mark.parametrize("language", ["en", "tg", "ru"])
def test_the_page_shows_what_was_written_as_text(course: Course, tmp_path: Path, language: str) -> None:
    take(course, "s1", asked(tmp_path), "a file")
    page = regrade_page(queue(course), "<b>ml</b>", language)
    assert f'<html lang="{language}">' in page
    assert "Ҷавобам дуруст аст &lt;script&gt;" in page
    assert "<script" not in page and "<b>ml" not in page and "http" not in page.replace("http-equiv", "")


def test_the_commands_from_a_folder_on_a_stick_to_the_answer(course: Course, tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "stick" / "s1"
    folder.mkdir(parents=True)
    asked(folder, reason="[red]look[/red] again")
    at = ("--course", course.root)
    assert run("regrade", "list", *at).stdout.strip() == "Nobody waits for an answer."
    assert "1 new requests" in run("regrade", "collect", folder.parent, *at).stdout
    assert "[red]look[/red] again" in run("regrade", "list", *at).stdout
    page = tmp_path / "queue.html"
    assert run("regrade", "list", *at, "--page", page, "--lang", "ru").returncode == 0
    assert "s1" in page.read_text("utf-8")
    done = run("regrade", "answer", 1, "--words", "yes", "--score", 2.5, *at)
    assert done.returncode == 0, done.stderr
    refused = run("regrade", "answer", 1, "--words", "yes", *at)
    assert refused.returncode == 1 and "answered already" in refused.stderr
    assert "regrade 1" in run("audit", *at, "--student", "s1").stdout

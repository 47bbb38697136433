"""An instructor at work: formgrader on a course in Tajik that `ustod grade` has graded."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from browser.reading import violations
from nbformat.v4 import new_markdown_cell
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from shared import SUMS, Once

from autograder.audit.trail import faults, lines
from autograder.authoring.agreement import submit
from autograder.authoring.build import build_course, release
from autograder.authoring.unit import read_unit
from autograder.gradebook.regrade import answer, take
from autograder.grading.course import Course, open_course
from autograder.grading.engine import grade
from autograder.reports.feedback import write_feedback
from autograder.student.regrade import write_request

pytestmark = pytest.mark.slow

UNIT = SUMS.name
REFERENCE = read_unit(SUMS).lesson.reference
RIGHT, HALF, EMPTY = "Фирӯза Раҳимова", "Далер", "empty"
SCORES = {RIGHT: 6.0, HALF: 3.0, EMPTY: 0.0}
TOTAL_ANSWER, TOTAL, OVER = "sums-total", "sums-total-check", "sums-over-check"
HANDED_IN = "2026-09-01 08:30:00 UTC"

#: Prints what a submission can see of the machine, as one line of JSON.
LOOK = """
import json, os, socket

def tried(what):
    try:
        what()
        return "done"
    except OSError as error:
        return type(error).__name__

print(json.dumps({{
    "pid": os.getpid(),
    "gradebook": tried(lambda: open({gradebook!r}).close()),
    "server": tried(lambda: socket.create_connection(("127.0.0.1", {port}), 5).close()),
    "beside": os.listdir(),
}}))
"""

#: Each changes the title of the page, where it is run.
SCRIPTS = (
    "<script>document.title = 'taken'</script>",
    "<img src='/none' onerror=\"document.title = 'taken'\">",
    "<svg onload=\"document.title = 'taken'\"></svg>",
    "<iframe srcdoc=\"<script>parent.document.title = 'taken'</script>\"></iframe>",
)
SHOW_SCRIPTS = f"""
from IPython.display import HTML, Javascript, Markdown, display

for text in {SCRIPTS!r}:
    display(HTML(text), Markdown(text))
display(Javascript("document.title = 'taken'"))
display({{"image/png": "bm9uZQ=="}}, metadata={{"width": "1 onerror=document.title='taken'"}}, raw=True)
"""


class Formgrader:
    """JupyterLab as an instructor starts it in the folder of a course, and Chromium on its formgrader."""

    def __init__(self, course: Course, browser: WebDriver) -> None:
        self.course, self.browser = course, browser
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.log_level=CRITICAL"),
            *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=secret"),
        ]
        environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(course.root.with_name("config"))}
        self.process = subprocess.Popen(command, cwd=course.root, env=environment, start_new_session=True)
        self.wait(self._answers)
        browser.get(f"{self.url}/formgrader?token=secret")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, found: Callable[[], Any], seconds: float = 60) -> Any:
        """What `found` gives, once it gives something."""
        end = time.monotonic() + seconds
        while not (value := found()):
            assert time.monotonic() < end, "the page took too long"
            time.sleep(0.2)
        return value

    def run(self, script: str, *arguments: object) -> Any:
        """What a script in the page returns, once it returns something."""
        return self.wait(lambda: self.browser.execute_script(script, *arguments))

    def open_list(self) -> None:
        """Show the page of submissions."""
        self.browser.get(f"{self.url}/formgrader/manage_submissions/{UNIT}")

    def rows(self) -> dict[str, list[str]]:
        """The rows of the page of submissions: by student, the time, the status and the score."""
        script = (
            "const rows = $('#main-table tr').get();"
            "return rows.length && rows.every(row => row.querySelector('.label')) && rows.map(row =>"
            "['student-id', 'timestamp', 'status', 'score'].map(name => row.querySelector('.' + name).textContent))"
        )
        return {student: about for student, *about in self.run(script)}

    def press(self, button: str, student: str) -> str:
        """Press a button in the row of `student`, and give what the page then says."""
        row = f"$('#main-table tr').filter((i, row) => $(row).find('.student-id').text() === {json.dumps(student)})"
        self.run(f"return {row}.find('.{button} a').click().length")
        said = self.run("return $('.modal-body:visible').text()")
        return str(said)

    def open_submission(self, student: str) -> None:
        """Show the notebook of `student`, with its score boxes filled."""
        with self.course.gradebook() as gradebook:
            number = gradebook.find_submission_notebook(UNIT, UNIT, student).id
        self.browser.get(f"{self.url}/formgrader/submissions/{number}")
        self.run("return formgrader.loaded && formgrader.grades.loaded && formgrader.comments.loaded")

    def enter(self, box: str, text: str) -> None:
        """Write into a score or comment box, and wait until the server has it."""
        self.browser.execute_script("saved = 0; $(document).on('finished_saving', () => saved++)")
        element = self.browser.find_element(By.ID, box)
        element.clear()
        element.send_keys(text, Keys.ESCAPE)
        self.run("return saved")

    def value(self, box: str) -> str:
        """What stands in a box; the grader's own score is in its background."""
        element = self.browser.find_element(By.ID, box)
        return str(element.get_attribute("value") or element.get_attribute("placeholder"))

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="session")
def graded(once: Once) -> Path:
    """A graded course; only to be copied."""

    def make(folder: Path) -> None:
        build_course([read_unit(SUMS)], "tg", folder)
        hand_in(folder, RIGHT, REFERENCE)
        hand_in(folder, HALF, {"sums.total": REFERENCE["sums.total"]})
        hand_in(folder, EMPTY, {})
        grade(open_course(folder), UNIT)

    return once("курси баҳогузорӣ", make)


@pytest.fixture
def formgrader(graded: Path, browser: WebDriver, tmp_path: Path) -> Iterator[Formgrader]:
    """Formgrader on a course of the test's own."""
    opened = Formgrader(open_course(Path(shutil.copytree(graded, tmp_path / "курси ман"))), browser)
    yield opened
    opened.close()


def hand_in(course: Path, student: str, answers: dict[str, str]) -> Path:
    """Put a submission in `course`, as `ustod collect` does, and give its notebook."""
    submit(UNIT, {student: answers}, course)
    folder = course / "submitted" / student / UNIT
    (folder / "timestamp.txt").write_text(HANDED_IN)
    return folder / f"{UNIT}.ipynb"


def answer_of(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The cell with the answer to the first exercise."""
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == TOTAL_ANSWER)


def test_the_list_shows_what_was_graded(formgrader: Formgrader) -> None:
    formgrader.open_list()
    assert formgrader.rows() == {
        student: ["2026-09-01 08:30:00 UTC", "graded", f"{score:g} / 6"] for student, score in SCORES.items()
    }


def test_a_submission_opens_with_its_outputs_and_scores(formgrader: Formgrader) -> None:
    formgrader.open_submission(HALF)
    assert formgrader.browser.find_element(By.ID, "notebook").text.count(REFERENCE["sums.total"].split("\n")[0]) == 1
    assert (formgrader.value(TOTAL), formgrader.value(OVER)) == ("3", "0")
    states = formgrader.run("return $('[data-state]').get().map(row => row.dataset.state)")
    assert states == ["right"] * 2 + ["not attempted"] * 2
    assert formgrader.run("return document.activeElement.classList.contains('tabbable')")
    assert [entry for entry in formgrader.browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_pages_ask_nothing_of_the_network(formgrader: Formgrader) -> None:
    formgrader.browser.get(f"{formgrader.url}/formgrader/manage_assignments")
    formgrader.open_list()
    formgrader.open_submission(RIGHT)
    messages = [json.loads(entry["message"])["message"] for entry in formgrader.browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    asked = [urlsplit(url) for url in urls if urlsplit(url).scheme in ("http", "https", "ws", "wss")]
    assert {url.hostname for url in asked} == {"127.0.0.1"}


def test_a_manual_grade_and_a_comment_outlive_a_new_grading_and_reach_the_feedback(formgrader: Formgrader) -> None:
    formgrader.open_submission(HALF)
    formgrader.enter(OVER, "2.5")
    formgrader.enter(f"{TOTAL_ANSWER}-comment", "Хеле хуб!")
    assert grade(formgrader.course, UNIT, force=True).problems == {}

    formgrader.open_list()
    assert formgrader.rows()[HALF][2] == "5.5 / 6"
    formgrader.open_submission(HALF)
    assert (formgrader.value(TOTAL), formgrader.value(OVER)) == ("3", "2.5")
    assert formgrader.value(f"{TOTAL_ANSWER}-comment") == "Хеле хуб!"

    assert write_feedback(formgrader.course, UNIT, [HALF]) == ([HALF], [])
    page = formgrader.course.folder("feedback", HALF, UNIT) / f"{UNIT}.html"
    formgrader.browser.get(page.as_uri())
    shown = formgrader.browser.find_element(By.TAG_NAME, "body").text
    assert "Хеле хуб!" in shown and "5.5 / 6" in shown


def test_what_was_graded_meanwhile_is_shown(formgrader: Formgrader) -> None:
    formgrader.open_submission(EMPTY)
    assert formgrader.value(TOTAL) == "0"
    hand_in(formgrader.course.root, EMPTY, REFERENCE)
    assert grade(formgrader.course, UNIT).problems == {}
    formgrader.open_submission(EMPTY)
    assert (formgrader.value(TOTAL), formgrader.value(OVER)) == ("3", "3")


def test_grades_are_entered_while_the_class_is_graded(formgrader: Formgrader) -> None:
    formgrader.open_submission(HALF)
    command = [
        sys.executable,
        "-m",
        "autograder.cli",
        "grade",
        UNIT,
        "--course",
        str(formgrader.course.root),
        "--force",
    ]
    entered = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as grader:
        while grader.poll() is None or not entered:
            entered += 1
            formgrader.enter(OVER, str(entered % 4))
        assert grader.returncode == 0, grader.communicate()[0]
    formgrader.open_list()
    assert formgrader.rows()[HALF][2] == f"{3 + entered % 4} / 6"


def test_the_autograde_button_runs_a_submission_in_the_sandbox(formgrader: Formgrader) -> None:
    look = LOOK.format(gradebook=str(formgrader.course.root / "gradebook.db"), port=formgrader.port)
    hand_in(formgrader.course.root, EMPTY, {**REFERENCE, "sums.total": look + REFERENCE["sums.total"]})
    formgrader.open_list()
    assert "Successfully autograded" in formgrader.press("autograde", EMPTY)
    autograded = formgrader.course.folder("autograded", EMPTY, UNIT) / f"{UNIT}.ipynb"
    assert json.loads(answer_of(nbformat.read(autograded, 4)).outputs[0].text) == {
        "pid": 1,
        "gradebook": "FileNotFoundError",
        "server": "ConnectionRefusedError",
        "beside": ["timestamp.txt", "ustod.json"],
    }
    formgrader.open_list()
    assert formgrader.rows()[EMPTY][1:] == ["graded", "6 / 6"]


def test_what_a_submission_forges_with_the_button_the_grader_takes_back(formgrader: Formgrader) -> None:
    forge = "import autograder.student\nautograder.student.grade = lambda *test: 3"
    hand_in(formgrader.course.root, EMPTY, {"sums.total": forge})
    assert grade(formgrader.course, UNIT).graded == [EMPTY]
    formgrader.open_list()
    assert formgrader.rows()[EMPTY][2] == "0 / 6"
    formgrader.press("autograde", EMPTY)
    formgrader.open_list()
    assert formgrader.rows()[EMPTY][2] == "6 / 6"
    assert grade(formgrader.course, UNIT).graded == [EMPTY]
    formgrader.open_list()
    assert formgrader.rows()[EMPTY][2] == "0 / 6"


def test_the_feedback_button_hides_hidden_tests_and_asks_nothing_of_the_network(formgrader: Formgrader) -> None:
    formgrader.open_list()
    assert "Successfully generated feedback" in formgrader.press("generate-feedback", HALF)
    page = formgrader.course.folder("feedback", HALF, UNIT) / f"{UNIT}.html"
    text = page.read_text()
    assert "3 / 6" in text or "3.0 / 6.0" in text
    assert "HIDDEN TESTS" not in text and "sum_of_nothing_is_zero" not in text
    assert not re.search(r"(src|href)=\"(https?:)?//", text)


def test_nothing_that_a_submission_holds_runs_in_the_page(formgrader: Formgrader) -> None:
    path = hand_in(formgrader.course.root, EMPTY, {"sums.total": SHOW_SCRIPTS})
    notebook = nbformat.read(path, 4)
    notebook.cells += [new_markdown_cell(text) for text in (*SCRIPTS, "[here](javascript:document.title='taken')")]
    nbformat.write(notebook, path)
    assert grade(formgrader.course, UNIT, [EMPTY]).problems == {}
    shown = nbformat.read(formgrader.course.folder("autograded", EMPTY, UNIT) / f"{UNIT}.ipynb", 4)
    assert sum("text/html" in output.get("data", {}) for output in answer_of(shown).outputs) == len(SCRIPTS)
    formgrader.open_submission(EMPTY)
    assert "onerror" in formgrader.browser.find_element(By.ID, "notebook").text
    formgrader.browser.execute_script("for (const link of $('#notebook a').get()) link.click()")
    time.sleep(1)
    assert formgrader.browser.title == UNIT


def test_a_grade_entered_here_is_in_the_log(formgrader: Formgrader) -> None:
    formgrader.open_submission(HALF)
    formgrader.enter(OVER, "2.5")
    formgrader.enter(OVER, "1")
    with formgrader.course.gradebook() as gradebook:
        connection = gradebook.db().connection()
        log = list(lines(connection, student=HALF))
        assert faults(connection) == []
    told = [(change.score.kind, change.before, change.after) for line in log[-3:] for change in line.changes]
    assert told == [("manual", None, 2.5), ("manual", 2.5, None), ("manual", None, 1.0)], "a box is cleared in between"
    assert {(line.why, line.who) for line in log[-3:]} == {("formgrader", getpass.getuser())}


def test_the_answer_to_a_request_is_in_the_next_feedback(formgrader: Formgrader, tmp_path: Path) -> None:
    course = formgrader.course
    asked = write_request(tmp_path, UNIT, "sums.over", "Ба ҳадди худ нигоҳ кунед.", "tg").read_bytes()
    assert take(course, HALF, asked, "a file") == 1
    answer(course, 1, "Шумо ҳақ ҳастед.", 2)
    assert write_feedback(course, UNIT, [HALF]) == ([HALF], [])
    formgrader.browser.get((course.folder("feedback", HALF, UNIT) / f"{UNIT}.html").as_uri())
    shown = formgrader.browser.find_element(By.TAG_NAME, "body").text
    assert "Ба ҳадди худ нигоҳ кунед." in shown and "Шумо ҳақ ҳастед." in shown
    assert re.search(r"\b5(\.0)? / 6", shown)


RUBRIC = """
language = "tg"
[cells.essay]
comments = ["Далел кам аст."]
[[cells.essay.criteria]]
name = "Далел"
levels = [{points = 0, text = "нест"}, {points = 3, text = "ҳаст"}]
[[cells.essay.criteria]]
name = "Забон"
levels = [{points = 0.5, text = "хато дорад"}, {points = 2, text = "равон"}]
"""


@pytest.fixture
def course_with_an_essay(tmp_path: Path) -> Course:
    """A graded course with an answer in words that waits for somebody to grade it."""
    build_course([read_unit(SUMS)], "tg", tmp_path / "курси иншо")
    course = open_course(tmp_path / "курси иншо")
    about = {"grade_id": "essay", "grade": True, "solution": True, "task": False, "locked": False, "schema_version": 3}
    essay = new_markdown_cell("Чаро?", metadata={"nbgrader": {**about, "points": 5, "cell_type": "markdown"}})
    source = course.folder("source", ".", UNIT) / f"{UNIT}.ipynb"
    notebook = nbformat.read(source, 4)
    notebook.cells.append(essay)
    nbformat.write(notebook, source)
    release(course.root, UNIT)
    path = hand_in(course.root, RIGHT, REFERENCE)
    notebook = nbformat.read(path, 4)
    (answer,) = (cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "essay")
    answer.source = "Зеро чунин аст."
    nbformat.write(notebook, path)
    assert grade(course, UNIT, [RIGHT]).problems == {}
    return course


def test_a_rubric_makes_the_score_and_the_comment(
    course_with_an_essay: Course, browser: WebDriver, tmp_path: Path
) -> None:
    course = course_with_an_essay
    (course.root / "rubrics").mkdir()
    (course.root / "rubrics" / f"{UNIT}.toml").write_text(RUBRIC, "utf-8")
    opened = Formgrader(course, browser)
    try:
        opened.open_submission(RIGHT)
        assert opened.run("return $('.ustod-rubric').length") == 1
        browser.execute_script("saved = 0; $(document).on('finished_saving', () => saved++)")
        press = "const all = $('.ustod-rubric button').filter((i, b) => b.textContent.includes(arguments[0]));"
        for text in ("равон", "Далел кам", "ҳаст"):
            browser.execute_script(f"{press} all[0].click()", text)
        opened.wait(lambda: browser.execute_script("return saved >= 2"))
        assert opened.value("essay") == "5"
        assert violations(browser, ".ustod-rubric") == []
        browser.execute_script("$('.ustod-rubric')[0].scrollIntoView({block: 'center'})")
        browser.save_screenshot(str(tmp_path / "rubric.png"))
        severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert severe == []
    finally:
        opened.close()
    with course.gradebook() as gradebook:
        assert gradebook.find_grade("essay", UNIT, UNIT, RIGHT).manual_score == 5
        assert gradebook.find_comment("essay", UNIT, UNIT, RIGHT).comment == "Далел кам аст."

"""A lab in three real browsers at once: an instructor, a student in Tajik, and one in Russian with a telephone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hub.browsing import Person
from hub.whole_lab import ASSIGNMENT, COURSE, INSTRUCTOR, PASSWORD, RIGHT, WRONG, WholeLab, logs, ustod
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.slow

KERNEL = "Ustod (torch ready)"
FIRST_LOAD = 2_000_000
FORMGRADER = f"services/{COURSE}/formgrader"
TAJIK, RUSSIAN = "Тоҷикӣ", "Русский"
CHOOSE = {TAJIK: "Парол интихоб кунед", RUSSIAN: "Придумайте пароль"}
#: Of JupyterLab's own complaints: it asks a kernel for its debugger while another kernel is being chosen.
FOREIGN = ("Could not restore the debugger state",)
#: JupyterLab has no Tajik.
MENU = {TAJIK: "File", RUSSIAN: "Файл"}
PHONE = 390


class Classroom:
    """The lab and three people in it."""

    def __init__(self, folder: Path) -> None:
        # Only so that a test can scroll to a cell by name; a student does it with the wheel.
        settings = Path("/etc/jupyter/jupyter_server_config.json")
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
        self.lab = WholeLab(3)
        address = self.lab.lab.address
        widths = {INSTRUCTOR: 1280, self.lab.ids[0]: 1280, self.lab.ids[1]: PHONE}
        self.people = [Person(address, name, folder / name, width) for name, width in widths.items()]
        self.instructor, self.tajik, self.russian = self.people
        self.students = [self.tajik, self.russian]
        self.languages = {self.instructor: TAJIK, self.tajik: TAJIK, self.russian: RUSSIAN}
        self.loads: dict[str, list[int]] = {}

    def close(self) -> None:
        for person in self.people:
            person.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classroom]:
    room = Classroom(tmp_path_factory.mktemp("browsers"))
    yield room
    print(logs())
    room.close()
    ustod("down")


def at_once(people: list[Person], act: Callable[[Person], None]) -> None:
    """Let all of `people` do the same at once."""
    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(act, people))


def test_everybody_logs_in_with_the_code_on_the_slip_chooses_a_password_and_finds_jupyterlab(room: Classroom) -> None:
    def arrive(person: Person) -> None:
        person.log_in(room.lab.codes[person.name], room.languages[person])
        person.find("#new")
        assert person.overflow() == 0
        assert person.find("h1").text == CHOOSE[room.languages[person]]

        def first() -> None:
            person.choose_password(PASSWORD)
            person.wait_for_lab()

        room.loads[person.name] = [person.bytes_of(first)]
        assert person.find(".lm-MenuBar-itemLabel").text == MENU[room.languages[person]]
        person.picture("3-jupyterlab")

    at_once(room.people, arrive)


def test_the_first_load_is_small_and_the_second_hardly_anything(room: Classroom) -> None:
    def again(person: Person) -> None:
        def second() -> None:
            person.browser.refresh()
            person.wait_for_lab()

        room.loads[person.name].append(person.bytes_of(second))

    at_once(room.people, again)
    if folder := os.environ.get("USTOD_PICTURES"):
        Path(folder, "loads.json").write_text(json.dumps(room.loads))
    for first, second in room.loads.values():
        assert 500_000 < first < FIRST_LOAD and second < first / 10, room.loads


def test_the_instructor_finds_formgrader_from_the_home_page_and_releases(room: Classroom) -> None:
    seat = room.lab.instructor
    seat.log_in(PASSWORD)
    room.lab.release()
    person = room.instructor
    person.go("hub/home")
    person.picture("4-home")
    person.find(f"a[href*='/services/{COURSE}/']").click()
    person.wait(lambda: f"/services/{COURSE}/" in person.browser.current_url, "the course")
    person.go(f"{FORMGRADER}/manage_assignments")
    assert person.find("#main-table td.name", ASSIGNMENT)
    assert person.find("#main-table .status", "released")
    person.picture("5-formgrader")


def test_formgrader_is_not_for_students(room: Classroom) -> None:
    student = room.russian
    student.listen()
    before = len(student.events)
    student.go(FORMGRADER)
    student.listen()
    answers = [
        event["params"]["response"]["status"]
        for event in student.events[before:]
        if event["method"] == "Network.responseReceived" and event["params"]["type"] == "Document"
    ]
    assert answers[-1] == 403
    assert student.find("h1").text == "Эта страница не для вас"
    assert student.overflow() == 0
    student.picture("4-forbidden")
    student.console.clear()  # the browser notes the refusal
    student.go("hub/home")
    assert not student.browser.find_elements(By.CSS_SELECTOR, f"a[href*='/services/{COURSE}/']")
    assert student.overflow() == 0
    student.picture("4-home")
    student.find("#start").click()
    student.wait_for_lab()


def test_students_fetch_solve_and_submit(room: Classroom) -> None:
    def work(student: Person) -> None:
        if student.width == PHONE:
            student.put_files_away()
        student.open_assignments()
        student.find("#released_assignments_list", ASSIGNMENT)
        student.picture("6-released")
        student.press("released", "Fetch")
        notebook = student.open_notebook(ASSIGNMENT)
        student.choose_kernel(KERNEL)
        notebook.type_into("double", RIGHT if student is room.tajik else WRONG)
        notebook.run("double")
        notebook.run("double-tests")
        assert notebook.errors() == []
        student.keys(Keys.CONTROL, "s")
        student.wait(lambda: not student.browser.execute_script(DIRTY), "the notebook to be saved")
        student.picture("7-solved")
        student.open_assignments()
        student.press("fetched", "Submit")
        student.find("#submitted_assignments_list", ASSIGNMENT)
        student.picture("8-submitted")

    at_once(room.students, work)


DIRTY = "return window.jupyterapp.shell.currentWidget.context.model.dirty"


def test_the_instructor_collects_grades_and_releases_the_feedback(room: Classroom) -> None:
    person = room.instructor

    def press(button: str) -> None:
        person.go(f"{FORMGRADER}/manage_assignments")
        person.find(f"#main-table .{button} a").click()
        person.find(".modal-body", "uccess", 120)
        person.picture(f"9-{button}")

    press("collect")
    server = f"services/{COURSE}/"
    seat = room.lab.instructor
    kernel = seat.start_kernel("python3", server)
    said = seat.run(kernel, f"!ustod grade {ASSIGNMENT} --course .", server, 900)
    person.go(f"{FORMGRADER}/manage_submissions/{ASSIGNMENT}")
    rows = {row: person.find("#main-table tr", row).text for row in (room.tajik.name, room.russian.name)}
    assert "4 / 4" in rows[room.tajik.name] and "0 / 4" in rows[room.russian.name], said
    person.picture("9-submissions")
    press("generate-feedback")
    press("release-feedback")


def test_students_read_their_feedback(room: Classroom) -> None:
    def read(student: Person) -> None:
        student.browser.refresh()
        student.wait_for_lab()
        student.open_assignments()
        student.press("submitted", "Fetch Feedback")
        student.find("#submitted_assignments_list a", "view feedback").click()
        page = student.find(".jp-DirListing-item", f"{ASSIGNMENT}.html")
        student.picture("10-feedback-file")
        student.open(page)
        frame = student.find(".jp-HTMLViewer iframe, iframe.jp-IFrame, .jp-IFrame iframe")
        student.browser.switch_to.frame(frame)
        student.wait(lambda: "4" in student.shown(), "the feedback")
        shown = student.shown()
        student.browser.switch_to.default_content()
        if student.width == PHONE:
            student.put_files_away()
        student.picture("11-feedback")
        assert ("4 / 4" if student is room.tajik else "0 / 4") in shown.replace(".0", "")
        assert "[6, 8]" not in shown

    at_once(room.students, read)


def test_no_browser_asked_anything_of_another_host(room: Classroom) -> None:
    assert {person.name: person.hosts() for person in room.people} == {
        person.name: {"lab.local"} for person in room.people
    }


def test_no_page_complained(room: Classroom) -> None:
    for person in room.people:
        person.listen()
    ours = {
        person.name: [said for said in person.console if not any(known in said for known in FOREIGN)]
        for person in room.people
    }
    assert ours == {person.name: [] for person in room.people}

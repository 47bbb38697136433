"""A lab from the first login to the feedback, over HTTP, with thirty students who all do the same at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub.seats import Refused, Seat, together
from hub.whole_lab import ASSIGNMENT, COURSE, INSTRUCTOR, PASSWORD, RIGHT, WRONG, WholeLab, logs, ustod
from shared import wait_for

pytestmark = pytest.mark.slow

COUNT = 30


@pytest.fixture(scope="module")
def lab() -> Iterator[WholeLab]:
    whole = WholeLab(COUNT)
    yield whole
    print(logs())
    ustod("down")


def test_everybody_logs_in_with_the_code_on_the_slip_and_chooses_a_password(lab: WholeLab) -> None:
    together([lab.instructor, *lab.seats], lab.first_login)
    again = lab.seat(lab.ids[0])
    again.log_in(PASSWORD)


def test_the_instructor_releases_an_assignment_with_formgrader(lab: WholeLab) -> None:
    lab.release()
    shown = lab.instructor.ask("GET", f"services/{COURSE}/formgrader/manage_assignments")
    assert "formgrader" in shown.text


def test_formgrader_is_not_for_students(lab: WholeLab) -> None:
    with pytest.raises(Refused) as refused:
        lab.seats[0].ask("GET", f"services/{COURSE}/formgrader/manage_assignments")
    assert refused.value.status == 403


def test_thirty_servers_start_at_once(lab: WholeLab) -> None:
    together(lab.seats, Seat.start_server)


def test_students_fetch_solve_and_submit(lab: WholeLab) -> None:
    def work(seat: Seat) -> None:
        listed = seat.assignments(COURSE)
        assert [one["assignment_id"] for one in listed] == [ASSIGNMENT] and listed[0]["status"] == "released"
        seat.do("fetch", COURSE, ASSIGNMENT)
        path = f"{COURSE}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
        notebook = seat.read(path)
        assert "HIDDEN" not in str(notebook) and "[6, 8]" not in str(notebook)
        notebook["cells"][0]["source"] = RIGHT if lab.ids.index(seat.name) % 2 == 0 else WRONG
        seat.save(path, notebook)
        kernel = seat.start_kernel("ustod-ready")
        assert seat.run(kernel, "import sys, os; print('torch' in sys.modules, os.getuid() >= 1000)") == "True True\n"
        seat.do("submit", COURSE, ASSIGNMENT)
        submitted = [one for one in seat.assignments(COURSE) if one["status"] == "submitted"]
        assert len(submitted) == 1

    together(lab.seats, work)


def test_the_instructor_collects_and_grades(lab: WholeLab) -> None:
    lab.formgrader("collect")
    server = f"services/{COURSE}/"
    kernel = lab.instructor.start_kernel("python3", server)
    said = lab.instructor.run(kernel, f"!ustod grade {ASSIGNMENT} --course .", server, 900)
    scores = lab.instructor.ask("GET", f"{server}formgrader/api/submissions/{ASSIGNMENT}").json()
    by_student = {one["student"]: one["score"] for one in scores}
    expected = {person: 4.0 if number % 2 == 0 else 0.0 for number, person in enumerate(lab.ids)}
    assert by_student == expected, said
    names = {one["student"]: f"{one['last_name']} {one['first_name']}" for one in scores}
    assert names[lab.ids[0]] == "Раҳимова Фирӯза"


def test_everybody_reads_their_feedback(lab: WholeLab) -> None:
    lab.formgrader("generate_feedback")
    lab.formgrader("release_feedback")

    def read(seat: Seat) -> None:
        seat.do("fetch_feedback", COURSE, ASSIGNMENT)
        (mine,) = [one for one in seat.assignments(COURSE) if one["status"] == "submitted"]
        (submission,) = mine["submissions"]
        folder = submission["local_feedback_path"]
        page = seat.read(f"{folder}/{ASSIGNMENT}.html")
        assert f'content="{4 if lab.ids.index(seat.name) % 2 == 0 else 0} 4"' in page  # in every language
        assert "[6, 8]" not in page

    together(lab.seats, read)


def test_a_course_and_its_students_are_added_while_people_work(lab: WholeLab, tmp_path: Path) -> None:
    seat = lab.seats[1]
    kernel = seat.start_kernel("ustod-ready")
    assert seat.run(kernel, "kept = 41") == ""
    ustod("add-course", "nlp", "--instructor", INSTRUCTOR, "--title", "Забон", "--lang", "tg")
    roster = tmp_path / "nlp.csv"
    roster.write_text(f"id,name\n{seat.name},Ғафуров Далер\nnew1,Нави Нав\n", "utf-8")
    said = ustod("add-students", "nlp", roster)
    assert "1 people" in said and "nlp: 2 students are new" in said
    assert seat.run(kernel, "print(kept + 1)") == "42\n"
    wait_for(lambda: lab.instructor.ask("GET", "services/nlp/formgrader/").status_code == 200)
    assert seat.assignments("nlp") == []
    with pytest.raises(Refused):
        lab.seats[2].ask("GET", "services/nlp/formgrader/")


def test_status_counts_who_is_on(lab: WholeLab) -> None:
    assert f"{COUNT} " in ustod("status")

"""The server of a course, and what an instructor is shown there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hub.island_attacks.scene import CLOSED, MALLORY, Scene, grade, hand_in
from hub.seats import Refused
from hub.whole_lab import ASSIGNMENT, COURSE, INSTRUCTOR, WRONG, ustod

from autograder.hub import state

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "formgrader/"),
        ("GET", "formgrader/manage_assignments"),
        ("GET", "formgrader/gradebook"),
        ("GET", f"formgrader/gradebook/{ASSIGNMENT}"),
        ("GET", "formgrader/manage_students"),
        ("GET", "formgrader/api/students"),
        ("GET", "formgrader/api/assignments"),
        ("GET", f"formgrader/api/submissions/{ASSIGNMENT}"),
        ("GET", "formgrader/api/grades"),
        ("PUT", f"formgrader/api/student/{MALLORY}"),
        ("POST", f"formgrader/api/assignment/{ASSIGNMENT}/collect"),
        ("POST", f"formgrader/api/assignment/{ASSIGNMENT}/unrelease"),
        ("POST", "formgrader/api/assignment/exam/release"),
        ("POST", f"formgrader/api/submission/{ASSIGNMENT}/{MALLORY}/autograde"),
        ("GET", "lab"),
        ("GET", "api/contents/gradebook.db"),
        ("GET", "files/gradebook.db"),
        ("POST", "api/kernels"),
        ("POST", "api/terminals"),
    ],
)
@pytest.mark.parametrize("course", [COURSE, "nlp"])
def test_a_courses_server_is_for_its_instructors(scene: Scene, course: str, method: str, path: str) -> None:
    seats = [scene.me] if course == COURSE else [scene.me, scene.whole.instructor]
    for seat in seats:
        with pytest.raises(Refused) as refused:
            seat.ask(method, f"services/{course}/{path}", **({} if method == "GET" else {"json": {"score": 4}}))
        assert refused.value.status in CLOSED
    url = f"http://127.0.0.1:{state.course_port(scene.whole.lab, course)}/services/{course}/{path}"
    status, _, _ = scene.mallory.gets(f"ask({method!r}, {url!r}, X_Forwarded_User={INSTRUCTOR!r})")
    assert status in (*CLOSED, 302)


MARKDOWN = "<script>alert(4712)</script><img src=x onerror=alert(4713)> [x](javascript:alert(4714)) 4715"
HTML = "<script>alert(4722)</script><svg onload=alert(4723)></svg> 4725"
RUNS = re.compile(r"<[a-z][^<>]*alert\(47|<script>alert\(47")


def test_a_script_in_a_submission_does_not_run_where_an_instructor_reads_it(scene: Scene, tmp_path: Path) -> None:
    """Nor one in a name: the page is of the instructor's own origin, where a script could give marks."""
    shows = f"from IPython.display import HTML, display\ndisplay(HTML({HTML!r}))"
    more: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": MARKDOWN},
        {"cell_type": "code", "metadata": {}, "source": shows, "outputs": [], "execution_count": None},
    ]
    assert RUNS.search(MARKDOWN) and RUNS.search(HTML), "both are such scripts"
    hand_in(scene.me, f"{WRONG}\n# 4735 </pre><script>alert(4732)</script>", *more)
    roster = tmp_path / "named.csv"
    roster.write_text(f"id;name\n{MALLORY};</title><script>alert(4742)</script> 4745\n", "utf-8")
    ustod("add-students", COURSE, roster)
    grade(scene.whole)
    teacher, formgrader = scene.whole.instructor, f"services/{COURSE}/formgrader"
    listed = teacher.ask("GET", f"{formgrader}/api/submitted_notebooks/{ASSIGNMENT}/{ASSIGNMENT}").json()
    (one,) = [entry["id"] for entry in listed if entry["student"] == MALLORY]
    page = teacher.ask("GET", f"{formgrader}/submissions/{one}/").text
    assert all(mark in page for mark in ("4715", "4725", "4735", "4745")), "all of it is shown"
    assert [page[found.start() - 100 : found.end() + 50] for found in RUNS.finditer(page)] == []

"""Requests for a regrade travel through the exchange, in their student's own name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from gradebook.books import ANSWER, hand_in, make_course
from hub.exchange.campus import Exchange, bundle

from autograder.gradebook.regrade import queue
from autograder.student.regrade import write_request

PS1 = ("courses", "ml", "assignments", "ps1")


@pytest.fixture
def released(exchange: Exchange) -> Exchange:
    """With ps1 released in the course ml, and work of s1."""
    assert exchange.ask("ml", "PUT", PS1, bundle(ps1_ipynb="{}")).status == 200
    assert exchange.ask("s1", "POST", (*PS1, "submissions"), bundle(ps1_ipynb="mine")).status == 201
    return exchange


def ustod(exchange: Exchange, who: str, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autograder.cli", *map(str, arguments)]
    return subprocess.run(command, env=exchange.environment(who, home), capture_output=True, text=True, cwd=home)


def test_a_request_goes_from_a_students_folder_to_the_queue_of_the_course(released: Exchange, tmp_path: Path) -> None:
    path = write_request(tmp_path, "ps1", ANSWER, "Ҷавобам дуруст аст.", "tg")
    sent = ustod(released, "s1", tmp_path, "regrade", "send", path)
    assert sent.returncode == 0, sent.stderr
    assert "Sent: ml ps1" in sent.stdout
    course = make_course(tmp_path / "course", ("ps1",))
    hand_in(course, "s1", "ps1", auto=1, manual=1)
    for new in (1, 0):
        taken = ustod(released, "ml", tmp_path, "regrade", "fetch", "--course", course.root)
        assert taken.returncode == 0, taken.stderr
        assert f"{new} new requests" in taken.stdout
    (one,) = queue(course)
    assert (one.student, one.exercise, one.reason) == ("s1", ANSWER, "Ҷавобам дуруст аст.")


def test_only_who_has_handed_in_can_ask_and_only_who_teaches_can_read(released: Exchange, tmp_path: Path) -> None:
    asked = (*PS1, "requests")
    assert released.ask("s1", "POST", asked, bundle(regrade_json="{}")).status == 201
    assert released.ask("s2", "POST", asked, bundle(regrade_json="{}")).status == 404
    assert released.ask("b1", "POST", asked, bundle(regrade_json="{}")).status == 403
    assert released.ask("ml", "POST", asked, bundle(regrade_json="{}")).status == 403
    assert released.ask("s1", "POST", asked, bundle(regrade_json="x" * (300 << 10))).status in (400, 413)
    found = released.ask("ml", "GET", ("courses", "ml", "requests")).json["requests"]
    assert [one["student"] for one in found] == ["s1"]
    for who, status in (("s1", 200), ("s2", 403), ("b1", 403), ("teacher", 200), (None, 401)):
        answer = released.ask(who, "GET", (*asked, "s1", found[0]["submission"]))
        assert answer.status == status or (who is None and answer.status in (401, 403)), (who, answer)
    assert released.ask("s1", "GET", ("courses", "ml", "requests")).status == 403
    inbox = released.ask("ml", "GET", ("courses", "ml", "submissions")).json["submissions"]
    assert len(inbox) == 1, "a request is no submission"


def test_what_is_no_request_is_told(released: Exchange, tmp_path: Path) -> None:
    path = tmp_path / "regrade.json"
    path.write_text("[]")
    done = ustod(released, "s1", tmp_path, "regrade", "send", path)
    assert done.returncode == 1 and "cannot be read as requests" in done.stderr

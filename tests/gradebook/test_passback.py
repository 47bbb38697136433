"""Grades reach an LMS through the services of LTI 1.3, and nothing else does."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from gradebook.books import hand_in, make_course
from gradebook.conftest import Run
from gradebook.lms import Lms, start

from autograder.errors import UstodError
from autograder.gradebook.lti import Platform, own_key, read_settings
from autograder.gradebook.passback import learn_members, send_grades
from autograder.gradebook.standing import standings
from autograder.grading.course import Course


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = make_course(tmp_path / "курс")
    hand_in(course, "s1", auto=3, manual=4, penalty=0.5, person={"lms_user_id": "u1"})
    hand_in(course, "s2", auto=2, person={"lms_user_id": "u2"})
    hand_in(course, "s3", auto=0, manual=0, person={"lms_user_id": "u3"})
    hand_in(course, "guest", auto=1, manual=1)
    with course.gradebook() as book:
        book.add_student("silent", lms_user_id="u9")
    return course


@pytest.fixture
def lms(course: Course) -> Iterator[Lms]:
    lms = Lms(own_key(course.root).public)
    server = start(lms)
    write(course, lms.settings)
    yield lms
    server.shutdown()
    server.server_close()


def write(course: Course, settings: dict[str, str]) -> None:
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (course.root / "lti.toml").write_text(text)


def platform(course: Course) -> Platform:
    return Platform(read_settings(course.root), own_key(course.root))


def test_a_grade_a_zero_and_a_grade_that_waits_are_sent_as_what_they_are(course: Course, lms: Lms) -> None:
    done = send_grades(course, platform(course), "u90")
    assert (done.sent, done.strangers, done.problems) == (["s1", "s2", "s3"], ["guest"], [])
    found = {score["userId"]: score for _, score in lms.scores}
    assert found["u1"] | {"timestamp": ""} == {
        "userId": "u1",
        "timestamp": "",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 6.5,
        "scoreMaximum": 8.0,
    }
    assert found["u3"]["scoreGiven"] == 0
    assert found["u2"]["gradingProgress"] == "PendingManual" and "scoreGiven" not in found["u2"]
    assert found.keys() == {"u1", "u2", "u3"}, "nobody who has handed nothing in"
    (item,) = lms.items
    assert (item["label"], item["resourceId"], item["scoreMaximum"]) == ("u90", "u90", 8.0)
    assert lms.logins == 1


def test_only_what_has_changed_is_sent_again_and_to_the_same_column(course: Course, lms: Lms) -> None:
    lms.items += [{"id": f"{lms.address}/items/x{number}", "resourceId": f"other {number}"} for number in range(3)]
    send_grades(course, platform(course), "u90")
    hand_in(course, "s3", auto=1, manual=0)
    done = send_grades(course, platform(course), "u90")
    assert (done.sent, done.unchanged) == (["s3"], ["s1", "s2"])
    assert len(lms.items) == 4 and len(lms.scores) == 4
    assert len(send_grades(course, platform(course), "u90", force=True).sent) == 3


def test_one_whom_the_lms_does_not_know_does_not_stop_the_others(course: Course, lms: Lms) -> None:
    lms.users.discard("u1")
    done = send_grades(course, platform(course), "u90")
    assert done.sent == ["s2", "s3"]
    assert len(done.problems) == 1 and done.problems[0].startswith("s1: The LMS answers 404")
    lms.users.add("u1")
    assert send_grades(course, platform(course), "u90").sent == ["s1"]


def test_a_link_that_breaks_in_between_costs_nothing(course: Course, lms: Lms) -> None:
    def cut(done: int, total: int) -> None:
        if lms.scores:
            lms.fail["/items/0/lineitem/scores"] = (403, b"")

    with pytest.raises(UstodError, match="403"):
        send_grades(course, platform(course), "u90", progress=cut)
    lms.fail.clear()
    done = send_grades(course, platform(course), "u90")
    assert (done.unchanged, done.sent) == (["s1"], ["s2", "s3"])


def test_a_token_that_the_lms_forgot_is_asked_for_anew(course: Course, lms: Lms) -> None:
    one = platform(course)
    send_grades(course, one, "u90")
    lms.tokens.clear()
    assert len(send_grades(course, one, "u90", force=True).sent) == 3
    assert lms.logins == 2


def test_who_is_who_is_learnt_by_id_or_by_an_address_of_one_alone(course: Course, lms: Lms) -> None:
    with course.gradebook() as book:
        for student in book.students:
            student.lms_user_id = None
        book.update_or_create_student("guest", email="G@example.org")
        book.update_or_create_student("s2", email="both@example.org")
    lms.members = [
        {"user_id": "m1", "lis_person_sourcedid": "s1"},
        {"user_id": "m2", "email": "g@example.org"},
        {"user_id": "m3", "email": "both@example.org"},
        {"user_id": "m4", "email": "both@example.org"},
        {"email": "nobody@example.org"},
    ]
    known, unknown = learn_members(course, platform(course))
    assert (known, sorted(unknown)) == (2, ["s2", "s3", "silent"])
    found = {one.id: one.lms_user_id for one in standings(course).people}
    assert (found["s1"], found["guest"]) == ("m1", "m2")


class TestWhatGoesWrong:
    def test_another_key_is_refused(self, course: Course, lms: Lms) -> None:
        (course.root / ".ustod" / "lti-key.pem").unlink()
        with pytest.raises(UstodError, match=r"The LMS answers 400 .*/token: .*invalid_client"):
            send_grades(course, platform(course), "u90")

    @pytest.mark.parametrize("answer", [b"<html>", b'"text"', b"{}", b'{"access_token": 5}'])
    def test_a_token_that_is_none(self, course: Course, lms: Lms, answer: bytes) -> None:
        lms.fail["/token"] = (200, answer)
        with pytest.raises(UstodError, match=r"no JSON|gives no token"):
            send_grades(course, platform(course), "u90")

    @pytest.mark.parametrize("answer", [b"{}", b"null", b"5"])
    def test_a_list_that_is_none(self, course: Course, lms: Lms, answer: bytes) -> None:
        lms.fail["/items"] = (200, answer)
        with pytest.raises(UstodError, match="no list"):
            send_grades(course, platform(course), "u90")

    def test_our_token_goes_nowhere_else(self, course: Course, lms: Lms) -> None:
        with socket.socket() as elsewhere:
            elsewhere.bind(("127.0.0.1", 0))
            elsewhere.listen()
            address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
            lms.items.append({"id": f"{address}/items/1", "resourceId": "u90"})
            with pytest.raises(UstodError, match="is not its own address; nothing was sent there"):
                send_grades(course, platform(course), "u90")
            lms.redirect = address
            with pytest.raises(UstodError, match="The LMS answers 302"):
                send_grades(course, platform(course), "u90")
            elsewhere.settimeout(0.2)
            with pytest.raises(TimeoutError):
                elsewhere.accept()

    def test_no_link(self, course: Course, lms: Lms) -> None:
        write(course, {name: url.replace(lms.address, "http://127.0.0.1:9") for name, url in lms.settings.items()})
        with pytest.raises(UstodError, match=r"cannot be reached at .*try again when there is a link"):
            send_grades(course, platform(course), "u90")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (None, "There is no .*lti.toml"),
            ("x", "cannot be read"),
            ('client_id = "a"', "wrong at token_url"),
            (
                'client_id = "a"\ntoken_url = "http://lms.example.org/t"\nline_items = "https://x/y"',
                "begins with https:// only",
            ),
        ],
    )
    def test_settings_that_do_not_say_enough(self, course: Course, text: str | None, said: str) -> None:
        if text is not None:
            (course.root / "lti.toml").write_text(text)
        with pytest.raises(UstodError, match=said):
            read_settings(course.root)


def test_the_key_is_private_kept_and_shown_in_two_ways(course: Course, run: Run) -> None:
    pem = run("lti", "key", "--course", course.root).stdout
    jwks = json.loads(run("lti", "key", "--jwks", "--course", course.root).stdout)
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
    signed = jwt.encode({"a": 1}, own_key(course.root).private, "RS256")
    for public in (pem, jwt.PyJWK(jwks["keys"][0])):
        assert jwt.decode(signed, public, ["RS256"]) == {"a": 1}
    assert os.stat(course.root / ".ustod" / "lti-key.pem").st_mode & 0o777 == 0o600


def test_the_command_says_who_could_not_be_sent(course: Course, lms: Lms, run: Run) -> None:
    done = run("lti", "send", "u90", "--course", course.root)
    assert "3 sent, 0 unchanged" in done.stdout
    assert done.returncode == 1 and "no lms_user_id; run ustod lti members: guest" in done.stderr

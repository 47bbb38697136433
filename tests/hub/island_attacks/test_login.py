"""Logging in as somebody else."""

from __future__ import annotations

import re
import time

import pytest
import requests
from hub.island_attacks.scene import ABSENT, BYSTANDER, COURSE, NEVER_CAME, VICTIM, Scene, guess
from hub.seats import Refused
from hub.whole_lab import PASSWORD

from autograder.hub import state

pytestmark = pytest.mark.slow

#: What is told to somebody whose attempt was looked at, in English.
WRONG = "The login or the password is wrong"


def test_who_guesses_waits_whatever_address_they_claim_and_nobody_else_does(scene: Scene) -> None:
    thief = scene.fresh(BYSTANDER, "127.0.0.66")
    got = []
    for number in range(20):
        forged = {"X-Forwarded-For": f"10.1.1.{number}", "Forwarded": f"for=10.1.1.{number}", "Accept-Language": "en"}
        answer = guess(thief, f"guess-{number}", **forged)
        assert answer.status_code == 429 or WRONG in answer.text, "each guess is looked at"
        got.append(answer.status_code)
        if answer.status_code == 429:
            break
    assert len(got) > 5 and got[-1] == 429, got
    assert guess(thief, PASSWORD).status_code == 429, "while they wait, not even the right one is taken"
    scene.fresh(BYSTANDER, "127.0.0.77").log_in(PASSWORD)
    scene.fresh(VICTIM, "127.0.0.66").log_in(PASSWORD)


def test_who_guesses_past_the_proxy_is_known_by_their_account(scene: Scene) -> None:
    base = state.url(scene.whole.lab, state.HUB)
    got = scene.mallory.gets(f"[guess_at({base!r}, {ABSENT!r}, number) for number in range(12)]")
    assert all(WRONG in page for status, page in got[:5]), "each guess is looked at"
    assert 429 in [status for status, _ in got[5:]]
    scene.whole.first_login(scene.fresh(ABSENT, "127.0.0.78"))


NO_IDS = [f"{VICTIM}' OR '1'='1", f'{VICTIM}" --', "\u202es2", "x" * 100000]


@pytest.mark.parametrize("person", NO_IDS, ids=range(len(NO_IDS)))
def test_what_is_no_id_is_nobody(scene: Scene, person: str) -> None:
    for password in (PASSWORD, "' OR '1'='1", ""):
        answer = guess(scene.fresh(person, "127.0.0.70"), password)
        assert answer.status_code in (400, 403, 429), answer.text
        assert "jupyterhub-hub-login" not in answer.cookies


def test_the_code_on_a_slip_that_was_used_opens_nothing(scene: Scene) -> None:
    answer = guess(scene.fresh(VICTIM, "127.0.0.71"), scene.whole.codes[VICTIM], **{"Accept-Language": "en"})
    assert answer.status_code == 403 and WRONG in answer.text


def test_copied_cookies_are_worth_nothing_once_their_owner_has_logged_out(scene: Scene) -> None:
    seat = scene.fresh(BYSTANDER, "127.0.0.72")
    seat.log_in(PASSWORD)
    thief = scene.fresh(BYSTANDER, "127.0.0.73")
    thief.session.cookies.update(seat.session.cookies)
    assert thief.ask("GET", "hub/home").url.endswith("/hub/home"), "the copies are good"
    seat.ask("GET", "hub/logout")
    assert "/hub/login" in thief.ask("GET", "hub/home").url


def test_a_new_password_ends_what_a_thief_of_cookies_has(scene: Scene) -> None:
    seat = scene.fresh(BYSTANDER, "127.0.0.74")
    seat.log_in(PASSWORD)
    thief = scene.fresh(BYSTANDER, "127.0.0.75")
    thief.session.cookies.update(seat.session.cookies)
    assert thief.ask("GET", "hub/home").url.endswith("/hub/home"), "the copies are good"
    for old, new in ((PASSWORD, PASSWORD + "!"), (PASSWORD + "!", PASSWORD)):
        page = f"{seat.address}hub/password"
        seat.ask("GET", page)
        seat.ask("POST", page, data={"_xsrf": seat._xsrf(page), "old": old, "new": new, "again": new})
    time.sleep(11)  # sessions are looked at again after ten seconds
    with pytest.raises(Refused, match="403"):
        thief.ask("GET", "hub/api/user")


def test_who_is_in_the_lab_is_not_told_to_strangers(scene: Scene) -> None:
    """But for those whose servers run: the address of such a server answers, if only with the way to the login page."""
    pages: list[tuple[int, str]] = []
    people = (NEVER_CAME, "nobody-such", "root", f"grader-{COURSE}")
    for person in people:
        answer = guess(scene.fresh(person, f"127.0.1.{len(pages) + 1}"), "wrong-password")
        pages.append((answer.status_code, plain(answer, person)))
    assert pages[0][0] == 403 and "nobody-such" not in pages[1][1]
    assert [page for page in pages[1:] if page != pages[0]] == []
    for path in ("user/{}/lab", "hub/spawn/{}", "hub/user/{}/", "hub/api/users/{}"):
        answers = [scene.outsider(path.format(person)) for person in people[:3]]
        seen = {
            (one.status_code, one.headers.get("Location", "").replace(person, ""), plain(one, person))
            for one, person in zip(answers, people, strict=False)
        }
        assert len(seen) == 1, seen


def plain(answer: requests.Response, person: str) -> str:
    """What a page says to a person, without their name and what is new on it each time."""
    return re.sub(r"(?s)<script.*?</script>|<[^>]*>", "", answer.text).replace(person, "")

"""Logging in to a real hub, as students, instructors and others do it."""

from __future__ import annotations

import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin, urlparse

import pytest
import requests
from hub.login import Hub, Visitor, said
from tornado.httputil import HTTPHeaders

from autograder.hub.origin import address_of

PASSWORD = "дарёи Варзоб сард аст"
ANOTHER = "кӯҳи Помир баланд"
WRONG = "The login or the password is wrong. If you cannot get in, ask your instructor."
EVERYBODY = ["zarina", "bahrom", "s2301", "s2302", "s2303", "s2401"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("hub"))
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def hub(running: Hub) -> Hub:
    """The hub, with nobody's account and no failures yet."""
    running.accounts.remove(running.accounts.accounts())
    with running.accounts._writing() as database:
        database.execute("DELETE FROM failures")
    return running


@pytest.fixture
def codes(hub: Hub) -> dict[str, str]:
    return hub.accounts.enrol(EVERYBODY)


def give_password(hub: Hub, person: str) -> None:
    code = hub.accounts.reset(person)
    hub.accounts.set_password(person, code, PASSWORD, "198.51.100.1")


def logged_in(hub: Hub, person: str, address: str = "192.0.2.1") -> Visitor:
    give_password(hub, person)
    visitor = Visitor(hub, address)
    assert visitor.log_in(person, PASSWORD).status_code == 302
    return visitor


def test_a_code_leads_to_choosing_a_password_and_on_to_where_one_was_going(hub: Hub, codes: dict[str, str]) -> None:
    visitor = Visitor(hub)
    page = visitor.log_in("s2301", codes["s2301"].lower().replace("-", " "), target="/hub/spawn?x=1")
    assert page.status_code == 200 and "Choose a password" in page.text and not visitor.is_in
    assert 'name="next" value="/hub/spawn?x=1"' in page.text and page.headers["Cache-Control"] == "no-store"
    code = re.search(r'name="code" value="([^"]*)"', page.text)
    assert code
    answer = visitor.choose("s2301", code[1], PASSWORD, next="/hub/spawn?x=1")
    assert answer.status_code == 302 and answer.headers["Location"] == "/hub/spawn?x=1"
    assert visitor.is_in
    assert Visitor(hub).log_in("S2301 ", PASSWORD).status_code == 302
    assert said(Visitor(hub).log_in("s2301", codes["s2301"])) == WRONG


def test_a_poor_password_is_refused_in_words_and_the_code_still_works(hub: Hub, codes: dict[str, str]) -> None:
    visitor = Visitor(hub)
    visitor.log_in("s2301", codes["s2301"])
    for new, why in {"short": "too short", "qwerty123": "guesses first", codes["s2301"]: "code from the slip"}.items():
        answer = visitor.choose("s2301", codes["s2301"], new)
        assert answer.status_code == 400 and why in said(answer), new
    answer = visitor.choose("s2301", codes["s2301"], PASSWORD, again="another thing")
    assert answer.status_code == 400 and "differ" in said(answer)
    assert visitor.choose("s2301", codes["s2301"], PASSWORD).status_code == 302


def test_a_guess_at_the_page_for_choosing_is_a_guess_like_any_other(hub: Hub, codes: dict[str, str]) -> None:
    visitor = Visitor(hub)
    visitor.get("login")
    answers = [visitor.choose("s2301", "AAAAA-AAAAA", PASSWORD).status_code for _ in range(8)]
    assert answers[:6] == [403] * 6 and 429 in answers


def guess_until_locked(visitor: Visitor, person: str, seconds: int = 1) -> requests.Response:
    """Guess, waiting as told, until the next wait is of so many `seconds`."""
    for _ in range(40):
        answer = visitor.log_in(person, "a wrong guess")
        if answer.status_code == 429:
            wait = int(answer.headers["Retry-After"])
            if wait >= seconds:
                return answer
            time.sleep(wait)
    raise AssertionError("never locked")


def test_guessing_locks_the_guesser_and_not_the_class_mate(hub: Hub) -> None:
    seat = logged_in(hub, "s2301", "192.0.2.7")
    seat.get("logout")
    guesser = Visitor(hub, "192.0.2.66")
    assert said(guesser.log_in("s2301", "a wrong guess")) == WRONG
    assert "Too many wrong attempts" in said(guess_until_locked(guesser, "s2301", 4))
    assert guesser.log_in("s2301", PASSWORD).status_code == 429 and not guesser.is_in
    assert Visitor(hub, "192.0.2.8").log_in("s2301", PASSWORD).status_code == 302

    beside = Visitor(hub, "192.0.2.7")  # the same address: a lab behind one router
    guess_until_locked(beside, "s2301", 4)
    assert beside.log_in("s2301", PASSWORD).status_code == 429
    assert seat.log_in("s2301", PASSWORD).status_code == 302, "a browser that knows them is not locked by others"


def test_the_mark_of_a_browser_is_good_for_its_owner_alone(hub: Hub) -> None:
    give_password(hub, "s2302")
    guesser = logged_in(hub, "s2301")
    guesser.get("logout")
    guess_until_locked(guesser, "s2302", 4)
    assert Visitor(hub, "192.0.2.1").log_in("s2302", PASSWORD).status_code == 429


def test_a_browser_cannot_make_up_its_address(hub: Hub) -> None:
    give_password(hub, "s2301")
    statuses = []
    for number in range(8):
        guesser = Visitor(hub, f"203.0.113.{number}, 192.0.2.66")  # the proxy adds the true address at the end
        guesser.session.headers["X-Real-Ip"] = f"203.0.113.{number}"
        statuses.append(guesser.log_in("s2301", "a wrong guess").status_code)
    assert statuses[:6] == [403] * 6 and 429 in statuses


def test_a_students_program_cannot_make_up_addresses_at_the_hubs_own_port(hub: Hub) -> None:
    give_password(hub, "s2301")
    program = f"""
import os, requests
os.setuid(65534)
for number in range(8):
    session = requests.Session()
    session.headers.update({{"X-Forwarded-For": f"203.0.113.{{number}}", "Sec-Fetch-Mode": "navigate"}})
    session.get("{hub.url}login")
    form = {{"_xsrf": session.cookies["_xsrf"], "username": "s2301", "password": "a wrong guess"}}
    print(session.post("{hub.url}login", form).status_code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    statuses = done.stdout.split()
    assert statuses[:6] == ["403"] * 6 and "429" in statuses, done.stderr


def test_a_program_that_hangs_up_early_is_not_taken_for_the_proxy() -> None:
    class Request:
        headers = HTTPHeaders({"X-Forwarded-For": "203.0.113.5"})

        class connection:
            class context:
                address: tuple[str, int]

    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, Request.connection.context.address = server.accept()
        assert address_of(Request, ()) == "203.0.113.5"
        client.close()
        assert address_of(Request, ()) == "account unknown"
        accepted.close()


def test_somebody_unknown_gets_the_same_answer_in_the_same_time(hub: Hub, codes: dict[str, str]) -> None:
    give_password(hub, "s2301")
    answers: dict[str, list[object]] = {}
    times: dict[str, list[float]] = {"s2301": [], "s2302": [], "s9999": []}
    for number in range(7):
        for person, seconds in times.items():
            visitor = Visitor(hub, f"192.0.2.{100 + number}")
            visitor.get("login")
            before = time.perf_counter()
            answer = visitor.post("login", username=person, password="a wrong guess")
            seconds.append(time.perf_counter() - before)
            text = answer.text.replace(person, "").replace(visitor.token, "")
            answers[person] = [answer.status_code, text, set(answer.headers)]
    assert answers["s2301"] == answers["s2302"] == answers["s9999"]
    medians = {person: statistics.median(seconds) for person, seconds in times.items()}
    assert max(medians.values()) < 2 * min(medians.values()), medians
    assert min(medians.values()) > 0.03, "a hash was worked out for each"
    stranger = [Visitor(hub, "192.0.2.99").log_in("s9999", "a wrong guess").status_code for _ in range(8)]
    assert stranger[:6] == [403] * 6 and 429 in stranger


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "\\\\evil.example",
        "/\\evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "http:evil.example",
    ],
)
def test_nobody_is_led_away(hub: Hub, codes: dict[str, str], target: str) -> None:
    give_password(hub, "s2302")
    visitor = Visitor(hub)
    visitor.log_in("s2301", codes["s2301"], target)
    for answer in (
        visitor.choose("s2301", codes["s2301"], PASSWORD, next=target),
        Visitor(hub).log_in("s2302", PASSWORD, target),
        visitor.get("login", params={"next": target}),
        Visitor(hub).get("login", params={"next": target, "lang": "ru"}),
    ):
        assert answer.status_code == 302
        place = urlparse(urljoin(hub.url, answer.headers["Location"].replace("\\", "/")))
        assert place.scheme == "http" and place.netloc == f"127.0.0.1:{hub.port}"


def test_whoever_leaves_the_class_list_is_out_and_comes_back_with_it(hub: Hub, codes: dict[str, str]) -> None:
    student = logged_in(hub, "s2302")
    roster = hub.folder / "ml.csv"
    text = roster.read_text(encoding="utf-8")
    try:
        roster.write_text("\n".join(line for line in text.splitlines() if "s2302" not in line), encoding="utf-8")
        time.sleep(1.2)
        assert not student.is_in
        assert said(Visitor(hub).log_in("s2302", PASSWORD)) == WRONG
        roster.write_text("a class list that somebody is in the middle of writing", encoding="utf-8")
        assert said(Visitor(hub).log_in("s2302", PASSWORD)) == WRONG
        assert Visitor(hub).log_in("s2301", codes["s2301"]).status_code == 200
    finally:
        roster.write_text(text, encoding="utf-8")
    assert Visitor(hub).log_in("s2302", PASSWORD).status_code == 302
    time.sleep(1.2)
    assert not student.is_in, "the old session stays ended"


def test_the_code_of_somebody_on_no_list_is_worth_nothing(hub: Hub) -> None:
    code = hub.accounts.enrol(["s7777"])["s7777"]
    visitor = Visitor(hub)
    assert said(visitor.log_in("s7777", code)) == WRONG
    assert visitor.choose("s7777", code, PASSWORD).status_code == 403
    assert hub.accounts.accounts()["s7777"].kind.value == "code"


def test_a_student_changes_the_password_and_other_browsers_are_logged_out(hub: Hub) -> None:
    here, there = logged_in(hub, "s2301"), Visitor(hub)
    there.log_in("s2301", PASSWORD)
    assert there.is_in and 'href="/hub/password"' in here.get("home").text
    here.get("password")
    wrong = here.post("password", old="not this", new=ANOTHER, again=ANOTHER)
    assert wrong.status_code == 403 and said(wrong) == WRONG
    done = here.post("password", old=PASSWORD, new=ANOTHER, again=ANOTHER)
    assert done.status_code == 200 and "is changed" in said(done)
    assert here.is_in and not there.is_in
    assert said(there.log_in("s2301", PASSWORD)) == WRONG
    assert there.log_in("s2301", ANOTHER).status_code == 302


def test_logging_out_ends_the_sessions_in_every_browser(hub: Hub) -> None:
    """Also where somebody has copied the cookies of one, before."""
    here, there, copied = logged_in(hub, "s2301"), Visitor(hub), Visitor(hub)
    there.log_in("s2301", PASSWORD)
    copied.session.cookies.update(here.session.cookies)
    assert copied.is_in and there.is_in
    here.get("logout")
    assert not here.is_in and not copied.is_in and not there.is_in


def test_sessions_and_tokens_end_with_a_reset_from_outside_the_hub(hub: Hub) -> None:
    student = logged_in(hub, "s2301")
    student.get("home")
    made = student.session.post(
        hub.url + "api/users/s2301/tokens",
        params={"_xsrf": student.token},
        json={"note": "mine"},
        headers={"Sec-Fetch-Mode": "cors"},
        timeout=60,
    )
    assert made.status_code == 201, made.text
    token = {"Authorization": "token " + made.json()["token"]}
    assert requests.get(hub.url + "api/user", headers=token, timeout=60).ok
    code = hub.accounts.reset("s2301")
    time.sleep(1.2)
    assert not student.is_in
    assert requests.get(hub.url + "api/user", headers=token, timeout=60).status_code == 403
    assert "Choose a password" in student.log_in("s2301", code).text


def test_an_instructor_gives_a_student_a_new_code_and_it_is_written_down(hub: Hub) -> None:
    student, instructor = logged_in(hub, "s2301"), logged_in(hub, "zarina")
    page = instructor.get("people")
    assert page.status_code == 200 and "Фирдавс Ҷӯраев" in page.text and "Мария Иванова" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    before = len(hub.accounts.acts())
    answer = instructor.post("people", id="s2301", act="reset")
    code = re.search(r'class="code">([A-Z2-9]{5}-[A-Z2-9]{5})<', answer.text)
    assert answer.status_code == 200 and code
    assert not student.is_in
    assert said(Visitor(hub).log_in("s2301", PASSWORD)) == WRONG
    assert "Choose a password" in Visitor(hub).log_in("s2301", code[1]).text
    [act] = hub.accounts.acts()[before:]
    assert (act.who, act.act, act.whom) == ("zarina", "reset", "s2301") and abs(act.at - time.time()) < 60


def test_an_instructor_unlocks_a_student(hub: Hub) -> None:
    give_password(hub, "s2302")
    student, instructor = Visitor(hub, "192.0.2.50"), logged_in(hub, "zarina")
    guess_until_locked(student, "s2302", 8)
    assert "locked after wrong attempts" in instructor.get("people").text
    assert "may try again" in said(instructor.post("people", id="s2302", act="unlock"))
    assert student.log_in("s2302", PASSWORD).status_code == 302


def test_nobody_resets_whom_they_do_not_teach(hub: Hub, codes: dict[str, str]) -> None:
    instructor, student = logged_in(hub, "zarina"), logged_in(hub, "s2301")
    before = hub.accounts.acts()
    for whom in ("bahrom", "zarina", "s2401", "s9999", ""):
        assert instructor.get("people").ok
        assert instructor.post("people", id=whom, act="reset").status_code == 403, whom
    assert instructor.post("people", id="s2301", act="delete").status_code == 403
    assert student.get("people").status_code == 403
    assert student.get("home").ok
    assert student.post("people", id="s2302", act="reset").status_code == 403
    assert Visitor(hub).get("people").status_code == 302
    assert hub.accounts.acts() == before
    assert "Choose a password" in Visitor(hub).log_in("s2401", codes["s2401"]).text
    assert instructor.post("people", id="s2303", act="reset").ok, "who takes both courses is a student of hers too"


def test_a_form_from_elsewhere_is_refused(hub: Hub, codes: dict[str, str]) -> None:
    instructor = logged_in(hub, "zarina")
    instructor.get("people")
    for token in ("", "forged", Visitor(hub).get("login").cookies["_xsrf"]):
        assert instructor.post("people", xsrf=token, id="s2301", act="reset").status_code == 403
        assert instructor.post("password", xsrf=token, old=PASSWORD, new=ANOTHER, again=ANOTHER).status_code == 403
    for token in ("", "forged"):
        visitor = Visitor(hub)
        visitor.get("login")
        answer = visitor.post("login", xsrf=token, username="s2301", password=codes["s2301"])
        assert answer.status_code == 403 and said(answer) == "This page was open for too long. Try again."
        form = {"username": "s2301", "code": codes["s2301"], "new": PASSWORD, "again": PASSWORD}
        assert visitor.post("choose-password", xsrf=token, **form).status_code == 403
    assert "Choose a password" in Visitor(hub).log_in("s2301", codes["s2301"]).text


def test_a_script_on_a_students_page_cannot_read_an_instructors(hub: Hub) -> None:
    instructor = logged_in(hub, "zarina")
    script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    for page in ("people", "password"):
        assert instructor.get(page).ok
        assert instructor.get(page, headers=script).status_code == 403


def test_pages_speak_three_languages_and_load_nothing_from_elsewhere(hub: Hub, codes: dict[str, str]) -> None:
    headings = {
        "tg": ("Ворид шудан", "Парол интихоб кунед", "Иваз кардани парол", "Донишҷӯён"),
        "ru": ("Войти", "Придумайте пароль", "Сменить пароль", "Студенты"),
        "en": ("Log in", "Choose a password", "Change your password", "Students"),
    }
    instructor = logged_in(hub, "zarina")
    for language, (log_in, choose, change, students) in headings.items():
        visitor = Visitor(hub, language="de")
        switched = visitor.get(f"login?next=%2Fhub%2Fspawn&lang={language}")
        assert switched.headers["Location"] == "/hub/login?next=%2Fhub%2Fspawn"
        instructor.get(f"home?lang={language}")
        pages = {
            log_in: visitor.get("login"),
            choose: visitor.log_in("s2302", codes["s2302"]),
            change: instructor.get("password"),
            students: instructor.get("people"),
        }
        for heading, page in pages.items():
            assert page.status_code == 200 and f">{heading}<" in page.text, (language, heading)
            assert f'documentElement.lang = "{language}"' in page.text
            assert not re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page.text)
            fields = set(re.findall(r'<input(?![^>]*type="hidden")[^>]*\bid="(\w+)"', page.text))
            assert fields == set(re.findall(r'<label[^>]*\bfor="(\w+)"', page.text)), "each field has a label"
    assert "Ворид шудан" in Visitor(hub, language="fr, de;q=0.5").get("login").text, "the lab's first language"
    assert "Войти" in Visitor(hub, language="fr, en;q=0.2, ru-RU;q=0.9").get("login").text
    chosen = visitor.post("choose-password", username="s2302", code=codes["s2302"], lang="ru")
    assert "Придумайте пароль" in chosen.text and not said(chosen)


def test_what_is_typed_is_shown_as_text(hub: Hub) -> None:
    answer = Visitor(hub).log_in('"><script>alert(1)</script>', "a wrong guess", '/"><script>alert(2)</script>')
    assert answer.status_code == 403 and "<script>alert" not in answer.text


def test_locks_and_sessions_outlive_the_hub_and_no_secret_is_logged(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.start()
    try:
        student, guesser = logged_in(hub, "s2301"), Visitor(hub, "192.0.2.66")
        with hub.accounts._writing() as database:
            row = ("s2301", "192.0.2.66", 12, time.time())
            database.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", row)
        assert guesser.log_in("s2301", PASSWORD).status_code == 429
        hub.stop()
        hub.start()
        assert guesser.log_in("s2301", PASSWORD).status_code == 429
        assert student.is_in
    finally:
        hub.stop()
    assert PASSWORD not in hub.log


def test_pages_of_a_lab_whose_people_log_in_otherwise_have_no_passwords_of_ours(tmp_path: Path) -> None:
    more = """
from autograder.hub.words import page_words
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.template_vars = {"lab_name": "Лаб", **page_words(lambda user: "ru")}
"""
    hub = Hub(tmp_path, more)
    hub.start()
    try:
        visitor = Visitor(hub)
        page = visitor.get("login")
        page.encoding = "utf-8"
        assert "Войти" in page.text and "листка" not in page.text
        assert visitor.log_in("anybody", "anything").status_code == 302
        home = visitor.get("home")
        assert home.ok and "hub/password" not in home.text and visitor.get("people").status_code == 404
    finally:
        hub.stop()


def test_thirty_log_in_at_once_from_one_address_while_the_hub_answers_others(hub: Hub) -> None:
    give_password(hub, "s2301")
    visitors = [Visitor(hub) for _ in range(30)]
    for visitor in visitors:
        visitor.get("login?next=%2Fhub%2Fhome")

    def log_in(visitor: Visitor) -> int:
        return visitor.post("login?next=%2Fhub%2Fhome", username="s2301", password=PASSWORD).status_code

    with ThreadPoolExecutor(30) as pool:
        before = time.perf_counter()
        attempts = [pool.submit(log_in, visitor) for visitor in visitors]
        requests.get(hub.url + "health", timeout=60)
        answered = time.perf_counter() - before
        assert [attempt.result() for attempt in attempts] == [302] * 30
        took = time.perf_counter() - before
    print(f"thirty logins at once: {took:.1f} s; another page meanwhile: {answered:.2f} s")
    assert answered < took / 2

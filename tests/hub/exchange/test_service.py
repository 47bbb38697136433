"""The service, asked with bare requests by people and programs whom a real hub knows: to each what is theirs."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from hub.exchange.campus import Exchange, Hub, bundle, bundle_of, start_exchange
from shared import wait_for

from autograder.hub.exchange.identity import BELIEVED
from autograder.hub.exchange.receipts import Receipt, verify_receipt

PS1 = ("courses", "ml", "assignments", "ps1")
HAND_IN = (*PS1, "submissions")
MOMENT = "2026-11-24 00:06:34.123456 UTC"


@pytest.fixture
def released(exchange: Exchange) -> Exchange:
    """With ps1 released in the course ml."""
    assert exchange.ask("ml", "PUT", PS1, bundle(ps1_ipynb="{}")).status == 200
    return exchange


def hand_in(exchange: Exchange, who: str = "s1", text: str = "mine") -> Receipt:
    answer = exchange.ask(who, "POST", HAND_IN, bundle(ps1_ipynb=text))
    assert answer.status == 201, answer.body
    return Receipt.read(answer.json)


def inbox(exchange: Exchange) -> list[Receipt]:
    answer = exchange.ask("ml", "GET", ("courses", "ml", "submissions"))
    return [Receipt.read(one["receipt"]) for one in answer.json["submissions"]]


def test_a_submission_gets_a_signed_receipt_with_the_servers_time(released: Exchange) -> None:
    before = datetime.now(UTC)
    receipt = hand_in(released)
    verify_receipt(receipt, released.ask("s1", "GET", ("me",)).json["key"])
    assert (receipt.course, receipt.assignment, receipt.student) == ("ml", "ps1", "s1")
    assert before <= receipt.time <= datetime.now(UTC)
    line, newline, _ = bundle(ps1_ipynb="mine").partition(b"\n")
    assert receipt.sha256 == hashlib.sha256(line + newline).hexdigest()
    assert inbox(released) == [receipt]


@pytest.mark.parametrize("course", ["ml", "bio"])
def test_courses_do_not_see_each_other(released: Exchange, course: str) -> None:
    student, teacher = {"ml": ("b1", "botanist"), "bio": ("s1", "teacher")}[course]
    there = ("courses", course, "assignments", "ps1")
    receipt = hand_in(released)
    for who in (student, teacher, {"ml": "bio", "bio": "ml"}[course]):
        seen = released.ask(who, "GET", ("assignments",)).json["assignments"]
        assert not [one for one in seen if one["course"] == course]
        for method, path in [
            ("GET", there),
            ("PUT", there),
            ("DELETE", there),
            ("POST", (*there, "submissions")),
            ("GET", ("courses", course, "submissions")),
            ("GET", (*there, "submissions", "s1", receipt.submission)),
            ("GET", (*there, "feedback", "s1", MOMENT)),
            ("PUT", (*there, "feedback", "s1", MOMENT)),
        ]:
            answer = released.ask(who, method, path, bundle(x="") if method in ("PUT", "POST") else None)
            assert answer.status == 403, (who, method, path, answer)
        query = f"/services/exchange/api/assignments?course={course}"
        assert released.ask(who, "GET", query).status == 403


def test_what_a_stranger_is_told_does_not_say_whether_there_is_such_a_course(released: Exchange) -> None:
    real = released.ask("b1", "GET", PS1)
    invented = released.ask("b1", "GET", ("courses", "nowhere", "assignments", "ps1"))
    assert real.status == invented.status == 403
    assert real.json["error"] == invented.json["error"].replace("nowhere", "ml")


def test_what_is_not_released_is_not_seen_nor_handed_in(exchange: Exchange) -> None:
    assert exchange.ask("s1", "GET", ("assignments",)).json["assignments"] == []
    assert exchange.ask("s1", "GET", PS1).status == 404
    assert exchange.ask("s1", "POST", HAND_IN, bundle(ps1_ipynb="x")).status == 404


def test_no_student_does_what_instructors_do(released: Exchange) -> None:
    hand_in(released, "s2")
    for method, path in [
        ("PUT", PS1),
        ("PUT", ("courses", "ml", "assignments", "mine")),
        ("DELETE", PS1),
        ("GET", ("courses", "ml", "submissions")),
        ("PUT", (*PS1, "feedback", "s1", MOMENT)),
    ]:
        answer = released.ask("s1", method, path, bundle(x="") if method == "PUT" else None)
        assert answer.status == 403, (method, path, answer)
    assert released.ask("s1", "GET", PS1).body == bundle(ps1_ipynb="{}")


def test_nobody_hands_in_for_another_or_at_another_time(released: Exchange) -> None:
    """Every place in which one could try to say it; the exchange does not listen."""
    forged = {
        "X-Student": "s2",
        "X-Forwarded-User": "s2",
        "Date": "Mon, 01 Jan 2024 00:00:00 GMT",
        "Cookie": "student=s2",
    }
    path = "/services/exchange/api/courses/ml/assignments/ps1/submissions?student=s2&received=2024-01-01&user=s2"
    answer = released.ask("s1", "POST", path, bundle(ps1_ipynb="x"), forged)
    receipt = Receipt.read(answer.json)
    assert receipt.student == "s1"
    assert abs((datetime.now(UTC) - receipt.time).total_seconds()) < 60
    assert released.ask("s1", "POST", HAND_IN, bundle_of({"timestamp.txt": b"2024-01-01 00:00:00 UTC"})).status == 400
    for tail in (("s2",), ("s2", "0001-00000000")):
        assert released.ask("s1", "POST", (*HAND_IN, *tail), bundle(ps1_ipynb="x")).status in (404, 405)
    assert [one.student for one in inbox(released)] == ["s1"]


def test_nobody_changes_or_removes_what_was_handed_in(released: Exchange) -> None:
    receipt = hand_in(released)
    there = (*HAND_IN, "s1", receipt.submission)
    for who in ("s1", "s2", "teacher", "ml"):
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            assert released.ask(who, method, there, bundle(ps1_ipynb="other")).status == 405
    assert released.ask("teacher", "DELETE", PS1).status == 200
    assert released.ask("s1", "GET", there).body == bundle(ps1_ipynb="mine"), "taken back, but what came stays"


def test_submissions_and_feedback_are_read_by_their_student_and_who_teaches(released: Exchange) -> None:
    receipt = hand_in(released)
    feedback = (*PS1, "feedback", "s1", receipt.received)
    assert released.ask("ml", "PUT", feedback, bundle(ps1_html="well done")).status == 200
    for path, content in [
        ((*HAND_IN, "s1", receipt.submission), bundle(ps1_ipynb="mine")),
        (feedback, bundle(ps1_html="well done")),
    ]:
        for who in ("s1", "teacher", "ml"):
            assert released.ask(who, "GET", path).body == content
        for who in ("s2", "b1", "botanist", "bio"):
            assert released.ask(who, "GET", path).status == 403
    for who in ("s2", "teacher"):
        assert released.ask(who, "GET", ("submissions",)).json == {"submissions": [], "feedback": []}


ELSEWHERE = ["..", ".", "../../bio/ps1", "ps1/../..", "%2e%2e", "a\\b", "ps1\x00"]


@pytest.mark.parametrize("name", [*ELSEWHERE, "s1+ps1", "*", "п" * 200])
def test_names_lead_nowhere(released: Exchange, name: str) -> None:
    hand_in(released)
    before = sorted(path for path in released.root.rglob("*") if "incoming" not in path.parts)
    for who, method, path in [
        ("ml", "PUT", ("courses", "ml", "assignments", name)),
        ("ml", "GET", ("courses", "ml", "assignments", name)),
        ("ml", "GET", (*HAND_IN, name, "0001-x")),
        ("ml", "GET", (*HAND_IN, "s1", name)),
        ("ml", "PUT", (*PS1, "feedback", name, MOMENT)),
        ("ml", "PUT", (*PS1, "feedback", "s1", name)),
        ("s1", "POST", ("courses", "ml", "assignments", name, "submissions")),
        ("s1", "GET", ("courses", name, "assignments", "ps1")),
    ]:
        answer = released.ask(who, method, path, bundle(x="") if method != "GET" else None)
        assert answer.status in (400, 403, 404), (who, method, path, answer)
    raw = f"/services/exchange/api/courses/ml/assignments/ps1/submissions/s1/{quote(name)}/../../../../key"
    assert released.ask("ml", "GET", raw).status in (400, 404)
    assert sorted(path for path in released.root.rglob("*") if "incoming" not in path.parts) == before


def test_without_a_token_that_opens_it_nothing_is_open(released: Exchange, hub: Hub) -> None:
    weak = hub.new_token("s1", "read:users:name!user")["token"]
    for who, status in [(None, 401), ("0" * 32, 401), (weak, 403), (hub.tokens["stranger"], 403)]:
        for path in (("me",), ("assignments",), PS1, ("courses", "ml", "submissions")):
            assert released.ask(who, "GET", path).status == status
        assert released.ask(who, "POST", HAND_IN, bundle(ps1_ipynb="x")).status == status
    token = hub.token("s1")
    assert released.ask(None, "GET", f"/services/exchange/api/me?token={token}").status == 401
    assert released.ask(None, "GET", ("me",), headers={"Cookie": f"token={token}"}).status == 401
    assert released.ask(None, "GET", ("me",), headers={"Authorization": f"Basic {token}"}).status == 401
    assert released.ask("nobody", "GET", ("assignments",)).json == {"assignments": []}, "in no course"
    assert released.ask("ml", "POST", HAND_IN, bundle(ps1_ipynb="x")).status == 403, "programs hand in nothing"


@pytest.mark.slow
def test_a_revoked_token_and_a_lost_course_end_soon(released: Exchange, hub: Hub) -> None:
    token = hub.new_token("c39")
    assert released.ask(token["token"], "GET", PS1).status == 200
    hub.ask("DELETE", f"/users/c39/tokens/{token['id']}")
    other = hub.new_token("c38")["token"]
    assert released.ask(other, "GET", PS1).status == 200
    hub.ask("DELETE", "/groups/nbgrader-ml/users", {"users": ["c38"]})
    try:
        time.sleep(BELIEVED + 1)
        assert released.ask(token["token"], "GET", PS1).status == 401
        assert released.ask(other, "GET", PS1).status == 403
    finally:
        hub.ask("POST", "/groups/nbgrader-ml/users", {"users": ["c38"]})


def test_a_release_is_replaced_only_if_that_is_meant(released: Exchange) -> None:
    new = bundle(ps1_ipynb="new")
    assert released.ask("teacher", "PUT", PS1, new).status == 409
    assert released.ask("s1", "GET", PS1).body == bundle(ps1_ipynb="{}")
    assert (
        released.ask("teacher", "PUT", "/services/exchange/api/courses/ml/assignments/ps1?force=1", new).status == 200
    )
    assert released.ask("s1", "GET", PS1).body == new


def test_what_is_too_big_is_refused_by_its_length_and_while_it_comes(released: Exchange) -> None:
    big = bundle_of({"big": bytes(5 << 20)})
    assert released.ask("s1", "POST", HAND_IN, big).status == 413
    # In chunks, with no length said: the connection ends before 40 MB are through.
    with socket.create_connection(("127.0.0.1", released.port), timeout=30) as one, pytest.raises(OSError):
        one.sendall(_head(released, "s1", "Transfer-Encoding: chunked"))
        for _ in range(40):
            one.sendall(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
    wait_for(lambda: not list((released.root / "incoming").iterdir()), 10)
    promise = json.dumps({"files": [["bomb", 1 << 50, "0" * 64]]}, separators=(",", ":")).encode() + b"\n"
    answer = released.ask("s1", "POST", HAND_IN, promise)
    assert answer.status == 400 and "at most" in answer.json["error"]
    assert inbox(released) == []


def _head(exchange: Exchange, who: str, *headers: str) -> bytes:
    path = "/services/exchange/api/courses/ml/assignments/ps1/submissions"
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: token {exchange.hub.token(who)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_what_is_no_bundle_is_refused_and_leaves_nothing(released: Exchange) -> None:
    good = bundle(ps1_ipynb="mine")
    archives = [b"PK\x03\x04 a zip", b"\x1f\x8b a gzip"]
    upwards = json.dumps({"files": [["../../key", 0, "0" * 64]]}, separators=(",", ":")).encode() + b"\n"
    for sent in (b"", *archives, good[:-1], good + b"x", good.replace(b"mine", b"hers"), upwards):
        answer = released.ask("s1", "POST", HAND_IN, sent)
        assert answer.status == 400, answer
        assert len(answer.json["error"]) > 20
    assert inbox(released) == []
    wait_for(lambda: not list((released.root / "incoming").iterdir()), 10)


def test_a_student_can_hand_in_so_often_and_no_more(released: Exchange) -> None:
    for number in range(6):
        hand_in(released, text=str(number))
    answer = released.ask("s1", "POST", HAND_IN, bundle(ps1_ipynb="7"))
    assert answer.status == 429 and "6 times" in answer.json["error"]
    hand_in(released, "s2")


def test_a_student_has_few_uploads_under_way_and_slow_ones_stop_nobody(released: Exchange) -> None:
    slow = []
    for _ in range(4):
        one = socket.create_connection(("127.0.0.1", released.port), timeout=30)
        one.sendall(_head(released, "s1", "Content-Length: 100000") + b'{"files":[')
        slow.append(one)
    heads = [socket.create_connection(("127.0.0.1", released.port), timeout=30) for _ in range(200)]
    for one in heads:
        one.sendall(b"POST /services/exchange/api/me HT")
    wait_for(lambda: b"uploads_in_progress 4.0" in released.ask(None, "GET", "/services/exchange/metrics").body, 20)
    assert released.ask("s1", "POST", HAND_IN, bundle(ps1_ipynb="x")).status == 429
    hand_in(released, "s2")
    for one in slow + heads:
        one.close()
    wait_for(lambda: b"uploads_in_progress 0.0" in released.ask(None, "GET", "/services/exchange/metrics").body, 20)
    wait_for(lambda: not list((released.root / "incoming").iterdir()), 10)
    hand_in(released, "s1")


@pytest.mark.slow
def test_a_head_that_does_not_come_is_not_waited_for(exchange: Exchange) -> None:
    with socket.create_connection(("127.0.0.1", exchange.port), timeout=60) as one:
        one.sendall(b"GET /services/exch")
        assert one.recv(100) == b"", "the service hangs up"


def test_numbers_for_prometheus_name_nobody(released: Exchange) -> None:
    hand_in(released)
    text = released.ask(None, "GET", "/services/exchange/metrics").body.decode()
    assert "ustod_exchange_submissions_total 1.0" in text
    assert "process_resident_memory_bytes" in text
    assert not re.search(r"\bs1\b|\bml\b|ps1", text)
    assert released.ask(None, "GET", "/services/exchange/health").json == {"status": "ok"}


def test_an_unknown_address_says_nothing_of_the_program(exchange: Exchange) -> None:
    answer = exchange.ask("s1", "GET", "/services/exchange/api/nothing")
    assert answer.status == 404 and answer.json == {"error": "The exchange has nothing there."}


def test_killed_while_many_hand_in_it_keeps_every_receipted_submission(hub: Hub, tmp_path: Path) -> None:
    exchange = start_exchange(hub, tmp_path)
    exchange.ask("ml", "PUT", PS1, bundle(ps1_ipynb="{}"))
    people = [f"c{number}" for number in range(8)]
    for one in people:
        hub.token(one)
    receipts: list[Receipt] = []

    def work(who: str) -> None:
        for number in range(100):
            try:
                receipts.append(hand_in(exchange, who, f"{number}" * 20000))
            except OSError:
                return

    threads = [threading.Thread(target=work, args=(one,)) for one in people]
    for one in threads:
        one.start()
    wait_for(lambda: len(receipts) > 20)
    exchange.kill()
    for one in threads:
        one.join()
    again = start_exchange(hub, tmp_path, port=exchange.port)
    try:
        kept = {receipt.submission: receipt for receipt in inbox(again)}
        assert all(kept[receipt.submission] == receipt for receipt in receipts)
        for receipt in kept.values():
            body = again.ask("ml", "GET", (*HAND_IN, receipt.student, receipt.submission)).body
            assert hashlib.sha256(body.partition(b"\n")[0] + b"\n").hexdigest() == receipt.sha256
            assert len(body.partition(b"\n")[2]) == receipt.size
    finally:
        again.kill()


def test_forty_hand_in_a_megabyte_at_once(released: Exchange) -> None:
    content = bundle_of({"ps1.ipynb": b"x" * (1 << 20)})
    people = [f"c{number}" for number in range(38)] + ["s1", "s2"]
    for one in people:
        released.hub.token(one)
    process = psutil.Process(released.process.pid)
    idle = process.memory_info().rss
    start = time.monotonic()
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda who: released.ask(who, "POST", HAND_IN, content), people))
    seconds = time.monotonic() - start
    grown = process.memory_info().rss - idle
    print(f"forty submissions of 1 MB: {seconds:.2f} s; memory {idle >> 20} MB, and {grown >> 20} MB more")
    assert {answer.status for answer in answers} == {201}
    assert len(inbox(released)) == 40
    assert grown < 40 << 20
    assert seconds < 60

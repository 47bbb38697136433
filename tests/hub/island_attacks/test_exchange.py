"""The exchange: others' work, others' names and other times."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hub.island_attacks.scene import CLOSED, EXCHANGE, HOMES, MALLORY, VICTIM, WORD, Scene
from hub.whole_lab import ASSIGNMENT, COURSE

from autograder.errors import UstodError
from autograder.hub.exchange.receipts import Receipt, Seal, key_name, verify_receipt

pytestmark = pytest.mark.slow

INBOX = f"api/courses/{COURSE}"
PS1 = f"{INBOX}/assignments/{ASSIGNMENT}"


def exchange_requests(receipt: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What only instructors may, or nobody."""
    submission = f"{PS1}/submissions/{VICTIM}/{receipt['submission']}"
    moment = quote(receipt["received"])
    return {
        "the inbox": ("GET", f"{INBOX}/submissions"),
        "the inbox of another course": ("GET", "api/courses/nlp/submissions"),
        "another's submission": ("GET", submission),
        "replace another's submission": ("PUT", submission),
        "post over another's submission": ("POST", submission),
        "delete another's submission": ("DELETE", submission),
        "delete one's own submissions": ("DELETE", f"{PS1}/submissions"),
        "another's feedback": ("GET", f"{PS1}/feedback/{VICTIM}/{moment}"),
        "write feedback for oneself": ("PUT", f"{PS1}/feedback/{MALLORY}/{moment}"),
        "write feedback for another": ("PUT", f"{PS1}/feedback/{VICTIM}/{moment}"),
        "release another version": ("PUT", f"{PS1}?force=1"),
        "release something new": ("PUT", f"{INBOX}/assignments/evil"),
        "take a release back": ("DELETE", PS1),
        "what is not released": ("GET", f"{INBOX}/assignments/exam"),
        "hand in what is not released": ("POST", f"{INBOX}/assignments/exam/submissions"),
        "hand in to another course": ("POST", "api/courses/nlp/assignments/ps1/submissions"),
        "up from a course": ("GET", "api/courses/..%2f..%2f/submissions"),
        "up from a submission": ("GET", f"{PS1}/submissions/{MALLORY}/..%2F..%2F{VICTIM}%2F{receipt['submission']}"),
        "up from feedback": ("GET", f"{PS1}/feedback/{MALLORY}/..%2F{VICTIM}%2F{moment}"),
        "up from an assignment": ("GET", f"{INBOX}/assignments/..%2f..%2f..%2fkey"),
        "a plain file": ("GET", "../../../key"),
    }


@pytest.mark.parametrize("what", exchange_requests({"submission": "", "received": ""}))
def test_the_exchange_gives_and_takes_nothing_of_others(scene: Scene, what: str) -> None:
    method, path = exchange_requests(scene.receipt)[what]
    content = "bundle({'ps1.ipynb': 'evil'})" if method in ("PUT", "POST") else "None"
    status, text, _ = scene.mallory.gets(f"ask({method!r}, EXCHANGE + {path!r}, {content})")
    assert status in (*CLOSED, 400), text
    assert WORD not in text


def test_a_student_does_get_their_own_from_the_exchange(scene: Scene) -> None:
    path = exchange_requests(scene.receipt)["another's submission"][1]
    status, text, _ = scene.victim.gets(f"ask('GET', EXCHANGE + {path!r})")
    assert status == 200 and WORD in text


def test_nobody_hands_in_as_another_or_at_another_time(scene: Scene) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    early = "2020-01-01 00:00:00.000000 UTC"
    content = (
        f"bundle({{'{ASSIGNMENT}.ipynb': 'mine', 'timestamp.txt': {early!r}, 'receipt.json': "
        f'\'{{"student": "{VICTIM}"}}\'}})'
    )
    query = f"?student={VICTIM}&user={VICTIM}&timestamp=2020-01-01&received=2020-01-01"
    headers = {"Date": "Wed, 01 Jan 2020 00:00:00 GMT", "X_Forwarded_User": VICTIM, "X_JupyterHub_User": VICTIM}
    url = f"{PS1}/submissions{query}"
    status, text, _ = scene.mallory.gets(f"ask('POST', EXCHANGE + {url!r}, {content}, **{headers!r})")
    after = datetime.now(UTC).replace(tzinfo=None)
    assert status in (201, 400), text
    if status == 201:
        receipt = json.loads(text)
        assert receipt["student"] == MALLORY
        received = datetime.fromisoformat(receipt["received"].removesuffix(" UTC")).replace(tzinfo=None)
        assert before <= received <= after
    kept = EXCHANGE / "courses" / COURSE / ASSIGNMENT / "submissions" / VICTIM
    assert [path.name for path in kept.iterdir()] == [scene.receipt["submission"]]


@pytest.mark.parametrize(
    "name",
    ["../../../../../../tmp/evil", "/tmp/evil", "a\\..\\b"],
)
def test_no_name_in_what_is_handed_in_leads_out_of_its_folder(scene: Scene, name: str) -> None:
    content = f"bundle({{{name!r}: 'evil', '{ASSIGNMENT}.ipynb': '{{}}'}})"
    status, text, _ = scene.mallory.gets(f"ask('POST', EXCHANGE + '{PS1}/submissions', {content})")
    assert status == 400, text
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    "command",
    [
        f"nbgrader collect {ASSIGNMENT} --course {COURSE}",
        f"nbgrader release_assignment {ASSIGNMENT} --course {COURSE} --force",
    ],
)
def test_an_instructors_commands_do_not_work_for_students(scene: Scene, command: str) -> None:
    prepared = f"mkdir -p ~/fake/release/{ASSIGNMENT} && cd ~/fake && echo x > release/{ASSIGNMENT}/x.ipynb"
    code, said = scene.mallory.gets(
        f"(lambda done: [done.returncode, done.stdout + done.stderr])"
        f"(subprocess.run({prepared + ' && ' + command!r}, shell=True, text=True, capture_output=True))"
    )
    release = EXCHANGE / "courses" / COURSE / ASSIGNMENT / "release"
    assert release.exists() and b"x.ipynb" not in release.read_bytes()
    assert WORD not in said
    assert not list((HOMES / MALLORY / "fake").rglob(f"*{VICTIM}*"))
    assert code != 0, said


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"student": MALLORY},
        {"received": "2020-01-01 00:00:00.000000 UTC"},
        {"assignment": "exam"},
        {"sha256": "0" * 64},
        {"submission": "0009-00000000"},
    ],
)
@pytest.mark.parametrize("signed", ["as it was", "by the student"])
def test_no_receipt_is_forged(scene: Scene, change: dict[str, str], signed: str, tmp_path: Path) -> None:
    public = json.loads(scene.mallory.gets("ask('GET', EXCHANGE + 'api/me')")[1])["key"]
    receipt = Receipt.read(scene.receipt)
    verify_receipt(receipt, public)
    forged = dataclasses.replace(receipt, **change)
    if signed == "by the student":
        forged = dataclasses.replace(Seal(tmp_path / "key").sign(forged), key=key_name(public))
    elif not change:
        return
    with pytest.raises(UstodError):
        verify_receipt(forged, public)


def test_what_was_sent_once_and_is_sent_again_is_a_later_submission(scene: Scene) -> None:
    """Word for word: neither does it get the time of the first, nor is the first one gone."""
    content = f"bundle({{'{ASSIGNMENT}.ipynb': '{{}}'}})"
    sent = [scene.mallory.gets(f"ask('POST', EXCHANGE + '{PS1}/submissions', {content})") for _ in range(2)]
    first, second = (Receipt.read(json.loads(text)) for status, text, _ in sent if status == 201)
    assert first.sha256 == second.sha256
    assert (first.number, first.time) < (second.number, second.time)
    for one in (first, second):
        path = f"{PS1}/submissions/{MALLORY}/{one.submission}"
        assert scene.mallory.gets(f"ask('GET', EXCHANGE + {path!r})[0]") == 200

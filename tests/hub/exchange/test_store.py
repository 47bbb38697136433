"""What the exchange keeps: whole or not at all, in the order in which it came, and never written again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub.exchange.campus import bundle, bundle_of

from autograder.hub.exchange import store as module
from autograder.hub.exchange.bundle import Reader
from autograder.hub.exchange.receipts import Receipt, verify_receipt
from autograder.hub.exchange.store import Quota, Refused, Store, Upload, listing_of, pieces_of

ROOMY = Quota(upload=1 << 20, free=0)


def uploaded(store: Store, content: bytes) -> Upload:
    upload = store.upload(store.quota.upload, len(content))
    upload.feed(content)
    return upload


def submit(store: Store, student: str = "s1", **files: str) -> Receipt:
    upload = uploaded(store, bundle(**files))
    try:
        return store.submit("ml", "ps1", student, upload)
    finally:
        upload.discard()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "exchange", ROOMY)
    store.put_release("ml", "ps1", uploaded(store, bundle(ps1_ipynb="{}")), force=False)
    return store


def test_only_its_own_account_can_look_into_it(store: Store) -> None:
    assert store.root.stat().st_mode & 0o777 == 0o700


def test_submissions_stay_as_they_came(store: Store) -> None:
    first, second = submit(store, ps1_ipynb="one"), submit(store, ps1_ipynb="two")
    kept = store.submissions("ml", "ps1", "s1")
    assert kept == [first, second]
    for receipt, text in zip(kept, ("one", "two"), strict=True):
        path = store.submission("ml", "ps1", "s1", receipt.submission)
        assert b"".join(pieces_of(path)) == bundle(ps1_ipynb=text)
        assert listing_of(path).sha256 == receipt.sha256
        verify_receipt(receipt, store.seal.public)


def test_a_clock_that_is_set_back_does_not_change_the_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Back(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2026, 1, 1, tzinfo=UTC)

    submit(store, ps1_ipynb="one")
    monkeypatch.setattr(module, "datetime", Back)
    second, third = submit(store, ps1_ipynb="two"), submit(store, ps1_ipynb="three")
    assert [receipt.number for receipt in store.submissions("ml", "ps1", "s1")] == [1, 2, 3]
    assert third.time - second.time == timedelta(microseconds=1), "two are never of the same moment"


def test_many_at_once_get_a_number_each(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda number: submit(store, ps1_ipynb=str(number)), range(24)))
    assert sorted(receipt.number for receipt in receipts) == list(range(1, 25))
    assert len({receipt.received for receipt in receipts}) == 24


def test_one_student_cannot_fill_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "exchange", Quota(upload=1000, submissions=3, uploads=2, free=0))
    store.put_release("ml", "ps1", uploaded(store, bundle(ps1_ipynb="{}")), force=False)
    submit(store, ps1_ipynb="x" * 900)
    submit(store, ps1_ipynb="x" * 900)
    with pytest.raises(Refused, match="MB already") as refused:
        submit(store, ps1_ipynb="x" * 900)
    assert refused.value.status == 429
    submit(store, ps1_ipynb="x")
    with pytest.raises(Refused, match="3 times"):
        submit(store, ps1_ipynb="x")
    submit(store, "s2", ps1_ipynb="x")


def test_a_disk_that_is_nearly_full_takes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "exchange", Quota(free=1 << 60))
    with pytest.raises(Refused, match="nearly full") as refused:
        store.upload(1000, 10)
    assert refused.value.status == 507


NOT_NAMES = ["", ".", "..", "../bio", "a/b", "a\\b", ".hidden", "a*", "a?", "[a]", "s1+ps1", " a", "a ", "a\n", "a\x00"]


@pytest.mark.parametrize("name", [*NOT_NAMES, "\u202ea", "я" * 101])
def test_names_that_are_paths_or_patterns_are_refused(store: Store, name: str) -> None:
    for ask in (
        lambda: store.release(name, "ps1"),
        lambda: store.release("ml", name),
        lambda: store.submissions("ml", "ps1", name),
        lambda: store.submission("ml", "ps1", "s1", name),
        lambda: store.feedback("ml", "ps1", name),
        lambda: store.put_feedback("ml", "ps1", "s1", name, uploaded(store, bundle(a="x"))),
    ):
        with pytest.raises(Refused):
            ask()


def test_only_the_exchange_says_when(store: Store) -> None:
    for name in ("timestamp.txt", "submission_secret.txt"):
        with pytest.raises(Refused, match="only the exchange"):
            store.submit("ml", "ps1", "s1", uploaded(store, bundle_of({name: b"2020-01-01 00:00:00 UTC"})))


WRITER = """
    import itertools, sys
    from pathlib import Path
    from hub.exchange.campus import bundle
    from autograder.hub.exchange.store import Quota, Store
    store = Store(Path(sys.argv[1]), Quota(upload=1 << 20, submissions=10**6, uploads=10**6, free=0))
    for number in itertools.count():
        content = bundle(ps1_ipynb=str(number) * 20000, data_csv="x" * 60000)
        for kind in ("release", "submission", "feedback"):
            upload = store.upload(1 << 20, len(content))
            for at in range(0, len(content), 4096):
                upload.feed(content[at:at + 4096])
            if kind == "release":
                store.put_release("ml", "ps1", upload, force=True)
            elif kind == "submission":
                print(store.submit("ml", "ps1", "s1", upload).submission, flush=True)
            else:
                store.put_feedback("ml", "ps1", "s1", f"2026-01-01 00:00:{number % 60:02} UTC", upload)
            upload.discard()
"""


def test_killed_at_any_moment_nothing_half_done_is_there(tmp_path: Path) -> None:
    root, told = tmp_path / "exchange", []
    chance = random.Random(7)
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), "tests"])
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(root)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout
        told.append(process.stdout.readline().strip())
        assert told[-1], "the writer writes"
        time.sleep(chance.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().split()
        process.wait()
        store = Store(root, ROOMY)
        assert list((root / "incoming").iterdir()) == []
        kept = store.submissions("ml", "ps1", "s1")
        assert set(told) <= {receipt.submission for receipt in kept}, "a receipted one is lost"
        folders = sorted((root / "courses/ml/ps1/submissions/s1").iterdir())
        assert [folder.name for folder in folders] == [receipt.submission for receipt in kept]
        bundles = [folder / "bundle" for folder in folders] + [store.release("ml", "ps1")]
        for one in [*bundles, *store.feedback("ml", "ps1", "s1").values()]:
            reader = Reader(1 << 20)
            for piece in pieces_of(one):
                reader.feed(piece)
            reader.end()
        for receipt in kept:
            verify_receipt(receipt, store.seal.public)
    assert json.loads(kept[-1].text)["student"] == "s1"

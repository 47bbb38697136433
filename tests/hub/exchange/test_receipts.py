"""Receipts: whoever changes a letter, or signs one, is found out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.errors import UstodError
from autograder.hub.exchange.receipts import Receipt, Seal, verify_receipt

GIVEN = Receipt("ml", "вазифа 1", "s1", "0001-abcd", "2026-11-24 00:06:34.123456 UTC", "ab" * 32, 10)


def test_a_receipt_is_verified_by_the_public_key_alone(tmp_path: Path) -> None:
    seal = Seal(tmp_path / "key")
    signed = seal.sign(GIVEN)
    verify_receipt(signed, seal.public)
    verify_receipt(Receipt.read(json.loads(signed.text)), Seal(tmp_path / "key").public)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"course": "bio"},
        {"assignment": "вазифа 2"},
        {"student": "s2"},
        {"submission": "0002-abcd"},
        {"received": "2026-11-23 00:06:34.123456 UTC"},
        {"sha256": "ac" * 32},
        {"size": 11},
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": "not base64"},
        {"key": "0" * 16},
    ],
)
def test_a_changed_receipt_is_none(tmp_path: Path, change: dict[str, Any]) -> None:
    seal = Seal(tmp_path / "key")
    with pytest.raises(UstodError):
        verify_receipt(replace(seal.sign(GIVEN), **change), seal.public)


def test_a_receipt_that_somebody_else_signed_is_none(tmp_path: Path) -> None:
    ours, theirs = Seal(tmp_path / "ours"), Seal(tmp_path / "theirs")
    forged = replace(theirs.sign(GIVEN), key=ours.sign(GIVEN).key)
    with pytest.raises(UstodError, match="was changed"):
        verify_receipt(forged, ours.public)


CHANGED = [{"size": "10"}, {"x": 1}, {"received": "now"}, {"submission": "x"}]


@pytest.mark.parametrize("content", [None, [], {}, {"course": "ml"}, *({**vars(GIVEN), **one} for one in CHANGED)])
def test_what_is_no_receipt_is_not_read(content: Any) -> None:
    with pytest.raises(UstodError):
        Receipt.read(content)

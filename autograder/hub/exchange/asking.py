"""Requests for a regrade, on their way through the exchange."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autograder.errors import UstodError
from autograder.hub.exchange.bundle import pack
from autograder.hub.exchange.client import Client
from autograder.hub.exchange.receipts import Receipt, verify_receipt
from autograder.hub.exchange.service import REQUEST
from autograder.student.regrade import FILE


def send_request(path: Path, client: Client | None = None) -> Receipt:
    """Send the file of requests `path` to the course of its student.

    Raises:
        UstodError: if the exchange refuses, or if it is not clear which course is meant.
    """
    client = client or Client()
    try:
        assignment = str(json.loads(path.read_text(encoding="utf-8"))["assignment"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UstodError(f"The file {path} cannot be read as requests for a regrade: {error}.") from None
    me = client.get("me")
    courses = [name for name in me["student_of"] if len(me["student_of"]) == 1 or name in path.resolve().parts]
    if len(courses) != 1:
        raise UstodError(f"It is not clear to which course {path} belongs; put it into the folder of the course.")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder, FILE))
        bundle = pack(Path(folder), limit=REQUEST)
        where = ("courses", courses[0], "assignments", assignment, "requests")
        receipt = Receipt.read(client.send("POST", *where, bundle=bundle))
    verify_receipt(receipt, me["key"])
    return receipt


def fetch_requests(course: str, client: Client | None = None) -> Iterator[tuple[str, bytes]]:
    """Every request of the course `course`, each with its student, as the exchange knows them.

    Raises:
        UstodError: if the exchange refuses, or a receipt is not its own.
    """
    client = client or Client()
    key = client.get("me")["key"]
    for content in client.get("courses", course, "requests")["requests"]:
        receipt = Receipt.read(content)
        verify_receipt(receipt, key)
        with tempfile.TemporaryDirectory() as folder:
            where = ("courses", course, "assignments", receipt.assignment, "requests")
            listing = client.fetch(Path(folder), *where, receipt.student, receipt.submission, limit=REQUEST)
            if listing.sha256 != receipt.sha256 or not Path(folder, FILE).is_file():
                raise UstodError(f"The request {receipt.submission} of {receipt.student} is not what its receipt says.")
            yield receipt.student, Path(folder, FILE).read_bytes()

"""Receipts: what was handed in, by whom and when, signed by the exchange so that it can be proven later."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from autograder.errors import UstodError
from autograder.files import sync

#: As nbgrader writes moments into ``timestamp.txt``.
NBGRADER_TIME = "%Y-%m-%d %H:%M:%S.%f UTC"


@dataclass(frozen=True)
class Receipt:
    """That `student` handed in a folder with the hash `sha256` at `received`, by the exchange's own clock, in UTC.

    `submission` begins with a number that grows with each submission of one student to one assignment: clocks may jump,
    the order does not. `signature` is of everything else, with the key called `key`.
    """

    course: str
    assignment: str
    student: str
    submission: str
    received: str
    sha256: str
    size: int
    key: str = ""
    signature: str = ""

    @property
    def number(self) -> int:
        """Which of the student's submissions to the assignment this is, from 1."""
        return int(self.submission.partition("-")[0])

    @property
    def time(self) -> datetime:
        """When it was received."""
        return datetime.strptime(self.received, NBGRADER_TIME).replace(tzinfo=UTC)

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is of."""
        content = asdict(self)
        del content["signature"]
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @property
    def text(self) -> str:
        """As it is filed."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def read(cls, content: Any) -> Self:
        """The receipt that `content`, read from JSON, says.

        Raises:
            UstodError: if it is none.
        """
        try:
            receipt = cls(**content)
            for name, value in asdict(receipt).items():
                if type(value) is not (int if name == "size" else str):
                    raise TypeError(name)
            _ = receipt.number, receipt.time, receipt.signed
        except (TypeError, ValueError) as error:
            raise UstodError(f"This is not a receipt of the exchange: {str(error)[:100]}.") from None
        return receipt


class Seal:
    """The exchange's key, in a file that only its account can read; made when there is none."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            private = Ed25519PrivateKey.generate().private_bytes_raw()
            temporary = path.with_suffix(".new")
            temporary.unlink(missing_ok=True)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(private)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
            sync(path.parent)
        self._key = Ed25519PrivateKey.from_private_bytes(path.read_bytes())

    @property
    def public(self) -> str:
        """What verifies its receipts, in hexadecimal. No secret."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, receipt: Receipt) -> Receipt:
        """`receipt` with its signature."""
        named = Receipt(**asdict(receipt) | {"key": key_name(self.public), "signature": ""})
        signature = base64.b64encode(self._key.sign(named.signed)).decode()
        return Receipt(**asdict(named) | {"signature": signature})


def key_name(public: str) -> str:
    """What receipts call the key `public`."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]


def verify_receipt(receipt: Receipt, public: str) -> None:
    """Check that the exchange with the key `public` (hexadecimal) has given out `receipt`, word for word.

    Raises:
        UstodError: if it has not.
    """
    try:
        if receipt.key != key_name(public):
            raise UstodError(
                f"The receipt {receipt.submission} of {receipt.student} is signed with the key {receipt.key!r}, not"
                f" with the exchange's {key_name(public)!r}; ask who made it."
            )
        signature = base64.b64decode(receipt.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, receipt.signed)
    except (InvalidSignature, ValueError):
        raise UstodError(
            f"The receipt {receipt.submission} of {receipt.student} was changed after the exchange signed it;"
            " do not count on it."
        ) from None

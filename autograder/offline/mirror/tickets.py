"""Tickets that the hub gives to a client and believes when they come back: it alone can have made them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

from autograder.files import write_text
from autograder.offline.mirror.store import Store

#: Seconds for which a ticket can be used.
VALID = 86_400


def seal(store: Store, said: list[Any]) -> str:
    """`said`, as a ticket that can stand in an address or a header."""
    about = json.dumps(said).encode()
    mark = hmac.digest(secret(store), about, hashlib.sha256)
    return base64.urlsafe_b64encode(mark + about).decode().rstrip("=")


def unseal(store: Store, ticket: str) -> list[Any]:
    """What a ticket says.

    Raises:
        ValueError: if this hub did not make it.
    """
    data = base64.urlsafe_b64decode(ticket.encode("ascii") + b"=" * (-len(ticket) % 4))
    mark, about = data[:32], data[32:]
    if not hmac.compare_digest(mark, hmac.digest(secret(store), about, hashlib.sha256)):
        raise ValueError("not a ticket of this hub")
    said: list[Any] = json.loads(about)
    return said


def secret(store: Store) -> bytes:
    """What only the hub knows. Ask once before several processes do: the first makes it."""
    path = store.root / "secret"
    if not path.exists():
        write_text(path, secrets.token_hex(32), 0o600)
    return bytes.fromhex(path.read_text("utf-8"))

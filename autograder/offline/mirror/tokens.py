"""Who may publish: tokens that the campus gives out, of which it keeps no more than their hashes."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.offline.mirror.names import Refused
from autograder.offline.mirror.versions import now

#: Seconds for which an answer of JupyterHub is believed; so long a token works after it was revoked.
BELIEVED = 10
#: Seconds that JupyterHub may take.
PATIENCE = 5
#: What tells that somebody teaches: nbgrader's groups of instructors.
_INSTRUCTORS = "formgrade-"


@dataclass(frozen=True)
class Caller:
    """Somebody with a token. Instructors may publish under every name, and allow what others may not."""

    name: str
    instructor: bool = False

    def may_write(self, author: str) -> bool:
        """Whether they may publish under the name `author`."""
        return self.instructor or author == self.name


class Accounts(Protocol):
    """What tells whose a token is."""

    async def of(self, token: str) -> Caller | None:
        """Whose `token` is; None if nobody's."""


class CampusTokens:
    """Tokens in the file `path`, which its owner alone may read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def of(self, token: str) -> Caller | None:
        entry = self._read().get(_hash(token))
        return Caller(entry["name"], entry["instructor"]) if entry else None

    def give(self, name: str, instructor: bool) -> str:
        """A new token for the account `name`, which is told this once.

        Raises:
            UstodError: if nobody can be called so.
        """
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,40}", name) or "--" in name or ".." in name:
            sentence = f"{name!r} cannot be the name of an account: take Latin letters, digits, - _ and a full stop."
            raise UstodError(sentence)
        token = f"hf_{secrets.token_urlsafe(27)}"
        with self._changing() as entries:
            entries[_hash(token)] = {"name": name, "instructor": instructor, "created": now()}
        return token

    def revoke(self, name: str) -> int:
        """End all tokens of the account `name`; returns how many there were."""
        with self._changing() as entries:
            theirs = [digest for digest, entry in entries.items() if entry["name"] == name]
            for digest in theirs:
                del entries[digest]
        return len(theirs)

    def names(self) -> dict[str, bool]:
        """The accounts that have tokens, and whether they teach."""
        found: dict[str, bool] = {}
        for entry in self._read().values():
            found[entry["name"]] = found.get(entry["name"], False) or entry["instructor"]
        return dict(sorted(found.items()))

    def _read(self) -> dict[str, Any]:
        try:
            entries: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return entries

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        with self.path.with_suffix(".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            entries = self._read()
            yield entries
            write_text(self.path, json.dumps(entries, indent=1), 0o600)


class LabTokens:
    """Tokens of the lab's JupyterHub at `api_url`, such as ``http://127.0.0.1:8081/hub/api``."""

    def __init__(self, api_url: str) -> None:
        self._url = f"{api_url.rstrip('/')}/user"
        self._known: dict[str, tuple[float, Caller | Refused | None]] = {}

    async def of(self, token: str) -> Caller | None:
        digest = _hash(token)
        asked, answer = self._known.get(digest, (float("-inf"), None))
        if time.monotonic() - asked >= BELIEVED:
            answer = await self._asked(token)
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[digest] = (time.monotonic(), answer)
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def _asked(self, token: str) -> Caller | Refused | None:
        silent = Refused(503, "The lab does not answer just now; try again in a minute.")
        try:
            client = AsyncHTTPClient()
            request = client.fetch(self._url, headers={"Authorization": f"token {token}"}, request_timeout=PATIENCE)
            model = json.loads((await asyncio.wait_for(request, PATIENCE)).body)
            groups = model.get("groups") or []
            return Caller(model["name"], any(str(group).startswith(_INSTRUCTORS) for group in groups))
        except HTTPClientError as error:
            return None if error.code in (401, 403) else silent
        except (OSError, TimeoutError, ValueError, KeyError):
            return silent


class Anyone:
    """The first of several that knows a token tells whose it is."""

    def __init__(self, *accounts: Accounts) -> None:
        self._accounts = accounts

    async def of(self, token: str) -> Caller | None:
        for accounts in self._accounts:
            if caller := await accounts.of(token):
                return caller
        return None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()

"""What all answers of the hub share: who asks, what they may see, threads for the disk, and refusals in words."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from tornado import web
from tornado.iostream import StreamClosedError

from autograder.errors import one_line
from autograder.offline.mirror import card, facts
from autograder.offline.mirror.names import Missing, Refused, Repository
from autograder.offline.mirror.store import MAIN, Store
from autograder.offline.mirror.tokens import Accounts, Caller
from autograder.offline.mirror.versions import Commit, State

log = logging.getLogger("ustod.mirror")
P = ParamSpec("P")
T = TypeVar("T")

#: Threads that wait for the disk.
THREADS = 16


@dataclass(frozen=True)
class Quota:
    """What is taken: bytes of one account's repositories and of one repository, with all versions; files of one."""

    account: int = 5_000_000_000
    repository: int = 2_000_000_000
    files: int = 10_000


@dataclass
class Service:
    """What all requests share."""

    store: Store
    accounts: Accounts
    quota: Quota = field(default_factory=Quota)
    title: str = "Ustod"
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "disk"))

    def published(self, repository: Repository) -> bool:
        """Whether everybody may see it: its card names a licence, or it comes from elsewhere."""
        state = self.store.state(repository)
        if state.private:
            return False
        return not state.owner or bool(card.licence(facts.card_data(self.store, self.head(repository))))

    def head(self, repository: Repository) -> Commit:
        """The version that is shown where none is asked for."""
        state = self.store.state(repository)
        return self.store.commit(repository, state.branches.get(MAIN) or next(iter(state.branches.values())))

    def visible(self, repository: Repository, caller: Caller | None) -> bool:
        """Whether `caller` may see it."""
        return self.published(repository) or may_change(self.store.state(repository), repository, caller)


def may_change(state: State, repository: Repository, caller: Caller | None) -> bool:
    """Whether `caller` may publish in the repository: its owner and instructors may."""
    return caller is not None and (caller.instructor or (bool(state.owner) and state.owner == caller.name))


class Handler(web.RequestHandler):
    """Knows who asks; answers in JSON, and refuses in a way that clients understand."""

    caller: Caller | None = None
    #: Why it is not known who asks.
    _unknown = Refused(401, "Invalid credentials in Authorization header: a token of this hub is needed; log in")

    def initialize(self, service: Service) -> None:
        self.service, self.store = service, service.store

    async def prepare(self) -> None:
        """Find out who asks. With a token that nobody here has, one of another hub say, they are a stranger."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if token.strip() and scheme.lower() in ("bearer", "token"):
            try:
                self.caller = await self.service.accounts.of(token.strip())
            except Refused as error:
                self._unknown = error

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")
        given = self.request.headers.get("X-Request-Id", self.request.headers.get("X-Amzn-Trace-Id", ""))
        self.set_header(
            "X-Request-Id", given[:80] if given.isprintable() and given.isascii() and given else secrets.token_hex(8)
        )

    async def disk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns, in a thread: the loop must not wait for a disk."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.service.threads, lambda: work(*args, **kwargs))

    def repository(self, kinds: str, name: str) -> Repository:
        """The repository that an address names, if the caller may see it; call it from a thread.

        Raises:
            Missing: if there is none, or none that they may see: both are told in the same words.
        """
        try:
            repository = Repository.checked(kinds.removesuffix("s"), name)
        except Refused:
            raise Missing("Repository not found", "RepoNotFound") from None
        if not self.store.has(repository):
            repository = self.store.spelled(repository)
        if not self.service.visible(repository, self.caller):
            raise Missing("Repository not found", "RepoNotFound")
        return repository

    def must_change(self, repository: Repository) -> Caller:
        """The caller, who may publish in the repository.

        Raises:
            Refused: if they may not.
        """
        caller = self.must_be_known()
        if not may_change(self.store.state(repository), repository, caller):
            raise Refused(403, f"{caller.name} may not publish in {repository}: its owner and instructors may")
        return caller

    def must_be_known(self) -> Caller:
        """The caller, who has a token.

        Raises:
            Refused: if they have none.
        """
        if self.caller is None:
            raise self._unknown
        return self.caller

    def address(self, path: str) -> str:
        """The whole address of `path` on this hub, as the client calls it."""
        return f"{self.request.protocol}://{self.request.host}/{path}"

    def answer(self, said: Any) -> None:
        """Answer with JSON, lists included."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(said, ensure_ascii=False))

    def flag(self, name: str) -> bool:
        """Whether the query says yes to `name`."""
        return self.get_query_argument(name, "").lower() in ("1", "true", "yes")

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, Refused):
            log.info("%s %s: %s", self.request.method, self.request.path, value)
        elif not isinstance(value, StreamClosedError | ConnectionError):
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, Refused):
            status_code = error.status
        elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            status_code = 507
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        sentence = f"The hub answers {status_code} {self._reason}"
        if isinstance(error, Refused):
            sentence = str(error)
            for name, value in error.headers.items():
                self.set_header(name, value)
            if error.code:
                self.set_header("X-Error-Code", error.code)
        elif status_code == 507:
            sentence = "The disk of the hub is full; nothing was taken; tell its administrator"
        elif status_code >= 500:
            sentence = "Something went wrong in the hub; its log says what; tell its administrator"
        elif isinstance(error, web.HTTPError) and error.log_message:
            sentence = one_line(error.log_message)
        sentence = one_line(sentence)
        self.set_header("X-Error-Message", sentence.encode("ascii", "replace").decode()[:1000])
        self.finish({"error": sentence})


class Nothing(Handler):
    """For addresses that there are none of."""

    async def prepare(self) -> None:
        raise Refused(404, "The hub has nothing there")

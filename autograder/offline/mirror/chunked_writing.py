"""The addresses to which clients send files in the xet protocol, where their libraries do so by themselves."""

from __future__ import annotations

import hashlib
import time

from autograder.offline.mirror import publishing
from autograder.offline.mirror.chunked import LARGEST_LIST, LARGEST_PACK, join, read_list
from autograder.offline.mirror.handling import Handler
from autograder.offline.mirror.names import Refused
from autograder.offline.mirror.reading import ID, KIND, REVISION
from autograder.offline.mirror.receiving import Receiving
from autograder.offline.mirror.store import owner_name
from autograder.offline.mirror.tickets import VALID, seal, unseal
from autograder.offline.mirror.writing import refuse_pull_request

#: Moments before which no clock of today stands, and long after.
_SANE, _FAR = 1_750_000_000, 4_000_000_000


class WriteToken(Handler):
    """Where to send chunks, and a token for it.

    The address changes every day: clients keep in mind, by address, which chunks they have sent, and packs do not stay
    here for ever.
    """

    async def get(self, kinds: str, name: str, revision: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        caller = self.must_change(repository)
        refuse_pull_request(self)
        until = int(time.time()) + VALID
        day = hashlib.sha256(f"{caller.name} {until // VALID}".encode()).hexdigest()[:16]
        # A hub whose clock was lost must not give out what its clients take for long expired.
        told = until if until > _SANE else _FAR
        url, token = self.address(f"xet/{day}"), seal(self.store, ["xet", caller.name, caller.instructor, until])
        self.set_header("X-Xet-Cas-Url", url)
        self.set_header("X-Xet-Access-Token", token)
        self.set_header("X-Xet-Token-Expiration", str(told))
        self.answer({"casUrl": url, "accessToken": token, "exp": told})


class Chunked(Receiving):
    """Takes what belongs to the holder of a token for chunks."""

    largest = 0

    async def prepare(self) -> None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        try:
            what, name, instructor, until = unseal(self.store, token.strip())
        except (ValueError, TypeError):
            what, name, instructor, until = "", "", False, 0
        if what != "xet" or scheme.lower() != "bearer":
            raise Refused(401, "Invalid credentials in Authorization header")
        self.identify(name, instructor, until)
        self.request.headers.pop("Authorization")
        await super().prepare()

    def limit(self) -> int:
        self.packs = self.store.staged / f"{owner_name(self.sender.name)}-packs"
        self.packs.mkdir(exist_ok=True)
        if not self.sender.instructor:
            waiting = sum(path.stat().st_size for path in self.packs.iterdir())
            waiting += publishing.waiting_size(self.store, self.sender)
            if waiting > self.service.quota.account:
                raise Refused(403, f"{self.sender.name} has sent too much that no commit names; try again tomorrow")
        return self.largest


class Known(Handler):
    """Whether a chunk is here already, which the hub does not tell: it may be somebody else's."""

    async def prepare(self) -> None:
        raise Refused(404, "No chunk is told of")


class Pack(Chunked):
    """A pack of chunks."""

    largest = LARGEST_PACK

    async def post(self, name: str) -> None:
        await self.disk(self.received.move, self.packs / name)
        self.answer({"was_inserted": True})


class ChunkList(Chunked):
    """Which chunks make which files."""

    largest = LARGEST_LIST

    async def post(self) -> None:
        await self.disk(self._join)
        self.answer({"result": 1})

    def _join(self) -> None:
        files = read_list(self.received.flush().read_bytes())
        for spans in files:
            publishing.check_waiting(self.service, self.sender, sum(span.size for span in spans))
            with join(spans, self.packs, self.store.blobs) as writer:
                publishing.stage(self.store, self.sender, writer)


ROUTES: list[tuple[str, type[Handler]]] = [
    (rf"/api/{KIND}/{ID}/xet-write-token/{REVISION}", WriteToken),
    (r"/xet/[0-9a-f]+/v1/chunks/.*", Known),
    (r"/xet/[0-9a-f]+/v1/xorbs/default/([0-9a-f]{64})", Pack),
    (r"/xet/[0-9a-f]+/v1/shards", ChunkList),
]

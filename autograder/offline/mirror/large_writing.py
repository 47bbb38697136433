"""Large files, sent ahead of the commit that names them, as Git LFS does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from autograder.offline.mirror import publishing
from autograder.offline.mirror.blobs import Writer
from autograder.offline.mirror.handling import Handler
from autograder.offline.mirror.names import Missing, Refused, Repository
from autograder.offline.mirror.reading import ID, json_body
from autograder.offline.mirror.receiving import Receiving
from autograder.offline.mirror.tickets import VALID, seal, unseal
from autograder.offline.mirror.tokens import Caller

#: Files that are asked about at once, at most.
_MOST_FILES = 1000


class LargeFiles(Handler):
    """Where to send large files, as Git LFS asks."""

    async def post(self, kinds: str | None, name: str) -> None:
        repository = await self.disk(self.repository, kinds or "models", name)
        caller = self.must_change(repository)
        given = json_body(self)
        if given.get("operation", "upload") != "upload":
            raise Refused(400, "Git does not fetch from here: use the hub's clients")
        objects = given.get("objects")
        if not isinstance(objects, list) or len(objects) > _MOST_FILES:
            raise Refused(400, "The list of objects is none, or too long")
        kept = await self.disk(self.store.contents, repository)
        said = [await self.disk(self._said, repository, caller, one, kept) for one in objects]
        self.set_header("Content-Type", "application/vnd.git-lfs+json")
        self.finish(json.dumps({"transfer": "basic", "objects": said, "hash_algo": "sha256"}))

    def _said(
        self, repository: Repository, caller: Caller, one: Mapping[str, Any], kept: Mapping[str, int]
    ) -> dict[str, Any]:
        oid, size = str(one.get("oid", "")), int(one.get("size", -1))
        if len(oid) != 64 or set(oid) - set("0123456789abcdef") or size < 0:
            raise Refused(400, "An object has no SHA-256, or no size")
        said: dict[str, Any] = {"oid": oid, "size": size}
        waits = publishing.staged(self.store, caller, oid)
        if kept.get(oid) == size or (waits.is_file() and waits.stat().st_size == size):
            return said
        try:
            publishing.check_waiting(self.service, caller, size)
        except Refused as error:
            return {**said, "error": {"code": error.status, "message": str(error)}}
        self.store.blobs.check_room(size)
        return {**said, "actions": {"upload": {"href": self.address(f"upload/{self._ticket(caller, oid, size)}")}}}

    def _ticket(self, caller: Caller, oid: str, size: int) -> str:
        return seal(self.store, ["file", caller.name, caller.instructor, oid, size, int(time.time()) + VALID])


class ReceiveLarge(Receiving):
    """One large file. The address says who sends it: clients give no token here."""

    async def prepare(self) -> None:
        if self.request.method != "PUT":
            raise Refused(405, "Large files are PUT here")
        await super().prepare()

    def limit(self) -> int:
        try:
            what, name, instructor, self.oid, self.size, until = unseal(self.store, self.path_args[0])
        except (ValueError, TypeError):
            what = ""
        if what != "file":
            raise Missing("The hub has nothing there", "")
        self.identify(name, instructor, until)
        size: int = self.size
        return size

    async def put(self, ticket: str) -> None:
        await self.disk(self._keep, self.received)
        self.answer({})

    def _keep(self, writer: Writer) -> None:
        if (writer.size, writer.sha256) != (self.size, self.oid):
            raise Refused(400, "What came is not what was announced: it was damaged on the way, or changed meanwhile")
        publishing.stage(self.store, self.sender, writer)


ROUTES: list[tuple[str, type[Handler]]] = [
    (r"/upload/([\w\-]+)", ReceiveLarge),
    (rf"/(?:(datasets)/)?{ID}\.git/info/lfs/objects/batch", LargeFiles),
]

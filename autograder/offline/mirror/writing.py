"""The part of the clients' protocol that writes: repositories, versions, branches, tags, large files."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tornado import web

from autograder.offline.mirror import card, publishing
from autograder.offline.mirror.blobs import Writer
from autograder.offline.mirror.handling import Handler
from autograder.offline.mirror.large import is_large
from autograder.offline.mirror.names import Missing, Refused, Repository
from autograder.offline.mirror.reading import ID, KIND, REVISION, json_body
from autograder.offline.mirror.store import MAIN, Commit
from autograder.offline.mirror.tickets import VALID, seal, unseal
from autograder.offline.mirror.tokens import Caller

#: Files of one preupload, as the clients divide them.
_MOST_FILES = 1000
#: Bytes of a commit beside the contents of its files.
_BESIDE = 64 << 20
#: Bytes a second that a sender must keep up.
_SLOWEST = 1500


class CreateRepository(Handler):
    """A new repository of the caller's."""

    async def post(self) -> None:
        caller, given = self.must_be_known(), json_body(self)
        author = str(given.get("organization") or caller.name)
        repository = _named(given, author)
        if not caller.may_write(author):
            raise Refused(403, f"{caller.name} may not publish under the name {author}, only under {caller.name}")
        private = bool(given.get("private")) or given.get("visibility") == "private"
        url = self.address(repository.path)
        try:
            await self.disk(publishing.create, self.store, repository, caller, private)
        except Refused as error:
            if error.status != 409:
                raise
            self.set_status(409)
            self.set_header("X-Error-Message", str(error))
            self.answer({"error": str(error), "url": url})
            return
        self.answer({"url": url, "name": repository.name, "id": repository.name})


class DeleteRepository(Handler):
    """A repository is removed, with all its versions."""

    async def delete(self) -> None:
        caller, given = self.must_be_known(), json_body(self)
        repository = _named(given, str(given.get("organization") or caller.name))
        await self.disk(self.repository, repository.kind, repository.name)
        self.must_change(repository)
        await self.disk(self.store.remove, repository)
        self.answer({})


class Settings(Handler):
    """Who may see a repository."""

    async def put(self, kinds: str, name: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        self.must_change(repository)
        given = json_body(self)
        if given.get("gated") == "manual":
            raise Refused(400, "Access by hand is not offered here: choose 'auto', for everybody who has a token")
        await self.disk(self._change, repository, given)
        self.answer({})

    def _change(self, repository: Repository, given: Mapping[str, Any]) -> None:
        with self.store.locked(repository):
            state = self.store.state(repository)
            if "gated" in given:
                state = replace(state, gated=bool(given["gated"]))
            if "private" in given or "visibility" in given:
                state = replace(state, private=bool(given.get("private")) or given.get("visibility") == "private")
            self.store.write_state(repository, state)


class Preupload(Handler):
    """How each file is to be sent: with the commit, or before it."""

    async def post(self, kinds: str, name: str, revision: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        self.must_change(repository)
        refuse_pull_request(self)
        files = json_body(self).get("files")
        if not isinstance(files, list) or len(files) > _MOST_FILES:
            raise Refused(400, "The list of files is none, or too long")
        commit = await self.disk(self.store.version, repository, revision)
        self.answer({"files": [self._said(commit, file) for file in files], "commitOid": commit.id})

    def _said(self, commit: Commit, given: Mapping[str, Any]) -> dict[str, Any]:
        path, size = str(given.get("path", "")), int(given.get("size", 0))
        here, large = commit.files.get(path), is_large(path, size)
        said: dict[str, Any] = {
            "path": path,
            "uploadMode": "lfs" if large else "regular",
            "shouldIgnore": False,
            "oid": None,
        }
        if here is not None:
            said["oid"] = here.sha256 if large else here.oid
        return said


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


@web.stream_request_body
class Receiving(Handler):
    """Takes a body to the disk as it comes."""

    writer: Writer | None = None
    sender: Caller
    _gone = False

    def identify(self, name: str, instructor: bool, until: float) -> None:
        """What is sent comes from the account `name`, whose ticket can be used until that moment.

        Raises:
            Refused: if it is too late.
        """
        if not -VALID < until - time.time() <= VALID:
            raise Refused(403, "The permission for this upload is too old: start the upload again")
        self.sender = Caller(name, instructor)

    def limit(self) -> int:
        """How many bytes may come, once it is known who sends them; call it from a thread."""
        raise NotImplementedError

    async def prepare(self) -> None:
        await super().prepare()
        if self.request.method not in ("PUT", "POST"):
            return
        most = await self.disk(self.limit)
        announced = int(self.request.headers.get("Content-Length") or 0)
        if announced > most:
            raise Refused(413, f"{announced} bytes are more than are taken at once ({most})")
        connection: Any = self.request.connection
        connection.set_max_body_size(most)
        connection.set_body_timeout(60 + (announced or most) / _SLOWEST)
        self.writer = await self.disk(self.store.blobs.writer, announced)
        if self._gone:  # meanwhile
            self._end()

    async def data_received(self, chunk: bytes) -> None:
        if self.writer is not None:
            await self.disk(self.writer.write, chunk)

    def on_finish(self) -> None:
        self._end()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone = True
        self._end()

    def _end(self) -> None:
        if self.writer is not None:
            writer, self.writer = self.writer, None
            self.service.threads.submit(writer.discard)

    @property
    def received(self) -> Writer:
        """What came.

        Raises:
            Refused: if nothing did.
        """
        if self.writer is None:
            raise Refused(400, "Nothing was sent")
        return self.writer


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


class MakeCommit(Receiving):
    """A new version."""

    def limit(self) -> int:
        kinds, name, _ = self.path_args
        self.target = self.repository(kinds, name)
        caller = self.must_change(self.target)
        refuse_pull_request(self)
        return (1 << 40) if caller.instructor else self.service.quota.repository * 4 // 3 + _BESIDE

    async def post(self, kinds: str, name: str, revision: str) -> None:
        caller, path = self.must_be_known(), await self.disk(self.received.flush)
        made = await self.disk(publishing.commit, self.service, self.target, revision, path, caller)
        if warning := await self.disk(publishing.licence_missing, self.service, self.target):
            self.set_header("X-HF-Warning", f"licence; {warning}")
        url = self.address(f"{self.target.path}/commit/{made.id}")
        self.answer({"success": True, "commitOid": made.id, "commitUrl": url, "hookOutput": ""})


class Branch(Handler):
    """A branch is made or removed."""

    async def post(self, kinds: str, name: str, branch: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        self.must_change(repository)
        start = str(json_body(self).get("startingPoint") or MAIN)
        commit = await self.disk(self.store.resolve, repository, start)
        await self.disk(publishing.change_reference, self.store, repository, "branches", branch, commit)
        self.answer({})

    async def delete(self, kinds: str, name: str, branch: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        self.must_change(repository)
        await self.disk(publishing.change_reference, self.store, repository, "branches", branch, None)
        self.answer({})


class Tag(Handler):
    """A version gets a name that stays, or loses it."""

    async def post(self, kinds: str, name: str, revision: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        self.must_change(repository)
        commit = await self.disk(self.store.resolve, repository, revision)
        tag = str(json_body(self).get("tag", ""))
        await self.disk(publishing.change_reference, self.store, repository, "tags", tag, commit)
        self.answer({})

    async def delete(self, kinds: str, name: str, tag: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        self.must_change(repository)
        await self.disk(publishing.change_reference, self.store, repository, "tags", tag, None)
        self.answer({})


class Squash(Handler):
    """The versions of a branch become one."""

    async def post(self, kinds: str, name: str, branch: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        caller = self.must_change(repository)
        title = str(json_body(self).get("message") or "Squashed")[:500]
        await self.disk(publishing.squash, self.store, repository, branch, title, caller)
        self.answer({})


class CheckCard(Handler):
    """Whether the front matter of a card can be read, which clients ask before they send it."""

    def post(self) -> None:
        errors, warnings = [], []
        try:
            if not card.licence(card.parse(card.split(str(json_body(self).get("content", "")))[0])):
                sentence = "The front matter names no licence: others will not see this until it does."
                warnings.append({"message": sentence})
        except ValueError as error:
            errors.append({"message": f"The front matter cannot be read: {error}"})
        self.set_status(400 if errors else 200)
        self.answer({"errors": errors, "warnings": warnings})


class Discussions(Handler):
    """There are none here."""

    def get(self, kinds: str, name: str) -> None:
        self.answer({"discussions": [], "count": 0, "start": 0})

    def post(self, kinds: str, name: str) -> None:
        raise Refused(403, "There are no pull requests and discussions on this hub: talk to the owner")


def refuse_pull_request(handler: Handler) -> None:
    """Refuse to make a pull request.

    Raises:
        Refused: if the query asks for one.
    """
    if handler.flag("create_pr"):
        raise Refused(403, "There are no pull requests on this hub: commit to a branch of your own repository")


def _named(given: Mapping[str, Any], author: str) -> Repository:
    kind = str(given.get("type") or "model")
    if kind not in ("model", "dataset"):
        raise Refused(400, f"This hub has models and data sets, and no {kind}s")
    name = str(given.get("name", ""))
    return Repository.checked(kind, name if "/" in name else f"{author}/{name}")


ROUTES: list[tuple[str, type[Handler]]] = [
    (r"/api/repos/create", CreateRepository),
    (r"/api/repos/delete", DeleteRepository),
    (r"/api/validate-yaml", CheckCard),
    (r"/upload/([\w\-]+)", ReceiveLarge),
    (rf"/(?:(datasets)/)?{ID}\.git/info/lfs/objects/batch", LargeFiles),
    (rf"/api/{KIND}/{ID}/preupload/{REVISION}", Preupload),
    (rf"/api/{KIND}/{ID}/commit/{REVISION}", MakeCommit),
    (rf"/api/{KIND}/{ID}/branch/([^/]+)", Branch),
    (rf"/api/{KIND}/{ID}/tag/{REVISION}", Tag),
    (rf"/api/{KIND}/{ID}/super-squash/{REVISION}", Squash),
    (rf"/api/{KIND}/{ID}/settings", Settings),
    (rf"/api/{KIND}/{ID}/discussions", Discussions),
]

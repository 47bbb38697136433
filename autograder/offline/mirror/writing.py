"""The part of the clients' protocol that writes: repositories, versions, branches, tags, large files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autograder.offline.mirror import card, publishing
from autograder.offline.mirror.handling import Handler
from autograder.offline.mirror.large import is_large
from autograder.offline.mirror.names import Refused, Repository
from autograder.offline.mirror.reading import ID, KIND, REVISION, json_body
from autograder.offline.mirror.receiving import Receiving
from autograder.offline.mirror.store import MAIN
from autograder.offline.mirror.versions import Commit

#: Files of one preupload, as the clients divide them.
_MOST_FILES = 1000
#: Bytes of a commit beside the contents of its files.
_BESIDE = 64 << 20


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
    (rf"/api/{KIND}/{ID}/preupload/{REVISION}", Preupload),
    (rf"/api/{KIND}/{ID}/commit/{REVISION}", MakeCommit),
    (rf"/api/{KIND}/{ID}/branch/([^/]+)", Branch),
    (rf"/api/{KIND}/{ID}/tag/{REVISION}", Tag),
    (rf"/api/{KIND}/{ID}/super-squash/{REVISION}", Squash),
    (rf"/api/{KIND}/{ID}/settings", Settings),
    (rf"/api/{KIND}/{ID}/discussions", Discussions),
]

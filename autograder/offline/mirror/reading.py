"""The part of the clients' protocol that reads: listings, information, and the files themselves."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from autograder.offline.mirror import facts
from autograder.offline.mirror.handling import Handler
from autograder.offline.mirror.names import Missing, Refused, Repository
from autograder.offline.mirror.resolving import Resolve, must_read
from autograder.offline.mirror.store import MAIN

#: Entries on a page of a listing, and on one where each needs its history.
PAGE, PAGE_EXPANDED = 1000, 50
#: Properties that may be asked for one by one but are known of no repository here.
_NEVER = {"evalResults", "inference", "inferenceProviderMapping", "gguf", "resourceGroup", "citation", "description"}
_NEVER |= {"paperswithcode_id", "mainSize", "model-index", "transformersInfo", "widgetData", "mask_token"}
_SORTS = {"lastModified", "createdAt", "downloads", "likes", "trendingScore", "id"}


class WhoAmI(Handler):
    """Whose the token is."""

    def get(self) -> None:
        caller = self.must_be_known()
        token = {"type": "access_token", "accessToken": {"displayName": "campus", "role": "write"}}
        self.answer(
            {
                "type": "user",
                "id": caller.name,
                "name": caller.name,
                "fullname": caller.name,
                "email": None,
                "canPay": False,
                "isPro": False,
                "orgs": [],
                "auth": token,
            }
        )


class Paged(Handler):
    """Gives out a long list page by page."""

    def page(self, found: list[Any], size: int) -> None:
        """Answer with the part of `found` that is asked for, and say where the next one is."""
        start = self.number("cursor", 0)
        if start + size < len(found):
            rest = [
                (name, value.decode("utf-8", "replace"))
                for name, values in self.request.query_arguments.items()
                if name != "cursor"
                for value in values
            ]
            query = urlencode([*rest, ("cursor", start + size)])
            self.set_header("Link", f'<{self.address(self.request.path.lstrip("/"))}?{query}>; rel="next"')
        self.answer(found[start : start + size])

    def number(self, name: str, usual: int) -> int:
        """The number that the query gives for `name`."""
        text = self.get_query_argument(name, str(usual))
        if not text.isdecimal() or len(text) > 9:
            raise Refused(400, f"Invalid {name} parameter: {text[:50]}")
        return int(text)


class Listing(Paged):
    """Models or data sets, searched, filtered and sorted."""

    async def get(self, kinds: str) -> None:
        found = await self.disk(self.search, kinds.removesuffix("s"))
        self.page(found, min(max(self.number("limit", PAGE), 1), PAGE))

    def search(self, kind: str) -> list[dict[str, Any]]:
        """What the query asks for, all pages of it."""
        said, counted = [], bool({"usedStorage", "safetensors"} & set(asked(self)))
        for repository in self.matching(kind):
            commit = self.service.head(repository)
            about = facts.info(self.store, repository, commit, counted=counted)
            if self._passes(about):
                said.append(about)
        key = self.get_query_argument("sort", "lastModified")
        if key not in _SORTS:
            raise Refused(400, f"Invalid sort parameter: {key[:50]}")
        descending = self.get_query_argument("direction", "-1") != "1" and key != "id"
        said.sort(key=lambda about: about["id"])
        said.sort(key=lambda about: about[key], reverse=descending)
        return [self._trimmed(about) for about in said]

    def matching(self, kind: str) -> list[Repository]:
        """Repositories that the caller may see, by name and author as the query says."""
        words = [word.lower() for text in self.get_query_arguments("search") for word in text.split()]
        author = self.get_query_argument("author", "").lower()
        found = []
        for repository in self.store.all():
            name = repository.name.lower()
            if repository.kind != kind or (author and repository.author.lower() != author):
                continue
            if all(word in name for word in words) and self.service.visible(repository, self.caller):
                found.append(repository)
        return found

    def _passes(self, about: dict[str, Any]) -> bool:
        wanted = self.get_query_arguments("filter")
        for name in ("pipeline_tag", "library"):
            wanted += self.get_query_arguments(name)
        tags = {tag.lower() for tag in about["tags"]}
        tags |= {f"author:{about['author']}".lower(), str(about.get("library_name", "")).lower()}
        have = tags | {tag.partition(":")[2] for tag in tags if ":" in tag}
        gated = self.get_query_argument("gated", "")
        if gated and (gated.lower() == "true") != bool(about["gated"]):
            return False
        return all(tag.strip().lower() in have for text in wanted for tag in text.split(",") if tag.strip())

    def _trimmed(self, about: dict[str, Any]) -> dict[str, Any]:
        if expand := asked(self):
            return expanded(about, expand)
        full = self.flag("full")
        dropped = {"usedStorage", "downloadsAllTime", "spaces", "safetensors"}
        dropped |= set() if full else {"siblings", "author"}
        dropped |= set() if self.flag("cardData") or full else {"cardData"}
        dropped |= set() if self.flag("config") else {"config"}
        return {name: value for name, value in about.items() if name not in dropped}


def asked(handler: Handler) -> list[str]:
    """The properties that a query names one by one."""
    return [*handler.get_query_arguments("expand"), *handler.get_query_arguments("expand[]")]


def expanded(about: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Of all that is said of a repository, what is asked for.

    Raises:
        Refused: if something is asked for that there is not.
    """
    for name in names:
        if name not in about and name not in _NEVER and name not in ("config", "safetensors", "spaces", "pipeline_tag"):
            if name == "library_name":
                continue
            raise Refused(400, f"Invalid expand parameter: {name[:50]}")
    kept = {"_id", "id", "modelId", *names}
    return {name: value for name, value in about.items() if name in kept}


class Info(Handler):
    """One repository, at one version."""

    async def get(self, kinds: str, name: str, revision: str | None = None) -> None:
        self.answer(await self.disk(self._said, kinds, name, revision))

    def _said(self, kinds: str, name: str, revision: str | None) -> dict[str, Any]:
        repository = self.repository(kinds, name)
        commit = self.store.version(repository, revision) if revision else self.service.head(repository)
        about = facts.info(self.store, repository, commit, blobs=self.flag("blobs"))
        if self.flag("securityStatus"):
            about["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
        expand = asked(self)
        return expanded(about, expand) if expand else about


class Tree(Paged):
    """The files and folders of one version."""

    async def get(self, kinds: str, name: str, revision: str = MAIN, folder: str = "") -> None:
        expand = self.flag("expand")
        self.page(
            await self.disk(self._entries, kinds, name, revision, folder, expand), PAGE_EXPANDED if expand else PAGE
        )

    def _entries(self, kinds: str, name: str, revision: str, folder: str, expand: bool) -> list[dict[str, Any]]:
        repository = self.repository(kinds, name)
        commit = self.store.version(repository, revision)
        entries = facts.tree(commit, (folder or "").strip("/"), self.flag("recursive"))
        return facts.with_last_commits(self.store, repository, commit, entries) if expand else entries


class PathsInfo(Handler):
    """Some files and folders of one version."""

    async def post(self, kinds: str, name: str, revision: str) -> None:
        paths, expand = self.get_body_arguments("paths", strip=False), self.get_body_argument("expand", "") == "true"
        if self.request.headers.get("Content-Type", "").startswith("application/json"):
            given = json_body(self)
            paths, expand = [str(path) for path in given.get("paths", [])], bool(given.get("expand"))
        if len(paths) > PAGE:
            raise Refused(413, f"More than {PAGE} paths are asked for at once")
        self.answer(await self.disk(self._said, kinds, name, revision, paths, expand))

    def _said(self, kinds: str, name: str, revision: str, paths: list[str], expand: bool) -> list[dict[str, Any]]:
        repository = self.repository(kinds, name)
        commit = self.store.version(repository, revision)
        entries = facts.paths_info(commit, paths)
        return facts.with_last_commits(self.store, repository, commit, entries) if expand else entries


class Refs(Handler):
    """Branches and tags."""

    async def get(self, kinds: str, name: str) -> None:
        state = self.store.state(await self.disk(self.repository, kinds, name))

        def listed(folder: str, names: Any) -> list[dict[str, str]]:
            return [
                {"name": one, "ref": f"refs/{folder}/{one}", "targetCommit": commit} for one, commit in names.items()
            ]

        branches, tags = listed("heads", state.branches), listed("tags", state.tags)
        said: dict[str, Any] = {"branches": branches, "tags": tags, "converts": []}
        if self.flag("include_prs"):
            said["pullRequests"] = []
        self.answer(said)


class Commits(Paged):
    """How a version came about, the last change first."""

    async def get(self, kinds: str, name: str, revision: str = MAIN) -> None:
        self.page(await self.disk(self._said, kinds, name, revision), PAGE)

    def _said(self, kinds: str, name: str, revision: str) -> list[dict[str, Any]]:
        repository = self.repository(kinds, name)
        said = []
        for commit in self.store.history(repository, revision):
            authors = [{"user": commit.author or "unknown"}]
            one: dict[str, Any] = {
                "id": commit.id,
                "title": commit.title,
                "message": commit.message,
                "date": commit.date,
            }
            if "formatted" in asked(self):
                one["formatted"] = {"title": _escaped(commit.title), "message": _escaped(commit.message)}
            said.append({**one, "authors": authors})
        return said


class AuthCheck(Handler):
    """Whether the caller may read a repository."""

    async def get(self, kinds: str, name: str) -> None:
        repository = await self.disk(self.repository, kinds, name)
        if self.flag("write"):
            self.must_change(repository)
        must_read(self, repository)
        self.answer({})


class NoSpaces(Handler):
    """There are no spaces here."""

    async def prepare(self) -> None:
        raise Missing("Repository not found: this hub has models and data sets, and no spaces", "RepoNotFound")


def json_body(handler: Handler) -> dict[str, Any]:
    """The JSON object that was sent.

    Raises:
        Refused: if none was.
    """
    try:
        given = json.loads(handler.request.body or b"{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Refused(400, "What was sent is not a JSON object")
    return given


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


ID = r"((?:[\w.\-]+/)?[\w.\-]+)"
KIND = r"(models|datasets)"
REVISION = r"(refs/(?:pr|convert|heads|tags)/[^/]+|[^/]+)"

ROUTES: list[tuple[str, type[Handler]]] = [
    (r"/api/whoami-v2", WhoAmI),
    (rf"/api/{KIND}", Listing),
    (rf"/api/{KIND}/{ID}/revision/{REVISION}", Info),
    (rf"/api/{KIND}/{ID}/tree/{REVISION}(?:/(.*))?", Tree),
    (rf"/api/{KIND}/{ID}/paths-info/{REVISION}", PathsInfo),
    (rf"/api/{KIND}/{ID}/refs", Refs),
    (rf"/api/{KIND}/{ID}/commits/{REVISION}", Commits),
    (rf"/api/{KIND}/{ID}/auth-check", AuthCheck),
    (rf"/api/{KIND}/{ID}", Info),
    (r"/(?:api/)?spaces(?:/.*)?", NoSpaces),
    (rf"/(?:(datasets)/)?{ID}/(?:resolve|raw)/{REVISION}/(.+)", Resolve),
]

"""From another hub into this one, over a link that may break at any moment.

The other hub is asked as the ordinary clients ask; another campus's is as good as any. What is fetched is compared with
the names of contents that it gave, and what was cut goes on where it ended, in this run or in a later one.
"""

from __future__ import annotations

import fcntl
import fnmatch
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

from autograder.errors import UstodError
from autograder.offline.mirror.blobs import PIECE, describe
from autograder.offline.mirror.names import COMMIT, Repository, check_file_name
from autograder.offline.mirror.store import MAIN, Store, fsync_file
from autograder.offline.mirror.versions import Commit, File, State, now

#: Seconds that the other hub may take for the next bytes, and between two tries.
PATIENCE, PAUSE = 60, 1.0
#: Tries that bring nothing before a file is given up, and before a question is.
TRIES, QUESTIONS = 8, 3

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Listed:
    """A file as the other hub lists it: `name` is its SHA-256 if it is large, else git's name."""

    path: str
    size: int
    name: str
    large: bool


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and tells no other host who asks."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            request.headers.pop("Authorization", None)
            request.unredirected_hdrs.pop("Authorization", None)
        return request


class Upstream:
    """Another hub, at the address `endpoint`."""

    def __init__(self, endpoint: str, token: str = "") -> None:
        self.endpoint, self._token = endpoint.rstrip("/"), token
        self._opener = urllib.request.build_opener(_SameHost)

    def commit(self, repository: Repository, revision: str) -> dict[str, Any]:
        """What it says of a version.

        Raises:
            UstodError: if it has none such, or cannot be reached.
        """
        kinds, rev = f"{repository.kind}s", quote(revision, safe="")
        data, _ = self._json(f"{self.endpoint}/api/{kinds}/{repository.name}/revision/{rev}")
        if not isinstance(data, dict) or not COMMIT.fullmatch(str(data.get("sha"))):
            raise UstodError(f"{self.endpoint} does not say which version of {repository} {revision} is.")
        return data

    def tags(self, repository: Repository) -> set[str]:
        """The names of its tags."""
        data, _ = self._json(f"{self.endpoint}/api/{repository.kind}s/{repository.name}/refs")
        return {str(tag["name"]) for tag in data.get("tags", [])}

    def files(self, repository: Repository, commit: str) -> Iterator[Listed]:
        """The files of a version."""
        url: str | None = (
            f"{self.endpoint}/api/{repository.kind}s/{repository.name}/tree/{commit}?recursive=True&expand=False"
        )
        while url:
            entries, url = self._json(url)
            for entry in entries:
                if entry["type"] == "file":
                    large = entry.get("lfs")
                    name = str(large["oid"] if large else entry["oid"])
                    if not re.fullmatch(r"[0-9a-f]{64}" if large else r"[0-9a-f]{40}", name):
                        raise UstodError(
                            f"{self.endpoint} does not name the content of {entry['path']} in {repository}."
                        )
                    size = int(large["size"] if large else entry["size"])
                    yield Listed(check_file_name(str(entry["path"])), size, name, bool(large))

    def fetch(
        self, repository: Repository, commit: str, listed: Listed, file: IO[bytes], told: Callable[[int], None]
    ) -> None:
        """Append to `file` what it does not have of the file that is `listed`.

        Raises:
            UstodError: if nothing more comes.
        """
        prefix = "datasets/" if repository.kind == "dataset" else ""
        url = f"{self.endpoint}/{prefix}{repository.name}/resolve/{commit}/{quote(listed.path)}"
        failures = 0
        while (have := file.seek(0, 2)) < listed.size:
            try:
                with self._open(url, {"Range": f"bytes={have}-"} if have else {}) as answer:
                    if have and answer.status != 206:
                        file.truncate(0)
                        file.seek(0)
                    while piece := answer.read(PIECE):
                        file.write(piece)
                        told(file.tell())
                        failures = 0
                if file.tell() <= have:
                    failures = self._waited(failures + 1, url, ConnectionError("nothing comes"))
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in (408, 429):
                    raise self._refused(url, error) from None
                failures = self._waited(failures + 1, url, error)
            except (OSError, HTTPException) as error:
                failures = self._waited(failures + (file.tell() == have), url, error)

    def _json(self, url: str) -> tuple[Any, str | None]:
        failures = 0
        while True:
            try:
                with self._open(url, {}) as answer:
                    following = re.search(r'<([^>]+)>\s*;\s*rel="next"', answer.headers.get("Link", ""))
                    data = json.loads(answer.read())
                    return data, urljoin(url, following[1]) if following else None
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in (408, 429):
                    raise self._refused(url, error) from None
                failures = self._waited(failures + 1, url, error, QUESTIONS)
            except ValueError:
                raise UstodError(f"{url} does not answer as a hub does: is --from the address of one?") from None
            except (OSError, HTTPException) as error:
                failures = self._waited(failures + 1, url, error, QUESTIONS)

    def _open(self, url: str, headers: dict[str, str]) -> Any:
        if urlsplit(url).scheme not in ("http", "https"):
            raise UstodError(f"{url} is no address of a hub: it must begin with http:// or https://.")
        identity = {"Accept-Encoding": "identity", "User-Agent": "ustod-mirror"}
        request = urllib.request.Request(url, headers=identity | headers)
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        return self._opener.open(request, timeout=PATIENCE)

    def _refused(self, url: str, error: urllib.error.HTTPError) -> UstodError:
        said = error.headers.get("X-Error-Message") or error.reason
        return UstodError(
            f"{url} is refused by the other hub ({error.code}: {said}): look at the name and the version."
        )

    def _waited(self, failures: int, url: str, error: BaseException, most: int = TRIES) -> int:
        if failures >= most:
            why = getattr(error, "reason", None) or error
            raise UstodError(
                f"{url} cannot be reached ({why}): what came is kept, so run the same command again to go on."
            ) from None
        time.sleep(min(PAUSE * 2**failures, 30) if failures else PAUSE / 4)
        return failures


def add(
    store: Store, upstream: Upstream, repository: Repository, revision: str, include: list[str], progress: Progress
) -> tuple[str, int]:
    """Bring one version of a repository, of which `include` are patterns of the files that are wanted, all if none.

    Returns:
        its name, and the bytes that came.

    Raises:
        UstodError: if it cannot be brought, or if people of this campus publish under the name.
    """
    if store.has(repository) and store.state(repository).owner:
        raise UstodError(f"{repository} was published here by {store.state(repository).owner}: it is not replaced.")
    about = upstream.commit(repository, revision)
    name = str(about["sha"])
    listed = [
        file
        for file in upstream.files(repository, name)
        if not include or any(fnmatch.fnmatch(file.path, pattern) for pattern in include)
    ]
    if not listed:
        raise UstodError(f"No file of {repository} is called as --include says, so nothing was brought.")
    is_tag = not COMMIT.fullmatch(revision) and revision != MAIN and revision in upstream.tags(repository)
    known = _known(store, repository)
    total, done, brought = sum(file.size for file in listed), 0, 0
    files: dict[str, File] = {}
    with store.in_use():
        for file in listed:
            if file.name not in known or not store.blobs.has(known[file.name].sha256, file.size):
                told = partial(_tell, progress, file.path, done, total)
                known[file.name] = _bring(store, upstream, repository, name, file, told)
                brought += file.size
            content = known[file.name]
            files[file.path] = File(content.sha256, content.size, content.oid, file.large)
            done += file.size
            progress(file.path, done, total)
        _record(store, repository, revision, is_tag, name, files, str(about.get("lastModified") or now()), upstream)
    return name, brought


def _tell(progress: Progress, path: str, before: int, total: int, count: int) -> None:
    progress(path, before + count, total)


def _known(store: Store, repository: Repository) -> dict[str, File]:
    """Contents that are here, by both of their names."""
    found: dict[str, File] = {}
    for other in store.all():
        for commit in store.commits(other):
            for file in commit.files.values():
                found[file.sha256] = file
                found[file.oid] = file
    return found


def _bring(
    store: Store,
    upstream: Upstream,
    repository: Repository,
    commit: str,
    listed: Listed,
    told: Callable[[int], None],
) -> File:
    path = store.partial / listed.name
    with _own(path) as file:
        store.blobs.check_room(listed.size - file.seek(0, 2))
        upstream.fetch(repository, commit, listed, file, told)
        file.flush()
        content = describe(path)
        if (content.sha256 if listed.large else content.oid) != listed.name or content.size != listed.size:
            path.unlink()
            raise UstodError(
                f"{listed.path} of {repository} is not what {upstream.endpoint} says it is: it was damaged on the way; "
                "run the same command again."
            )
        fsync_file(path)
        store.blobs.place(path, content.sha256)
    return File(content.sha256, content.size, content.oid, listed.large)


@contextmanager
def _own(path: Path) -> Iterator[IO[bytes]]:
    """The file `path`, to which nobody else adds meanwhile."""
    while True:
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                yield file
                return


def _record(
    store: Store,
    repository: Repository,
    revision: str,
    is_tag: bool,
    name: str,
    files: dict[str, File],
    date: str,
    upstream: Upstream,
) -> None:
    before = store.state(repository) if store.has(repository) else None
    same = before is not None and (store.folder(repository) / "commits" / f"{name}.json").is_file()
    if same:  # more of its files are wanted than were
        files = {**store.commit(repository, name).files, **files}
    title = f"As {urlsplit(upstream.endpoint).netloc} has it"
    parent = before.branches.get(MAIN if COMMIT.fullmatch(revision) else revision) if before else None
    commit = Commit(name, parent if parent != name else None, repository.author, title, "", date, files)
    if before is None:
        store.create(repository, State(branches={MAIN: name}), commit)
    with store.locked(repository):
        store.add_commit(repository, commit)
        state = store.state(repository)
        if is_tag:
            state = replace(state, tags={**state.tags, revision: name})
        elif not COMMIT.fullmatch(revision):
            state = replace(state, branches={**state.branches, revision: name})
        store.write_state(repository, state)

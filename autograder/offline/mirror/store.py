"""What the hub keeps: repositories whose every version is a small list of files, each named by its content.

    blobs/, incoming/                              contents, see `blobs`
    repositories/models--org--name/
        commits/<commit>.json                      one version, never changed
        state.json                                 branches, tags and settings, replaced in one step
    staged/<account>/<sha256>                      large files sent ahead of their commit
    partial/<name of content>                      downloads from other hubs that were cut
    locks/, trash/

A version is written before anything names it, and its contents before it: what a reader can find is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.errors import UstodError
from autograder.files import sync, write_text
from autograder.offline.mirror.blobs import RESERVE, Blobs
from autograder.offline.mirror.names import COMMIT, Missing, Refused, Repository
from autograder.offline.mirror.versions import Commit, State, now

MAIN = "main"
#: Seconds after which large files that no commit names, and downloads that were cut, are taken for given up.
STAGED_FOR, PARTIAL_FOR = 2 * 86_400, 30 * 86_400


class Store:
    """The folder `root`. Its methods wait for the disk: call them from a thread. Several processes may use one."""

    def __init__(self, root: Path, reserve: int = RESERVE) -> None:
        self.root = root
        self._repositories, self._locks, self._trash = root / "repositories", root / "locks", root / "trash"
        self.staged, self.partial = root / "staged", root / "partial"
        for folder in (self._repositories, self._locks, self._trash, self.staged, self.partial):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.blobs = Blobs(root, reserve)

    def folder(self, repository: Repository) -> Path:
        """Where all of it but the contents is."""
        return self._repositories / repository.slug

    # Reading

    def all(self) -> list[Repository]:
        """Every repository, sorted."""
        found = [path.parent.name for path in self._repositories.glob("*/state.json")]
        return sorted(Repository.of_slug(slug) for slug in found)

    def state(self, repository: Repository) -> State:
        """Its branches, tags and settings.

        Raises:
            Missing: if there is no such repository.
        """
        path = self.folder(repository) / "state.json"
        try:
            stamp = path.stat()
        except OSError:
            raise Missing("Repository not found", "RepoNotFound") from None
        return _read_state(path, (stamp.st_ino, stamp.st_mtime_ns))

    def has(self, repository: Repository) -> bool:
        """Whether it is here."""
        return (self.folder(repository) / "state.json").exists()

    def spelled(self, repository: Repository) -> Repository:
        """The repository that is here under this name but for the case of its letters; the same one if none is."""
        slug = repository.slug.lower()
        return next((one for one in self.all() if one.slug.lower() == slug), repository)

    def resolve(self, repository: Repository, revision: str) -> str:
        """The commit that `revision` names: a branch, a tag, a commit or seven digits or more of one.

        Raises:
            Missing: if it names none, or there is no such repository.
        """
        state = self.state(repository)
        short = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for names in (state.branches, state.tags):
            if short in names:
                return names[short]
        commits = self.folder(repository) / "commits"
        if COMMIT.fullmatch(revision) and (commits / f"{revision}.json").is_file():
            return revision
        if 7 <= len(revision) < 40 and all(digit in "0123456789abcdef" for digit in revision):
            found = [path.stem for path in commits.glob(f"{revision}*.json")]
            if len(found) == 1:
                return found[0]
        raise Missing(f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, repository: Repository, name: str) -> Commit:
        """The version of that name, which must be one that `resolve` gave."""
        path = self.folder(repository) / "commits" / f"{name}.json"
        try:
            stamp = path.stat()
        except FileNotFoundError:  # it was removed meanwhile
            raise Missing(f"Invalid rev id: {name}", "RevisionNotFound") from None
        return _read_commit(path, (stamp.st_ino, stamp.st_mtime_ns))

    def version(self, repository: Repository, revision: str = MAIN) -> Commit:
        """The version that `revision` names; see `resolve`."""
        return self.commit(repository, self.resolve(repository, revision))

    def history(self, repository: Repository, revision: str) -> Iterator[Commit]:
        """The version that `revision` names, that which it was made of, and so on."""
        name: str | None = self.resolve(repository, revision)
        commits = self.folder(repository) / "commits"
        while name and (commits / f"{name}.json").is_file():
            commit = self.commit(repository, name)
            yield commit
            name = commit.parent

    def commits(self, repository: Repository) -> list[Commit]:
        """Every version that is kept, named by a branch or not."""
        return [
            self.commit(repository, path.stem)
            for path in sorted((self.folder(repository) / "commits").glob("*.json"))
            if COMMIT.fullmatch(path.stem)
        ]

    def contents(self, repository: Repository) -> dict[str, int]:
        """The sizes of all contents of all its versions, by name."""
        return {file.sha256: file.size for commit in self.commits(repository) for file in commit.files.values()}

    def size(self, repository: Repository) -> int:
        """Bytes of all its versions, their lists of files included."""
        lists = sum(path.stat().st_size for path in (self.folder(repository) / "commits").glob("*.json"))
        return lists + sum(self.contents(repository).values())

    # Writing

    @contextmanager
    def locked(self, repository: Repository) -> Iterator[None]:
        """Nobody else changes the repository while the block runs, in no process."""
        with (self._locks / f"{repository.slug}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def create(self, repository: Repository, state: State, first: Commit) -> None:
        """Make the repository, with the one version `first` on its branch.

        Raises:
            Refused: if there is one of this name, or of one that differs in the case of its letters alone.
        """
        with self.locked(Repository(repository.kind, repository.name.lower())):
            same = self.spelled(repository)
            if self.has(same):
                raise Refused(409, f"There is a {repository.kind} {same.name} already.")
            self.add_commit(repository, first)
            self.write_state(repository, replace(state, created=state.created or now()))

    def add_commit(self, repository: Repository, commit: Commit) -> None:
        """Keep the version, whose contents are here; nothing names it yet."""
        folder = self.folder(repository) / "commits"
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync(folder.parent)
            sync(self._repositories)
        write_text(folder / f"{commit.id}.json", commit.text)
        sync(folder)

    def write_state(self, repository: Repository, state: State) -> None:
        """Put `state` in the place of what was; call it under the repository's lock."""
        folder = self.folder(repository)
        write_text(folder / "state.json", json.dumps(vars(state), ensure_ascii=False))
        sync(folder)

    def remove(self, repository: Repository) -> None:
        """Remove the repository; contents that no other has go with the next `clean`."""
        with self.locked(repository):
            self.state(repository)
            grave = self._trash / secrets.token_hex(8)
            self.folder(repository).rename(grave)
            sync(self._repositories)
        shutil.rmtree(grave, ignore_errors=True)

    # Housekeeping

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Contents that nothing names yet are left alone while the block runs, in any process."""
        with (self._locks / "contents.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def clean(self) -> int:
        """Remove what interrupted work has left, and what nothing names; returns the bytes that are free now.

        Large files sent ahead of a commit that never came, and downloads that were cut, go after a while. Where others
        write just now, contents that nothing names stay for another time.
        """
        self.blobs.sweep()
        for grave in self._trash.iterdir():
            shutil.rmtree(grave, ignore_errors=True)
        freed = 0
        for folder, kept in ((self.staged, STAGED_FOR), (self.partial, PARTIAL_FOR)):
            for path in [path for path in folder.rglob("*") if path.is_file()]:
                stamp = path.stat()
                if abs(datetime.now(UTC).timestamp() - stamp.st_mtime) > kept:
                    path.unlink(missing_ok=True)
                    freed += stamp.st_size
        with (self._locks / "contents.lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return freed
            try:
                named = {sha256 for repository in self.all() for sha256 in self.contents(repository)}
            except (ValueError, UstodError):  # a spoilt list of files: whose contents they were is not known
                return freed
            return freed + sum(self.blobs.remove(sha256) for sha256 in set(self.blobs.all()) - named)


@lru_cache(maxsize=4096)
def _read_state(path: Path, stamp: object) -> State:
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return State(**data)


@lru_cache(maxsize=512)
def _read_commit(path: Path, stamp: object) -> Commit:
    try:
        return Commit.read(path.stem, path.read_text("utf-8"))
    except ValueError as error:
        raise UstodError(f"{path} is spoilt ({error}): bring the repository anew, or restore the file.") from None


def owner_name(text: str) -> str:
    """`text` as a folder may be called: names of accounts come from elsewhere."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fsync_file(path: Path) -> None:
    """Wait until what `path` holds is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())

"""From one campus to another on a stick: contents by their hash, once each, and a list for every repository.

    ustod-mirror/contents/ab/abcdef…
    ustod-mirror/repositories/models--org--name.json     versions and branches; written last, with a hash of its own

What is there already is not written again, on the stick or in the hub, so that a copy that was stopped goes on, and a
second one carries only what is new. Nothing is taken from a stick that is not what its name says.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from autograder.errors import UstodError
from autograder.offline.mirror.blobs import PIECE
from autograder.offline.mirror.names import COMMIT, Refused, Repository, check_file_name, check_reference
from autograder.offline.mirror.store import MAIN, Store
from autograder.offline.mirror.versions import Commit, State

FOLDER = "ustod-mirror"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Carried:
    """A repository as a stick carries it."""

    repository: Repository
    branches: dict[str, str]
    tags: dict[str, str]
    commits: dict[str, Commit]

    @property
    def contents(self) -> dict[str, int]:
        """The sizes of its contents by name."""
        return {file.sha256: file.size for commit in self.commits.values() for file in commit.files.values()}


def export(store: Store, repositories: Iterable[Repository], stick: Path, progress: Progress) -> int:
    """Write `repositories` to the folder `stick`; returns the bytes that were written.

    Raises:
        UstodError: if it is full, or takes no file of a size.
    """
    top = stick / FOLDER
    written = 0
    carried = [_of(store, repository) for repository in repositories]
    total = sum({name: size for one in carried for name, size in one.contents.items()}.values())
    done: dict[str, int] = {}
    (top / "repositories").mkdir(parents=True, exist_ok=True)
    for one in carried:
        for name, size in sorted(one.contents.items()):
            place = _content(top, name)
            if name not in done and not (place.is_file() and place.stat().st_size == size):
                _write(store.blobs.path(name), place, name, stick)
                written += size
            done[name] = size
            progress(str(one.repository), sum(done.values()), total)
        text = _text(one)
        _replace(top / "repositories" / f"{one.repository.slug}.json", text.encode(), stick)
    return written


def carried(stick: Path) -> list[Carried]:
    """What is on the stick.

    Raises:
        UstodError: if nothing is, or a list is damaged.
    """
    lists = sorted((stick / FOLDER / "repositories").glob("*.json"))
    if not lists:
        raise UstodError(
            f"{stick} has no folder {FOLDER} with models or data sets: name the folder that was exported to."
        )
    return [_read(path) for path in lists]


def take(store: Store, one: Carried, stick: Path, progress: Progress) -> str:
    """Take a repository from the stick; returns what became of it: added, newer, here already, or apart.

    Raises:
        UstodError: if a content on the stick is damaged, or missing; nothing of the repository is taken then.
    """
    top = stick / FOLDER
    total, done = sum(one.contents.values()), 0
    with store.in_use():
        for name, size in sorted(one.contents.items()):
            if not store.blobs.has(name, size):
                _take_content(store, _content(top, name), name, one.repository)
            done += size
            progress(str(one.repository), done, total)
        return _merge(store, one)


def _merge(store: Store, one: Carried) -> str:
    repository = one.repository
    if not store.has(repository):
        first = one.branches.get(MAIN) or next(iter(one.branches.values()))
        for commit in one.commits.values():
            if commit.id != first:
                store.add_commit(repository, commit)
        store.create(repository, State(branches=one.branches, tags=one.tags), one.commits[first])
        return "added"
    with store.locked(repository):
        for name, commit in one.commits.items():
            here = store.folder(repository) / "commits" / f"{name}.json"
            if here.is_file():  # each may have brought other files of one version
                commit = replace(commit, files={**commit.files, **store.commit(repository, name).files})
            store.add_commit(repository, commit)
        state = store.state(repository)
        branches, tags, apart = dict(state.branches), {**one.tags, **state.tags}, False
        for branch, theirs in one.branches.items():
            ours = branches.get(branch)
            if ours is None or ours in _ancestors(store, repository, theirs):
                branches[branch] = theirs
            elif theirs not in _ancestors(store, repository, ours):
                branches[f"{branch}-{theirs[:7]}"] = theirs
                apart = True
        changed = replace(state, branches=branches, tags=tags)
        if changed == state:
            return "here already"
        store.write_state(repository, changed)
        return "apart" if apart else "newer"


def _ancestors(store: Store, repository: Repository, name: str) -> set[str]:
    return {commit.id for commit in store.history(repository, name)}


def _of(store: Store, repository: Repository) -> Carried:
    state = store.state(repository)
    commits = {commit.id: commit for commit in store.commits(repository)}
    return Carried(repository, dict(state.branches), dict(state.tags), commits)


def _text(one: Carried) -> str:
    said = json.dumps(
        {
            "repository": one.repository.slug,
            "branches": one.branches,
            "tags": one.tags,
            "commits": {name: commit.text for name, commit in sorted(one.commits.items())},
        },
        ensure_ascii=False,
    )
    return f"{hashlib.sha256(said.encode()).hexdigest()}\n{said}\n"


def _read(path: Path) -> Carried:
    try:
        mark, said, _ = path.read_text("utf-8").split("\n")
        if hashlib.sha256(said.encode()).hexdigest() != mark:
            raise ValueError
        data = json.loads(said)
        commits = {name: Commit.read(name, text) for name, text in data["commits"].items()}
        one = Carried(Repository.of_slug(data["repository"]), data["branches"], data["tags"], commits)
        for name, commit in commits.items():
            if not COMMIT.fullmatch(name):
                raise ValueError
            for file in commit.files:
                check_file_name(file)
        for name in (*one.branches, *one.tags):
            check_reference(name)
        if not one.branches or not set(one.branches.values()) | set(one.tags.values()) <= set(commits):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Refused):
        raise UstodError(f"{path} is damaged: export that model or data set to the stick again.") from None
    return one


def _take_content(store: Store, place: Path, name: str, repository: Repository) -> None:
    try:
        store.blobs.copy(place, name)
    except FileNotFoundError:
        raise UstodError(f"{place}, of {repository}, is missing on the stick: export to it again.") from None
    except UstodError:
        raise UstodError(
            f"{place}, of {repository}, is damaged, and nothing of that repository was taken: delete the file and "
            "export to the stick again."
        ) from None
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise UstodError(f"{place}, of {repository}, cannot be read: the stick may be worn out; try another.") from None


def _write(source: Path, place: Path, name: str, stick: Path) -> None:
    """Copy a content to the stick, under its name only when all of it is there."""
    digest = hashlib.sha256()
    with _unfinished(place, source, stick) as copy, source.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            copy.write(piece)
        if digest.hexdigest() != name:
            raise UstodError(f"{source} is damaged on this hub's own disk: bring the model or data set here again.")


def _replace(path: Path, data: bytes, stick: Path) -> None:
    with _unfinished(path, path, stick) as file:
        file.write(data)


@contextmanager
def _unfinished(place: Path, source: Path, stick: Path) -> Iterator[IO[bytes]]:
    """A file that gets the name `place` when all that the block writes is on the stick, and is gone if it fails."""
    place.parent.mkdir(parents=True, exist_ok=True)
    path = place.parent / f"{place.name[:60]}.part"
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        path.unlink(missing_ok=True)
        raise _sentence(error, source, stick) if isinstance(error, OSError) else error from None
    path.replace(place)


def _sentence(error: OSError, source: Path, stick: Path) -> UstodError:
    if error.errno == errno.EFBIG:
        return UstodError(f"{source} is larger than {stick} takes: format the stick as exFAT, which takes any size.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(stick).free
        return UstodError(f"{stick} is full ({free / 1e6:.0f} MB free): make room, or take another stick and go on.")
    return UstodError(f"{stick} cannot be written ({error.strerror}): look whether it is write-protected.")


def _content(top: Path, name: str) -> Path:
    return top / "contents" / name[:2] / name

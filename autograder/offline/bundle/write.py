"""Writes a bundle: a folder, one zip, or the pieces of one. Nothing is at its final name until it is whole."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from autograder.errors import UstodError
from autograder.offline.bundle import installer
from autograder.offline.bundle.contents import Content
from autograder.offline.store import sha256_of

Progress = Callable[[int], None]
"""Called with the bytes written so far."""

#: The earliest date that a zip can hold: same contents, same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
#: Stands where the seal goes until it is known; as long as that.
_SEAL = b"seal".ljust(len("sha256:") + 64, b"-")
_MOST_PIECES = 999
#: What is compressed already would only cost time.
_COMPRESSED = (".whl", ".deb", ".tgz", ".gz", ".xz", ".png", ".zip")
#: Files that may be started.
PROGRAMS = (".sh", ".command")


def write_folder(contents: Iterable[Content], out: Path, progress: Progress) -> None:
    """Write the folder `out`. Files that a cut run left, and that are whole, are not written again.

    Raises:
        UstodError: if something else is at `out`.
    """
    _demand_ours(out)
    partial = out.with_name(f".{out.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    wanted, done = {content.path: content for content in contents}, 0
    for path in sorted(p for p in partial.rglob("*") if not p.is_dir()):
        if path.relative_to(partial).as_posix() not in wanted:
            path.unlink()
    for content in wanted.values():
        place = partial / content.path
        if not (place.is_file() and place.stat().st_size == content.size and sha256_of(place) == content.sha256):
            place.parent.mkdir(parents=True, exist_ok=True)
            with content.open() as source, place.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
        place.chmod(0o755 if place.suffix in PROGRAMS else 0o644)
        done += content.size
        progress(done)
    if out.exists():
        old = out.with_name(f".{out.name}.replaced")
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
        partial.rename(out)
        shutil.rmtree(old)
    else:
        partial.rename(out)


def write_zip(contents: Iterable[Content], out: Path, progress: Progress) -> None:
    """Write the one file `out`, which Python can run. Raises UstodError if something else is there."""
    _demand_ours(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("w+b") as file:
            _fill_zip(contents, file, progress)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, out)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_pieces(contents: Iterable[Content], out: Path, size: int, beside: list[Content], progress: Progress) -> None:
    """Write the folder `out` with one zip in pieces of at most `size` bytes, and the files `beside` next to them."""
    _demand_ours(out)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    pieces = _Pieces(partial / "ustod", size)
    _fill_zip(contents, pieces, progress)  # type: ignore[arg-type]
    pieces.close()
    for content in beside:
        place = partial / content.path
        with content.open() as source, place.open("wb") as file:
            shutil.copyfileobj(source, file)
        place.chmod(0o755 if place.suffix in PROGRAMS else 0o644)
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)


def _fill_zip(contents: Iterable[Content], file: BinaryIO, progress: Progress) -> None:
    """Write the zip to `file`: the same bytes for the same contents. It ends with the SHA-256 of all before."""
    done = 0
    with zipfile.ZipFile(_Sealed(file), "w") as archive:
        archive.comment = _SEAL
        for content in [*contents, Content.of_bytes("__main__.py", "stick", installer.STARTER)]:
            info = zipfile.ZipInfo(content.path, _DATE)
            info.compress_type = zipfile.ZIP_STORED if content.path.endswith(_COMPRESSED) else zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if content.path.endswith(PROGRAMS) else 0o644) << 16
            info.create_system = 3  # Unix, wherever it is made
            info.file_size = content.size
            with content.open() as source, archive.open(info, "w") as member:
                while piece := source.read(1 << 20):
                    member.write(piece)
                    done += len(piece)
                    progress(done)


class _Sealed(io.RawIOBase):
    """Passes a zip on, and puts the SHA-256 of what has passed in the place of its comment.

    It cannot go back, so that what was hashed is what is there.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if bytes(view[: len(_SEAL)]) == _SEAL:
            view = memoryview(b"sha256:" + self._digest.hexdigest().encode())
        self._file.write(view)
        self._digest.update(view)
        self._at += len(view)
        return len(view)


class _Pieces(io.RawIOBase):
    """Writes a stream into files `stem`.001, .002 … of at most `size` bytes each."""

    def __init__(self, stem: Path, size: int) -> None:
        self._stem = stem
        self._size = size
        self._count = 0
        self._left = 0
        self._file: BinaryIO | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        total = len(rest)
        while rest:
            if not self._left:
                self._next()
            assert self._file is not None
            taken = rest[: self._left]
            self._file.write(taken)
            self._left -= len(taken)
            rest = rest[len(taken) :]
        return total

    def _next(self) -> None:
        self._finish()
        self._count += 1
        if self._count > _MOST_PIECES:
            raise UstodError(f"The bundle would need more than {_MOST_PIECES} pieces: give --split a larger size.")
        self._file = self._stem.with_name(f"{self._stem.name}.{self._count:03}").open("wb")
        self._left = self._size

    def _finish(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def close(self) -> None:
        self._finish()
        super().close()


def _demand_ours(out: Path) -> None:
    """Refuse to replace what is no bundle."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        installer.Bundle(installer.open_source(out))
    except installer.BundleError:
        raise UstodError(f"{out} is there and is no bundle of Ustod: move it away, or choose another name.") from None

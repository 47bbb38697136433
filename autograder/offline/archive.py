"""Reads the package files that registries carry (wheels, npm tarballs, Debian packages) with the standard library.

A `.deb` is an `ar` archive that holds `debian-binary`, `control.tar.*` and `data.tar.*` (deb(5)). Reading it here,
rather than with `dpkg-deb`, lets a package that came on a stick be opened on any system.
"""

from __future__ import annotations

import fnmatch
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self

from autograder.errors import UstodError

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError)


def ar_members(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Yield (name, offset, size in bytes) of each member of the `ar` archive `file`.

    Raises ValueError where the archive is not one, or ends before its last member does.
    """
    if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise ValueError("not an ar archive")
    end = file.seek(0, io.SEEK_END)
    at = len(_AR_MAGIC)
    while at < end:
        file.seek(at)
        header = file.read(_AR_HEADER)
        if len(header) < _AR_HEADER or header[58:60] != b"`\n":
            raise ValueError("a damaged ar header")
        size = int(header[48:58])
        start = at + _AR_HEADER
        if start + size > end:
            raise ValueError("an ar member that is cut short")
        yield header[:16].decode("ascii").strip().rstrip("/"), start, size
        at = start + size + size % 2  # members start at even offsets


def _deb_data(file: BinaryIO, part: str) -> io.BytesIO:
    for name, start, size in ar_members(file):
        if name.startswith(f"{part}.tar"):
            file.seek(start)
            data = file.read(size)
            return io.BytesIO(data)
    raise ValueError(f"no {part}.tar inside")


class Archive:
    """A package file, open for reading. Member names carry no leading `./`.

    Use it as a context manager. Every method raises UstodError, naming the file, where the package is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._tar: tarfile.TarFile | None = None
        try:
            if path.suffix in (".whl", ".zip"):
                self._zip = zipfile.ZipFile(path)
                self._names = [i.filename for i in self._zip.infolist() if not i.is_dir()]
            else:
                source = self._deb_data() if path.suffix == ".deb" else None
                self._tar = tarfile.open(path, fileobj=source)  # noqa: SIM115, closed by close()
                self._members = {m.name.removeprefix("./"): m for m in self._tar.getmembers() if m.isfile()}
                self._names = list(self._members)
        except _BROKEN as error:
            raise self._damaged(error) from error

    def _deb_data(self) -> IO[bytes]:
        with self.path.open("rb") as file:
            return _deb_data(file, "data")

    def _damaged(self, error: Exception) -> UstodError:
        return UstodError(f"The package {self.path} is damaged ({error}): delete it and fetch again.")

    def match(self, pattern: str) -> list[str]:
        """The member names that match the shell `pattern`, sorted; at least one, or UstodError."""
        names = sorted(fnmatch.filter(self._names, pattern))
        if not names:
            raise UstodError(f"The package {self.path} holds no file {pattern}: its layout changed, report it.")
        return names

    def open(self, name: str) -> IO[bytes]:
        """The member `name` as a binary stream."""
        try:
            if self._zip is not None:
                return self._zip.open(name)
            assert self._tar is not None
            stream = self._tar.extractfile(self._members[name])
        except (*_BROKEN, KeyError) as error:
            raise self._damaged(error) from error
        assert stream is not None  # only regular files are listed
        return stream

    def read(self, name: str) -> bytes:
        """The whole content of the member `name`; the checksum that the format carries is verified on the way."""
        with self.open(name) as stream:
            try:
                return stream.read()
            except _BROKEN as error:
                raise self._damaged(error) from error

    def copy(self, name: str, to: Path) -> None:
        """Write the member `name` to the file `to`, a piece at a time."""
        with self.open(name) as stream, to.open("wb") as out:
            try:
                while piece := stream.read(1 << 20):
                    out.write(piece)
            except _BROKEN as error:
                raise self._damaged(error) from error

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        for opened in (self._zip, self._tar):
            if opened is not None:
                opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def deb_control(path: Path) -> dict[str, str]:
    """The one-line fields (`Package`, `Version`, `Architecture` …) of the Debian package at `path`.

    Raises UstodError where the package is damaged.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=_deb_data(file, "control")) as tar:
            member = next(m for m in tar.getmembers() if m.name.removeprefix("./") == "control")
            stream = tar.extractfile(member)
            assert stream is not None
            lines = stream.read().decode("utf-8").splitlines()
    except (*_BROKEN, StopIteration) as error:
        raise UstodError(f"The package {path} is damaged ({error}): delete it and fetch again.") from error
    return {
        key: value.strip() for key, colon, value in (line.partition(":") for line in lines if line[:1].strip()) if colon
    }

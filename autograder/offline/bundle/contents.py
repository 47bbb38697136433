"""What a bundle is to hold: each file's path in it, the part that it belongs to, and where its bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from autograder.offline.store import sha256_of


@dataclass(frozen=True)
class Content:
    """One file of a bundle.

    Attributes:
        path: where it lies in the bundle, with `/`.
        part: what it is for: see `PARTS`.
        source: the file on this machine, or the bytes themselves.
        size: in bytes.
        sha256: in hexadecimal.
        about: what else the manifest says of it.
    """

    path: str
    part: str
    source: Path | bytes
    size: int
    sha256: str
    about: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_file(cls, path: str, part: str, source: Path) -> Content:
        """The file `source`, read once for its SHA-256."""
        size = source.stat().st_size
        return cls(path, part, source, size, sha256_of(source))

    @classmethod
    def of_bytes(cls, path: str, part: str, data: bytes) -> Content:
        """Bytes made here."""
        return cls(path, part, data, len(data), hashlib.sha256(data).hexdigest())

    def open(self) -> BinaryIO:
        """Its bytes as a stream."""
        return BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


#: The parts of a bundle, with what to call them to people.
PARTS = {
    "wheels": "Python packages",
    "ustod": "the course and its programs",
    "assets": "data and models",
    "proxy": "the lab server's proxy",
    "debian": "Debian packages",
    "stick": "installer, licences, instructions",
}


def sizes(contents: Iterable[Content]) -> dict[str, tuple[int, int]]:
    """Files and bytes of each part that has any."""
    found: dict[str, tuple[int, int]] = {}
    for content in contents:
        files, size = found.get(content.part, (0, 0))
        found[content.part] = (files + 1, size + content.size)
    return {part: found[part] for part in PARTS if part in found}

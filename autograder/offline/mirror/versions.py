"""A version of a repository: a small list of its files, each named by its content; and what may change about one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from autograder.offline.mirror.blobs import Content


@dataclass(frozen=True)
class File(Content):
    """One file of a version. `large` ones are named to clients by their SHA-256, others by git's name."""

    large: bool = False

    @property
    def etag(self) -> str:
        """What clients name the file by in their caches."""
        return self.sha256 if self.large else self.oid

    @property
    def pointer(self) -> bytes:
        """What git would keep of it in place of a large file."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def blob_id(self) -> str:
        """Git's name of what git would keep."""
        if not self.large:
            return self.oid
        return hashlib.sha1(b"blob %d\0" % len(self.pointer) + self.pointer, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Commit:
    """One version of a repository: all its files, and who made it of which other, when (ISO 8601, UTC) and why."""

    id: str
    parent: str | None
    author: str
    title: str
    message: str
    date: str
    files: Mapping[str, File]

    @classmethod
    def new(cls, parent: str | None, author: str, title: str, message: str, files: Mapping[str, File]) -> Commit:
        """A version made now; its name is that of its content."""
        commit = cls("", parent, author, title, message, now(), files)
        return replace(commit, id=hashlib.sha256(commit.text.encode()).hexdigest()[:40])

    @property
    def text(self) -> str:
        """All of it but its name."""
        listed = {
            path: [file.sha256, file.size, file.oid, int(file.large)] for path, file in sorted(self.files.items())
        }
        about = [self.parent, self.author, self.title, self.message, self.date]
        return json.dumps({"about": about, "files": listed}, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def read(cls, name: str, text: str) -> Commit:
        """The version of that name.

        Raises:
            ValueError: if `text` is not what `text` of a version says.
        """
        try:
            data = json.loads(text)
            files = {path: File(one[0], one[1], one[2], bool(one[3])) for path, one in data["files"].items()}
            parent, author, title, message, date = data["about"]
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"not a version: {error}") from None
        return cls(name, parent, author, title, message, date, files)


@dataclass(frozen=True)
class State:
    """What may change about a repository. `owner` is the account that made it; nobody's are from elsewhere."""

    branches: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    private: bool = False
    gated: bool = False
    pickle: bool = False
    created: str = ""


def now() -> str:
    """This moment, as the hub writes moments."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

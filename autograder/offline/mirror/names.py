"""Names that people choose: of repositories, of files in them, of their branches and tags. And refusals."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from autograder.errors import UstodError, one_line

KINDS = ("model", "dataset")
#: Words that stand where a repository's name could, in addresses of the hub.
# fmt: off
RESERVED = frozenset((
    "api", "models", "datasets", "spaces", "kernels", "buckets", "static", "search", "resolve", "tree", "blob", "raw",
    "commits", "commit", "revision", "refs", "settings", "join", "login",
))
# fmt: on
COMMIT = re.compile(r"[0-9a-f]{40}")
_PART = r"[A-Za-z0-9_](?:[\w.\-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(rf"(?:{_PART}/)?{_PART}", re.ASCII)
_REFERENCE = re.compile(r"[A-Za-z0-9_][\w.\-/+]{0,199}", re.ASCII)
#: Bytes of a file's whole name, and of one part of it: file systems of clients take no more.
LONGEST, LONGEST_PART = 1000, 255


class Refused(UstodError):
    """The hub does not do what was asked.

    `status` says so in HTTP's way; `code` is the value of X-Error-Code from which clients choose their exception.
    """

    def __init__(self, status: int, sentence: str, code: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.code, self.headers = status, code, headers or {}


class Missing(Refused):
    """There is no such thing: `code` says of what kind."""

    def __init__(self, sentence: str, code: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(404, sentence, code, headers)


@dataclass(frozen=True, order=True)
class Repository:
    """A model or data set by its kind and its name, such as ``ustod/udhr`` or ``gpt2``."""

    kind: str
    name: str

    @classmethod
    def checked(cls, kind: str, name: str) -> Repository:
        """The repository of that name.

        Raises:
            Refused: if none can be called so.
        """
        parts = name.split("/")
        if (
            kind not in KINDS
            or not _REPOSITORY.fullmatch(name)
            or any("--" in part or ".." in part or part.endswith(".git") for part in parts)
            or parts[0].lower() in RESERVED
            or parts[-1].lower() in RESERVED
        ):
            raise Refused(400, f"{one_line(name)[:100]!r} cannot be the name of a model or a data set.")
        return cls(kind, name)

    @classmethod
    def of_slug(cls, slug: str) -> Repository:
        """The repository whose folder is called `slug`."""
        kinds, _, name = slug.partition("--")
        return cls.checked(kinds.removesuffix("s"), name.replace("--", "/"))

    @property
    def slug(self) -> str:
        """Its folder's name, as in the clients' own cache."""
        return f"{self.kind}s--{self.name.replace('/', '--')}"

    @property
    def author(self) -> str:
        """Whose name stands before the slash; nobody's for a name without one."""
        return self.name.rpartition("/")[0]

    @property
    def path(self) -> str:
        """Its page's address, without the leading slash."""
        return self.name if self.kind == "model" else f"datasets/{self.name}"

    def __str__(self) -> str:
        return self.path


def check_file_name(name: str) -> str:
    """`name`, if a file of a repository may be called so on every system.

    Raises:
        Refused: if not: such a name could lead out of a client's folder, or cannot be written there.
    """
    parts = name.split("/")
    bad = any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in name)
    if (
        bad
        or "\\" in name
        or any(part in ("", ".", "..", ".git") or part != part.strip() for part in parts)
        or re.match(r"[A-Za-z]:", name)
        or len(name.encode()) > LONGEST
        or any(len(part.encode()) > LONGEST_PART for part in parts)
    ):
        raise Refused(422, f"{one_line(name)[:100]!r} cannot be the name of a file here.")
    return name


def check_reference(name: str) -> str:
    """`name`, if a branch or a tag may be called so.

    Raises:
        Refused: if not.
    """
    strange = name.startswith("refs/") or name.endswith(("/", ".lock", ".")) or ".." in name or "//" in name
    if strange or not _REFERENCE.fullmatch(name) or COMMIT.fullmatch(name):
        raise Refused(400, f"Invalid reference for a branch or a tag: {one_line(name)[:100]!r}.")
    return name

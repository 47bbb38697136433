"""The versions of the course's notebooks that a learner has had, so that a merge knows what their notebook began as."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.files import write_bytes

#: Kept in the learner's folder; a version of a long unit takes twenty kilobytes.
FOLDER = ".ustod-versions"


def digest(data: bytes) -> str:
    """What tells one file from another."""
    return hashlib.sha256(data).hexdigest()


def stamped(released: bytes) -> bytes:
    """The notebook `released` by the course with its version in its metadata; the same input gives the same bytes."""
    notebook = read(released)
    notebook.metadata.setdefault("ustod", NotebookNode())["version"] = digest(released)
    return written(notebook)


def read(data: bytes) -> NotebookNode:
    """The notebook in a file that holds `data`.

    Raises:
        Exception: of any kind, if that is no notebook.
    """
    notebook: NotebookNode = nbformat.reads(data.decode("utf-8"), as_version=4)
    return notebook


def written(notebook: NotebookNode) -> bytes:
    """The file that holds `notebook`.

    Raises:
        ValidationError: if it is not valid.
        UnicodeEncodeError: if it holds half a character.
    """
    nbformat.validate(notebook)
    return f"{nbformat.writes(notebook)}\n".encode()


def version_of(notebook: NotebookNode) -> str:
    """The version of the course's that `notebook` is or was made from; empty if it does not say."""
    about = notebook.metadata.get("ustod")
    return str(about.get("version", "")) if isinstance(about, dict) else ""


def keep(folder: Path, notebook: NotebookNode) -> None:
    """Keep the course's `notebook`, which is `stamped`, in the learner's `folder`.

    Raises:
        OSError: if that cannot be written.
    """
    place = _place(folder, version_of(notebook))
    if not place.is_file():
        place.parent.mkdir(exist_ok=True)
        write_bytes(place, gzip.compress(written(notebook), mtime=0))


def find(folder: Path, version: str) -> NotebookNode | None:
    """The course's notebook of `version`; None if the learner's `folder` has not got it, or has lost a part of it."""
    if not version.isalnum():
        return None
    try:
        return read(gzip.decompress(_place(folder, version).read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return None


def _place(folder: Path, version: str) -> Path:
    return folder / FOLDER / f"{version}.ipynb.gz"

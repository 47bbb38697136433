"""The working folder's way in and out: a tar archive in an open file, so that learners' code shares no folder."""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from autograder.errors import UstodError
from autograder.kernel.limits import MIB, Limits


def pack(folder: Path, ignore: Callable[[Path], bool], limits: Limits) -> IO[bytes]:
    """The regular files of `folder` but those that `ignore` names, as a tar archive in a file that the caller closes.

    Raises:
        UstodError: if they are more than `limits` allow.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 the caller closes it
    size = 0
    with tarfile.open(fileobj=file, mode="w") as archive:
        for count, path in enumerate(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or ignore(path.relative_to(folder)):
                continue
            entry = archive.gettarinfo(str(path), str(path.relative_to(folder)))
            size += entry.size
            if size > limits.disk or count > limits.files:
                raise UstodError(
                    f"The folder {folder} holds more than a notebook may have on its disk ({limits.disk // MIB} MiB in "
                    f"{limits.files} files); move the notebook to a folder of its own."
                )
            entry.mode = entry.mode & 0o777 | 0o600
            with path.open("rb") as content:
                archive.addfile(entry, content)
    file.flush()
    return file


def unpack(fd: int, folder: Path) -> None:
    """Inside: fill the working folder from what `pack` made."""
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            archive.extractall(folder, filter="data")


def pack_results(folder: Path, fd: int, most: int) -> None:
    """Inside: archive the regular files of `folder` up to `most` bytes: a file full of holes is as large as it says."""
    left = most
    with os.fdopen(os.dup(fd), "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            about = path.lstat()
            if stat.S_ISREG(about.st_mode) and about.st_size <= left:
                left -= about.st_size
                archive.add(path, str(path.relative_to(folder)), recursive=False)


def unpack_results(results: IO[bytes], folder: Path, ignore: Callable[[Path], bool] = lambda path: False) -> None:
    """Write what a child left in its working folder to `folder`: regular files only, and nothing outside of it.

    Nothing is there to write if the zygote died. `ignore` says what to leave out, by its path in `folder`.

    Raises:
        tarfile.TarError: if a link in `folder` would lead a file out of it.
    """
    results.seek(0)
    if not results.read(1):
        return
    results.seek(0)
    with tarfile.open(fileobj=results) as archive:
        wanted = [entry for entry in archive if not ignore(Path(entry.name))]
        archive.extractall(folder, wanted, filter="data")

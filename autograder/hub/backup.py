"""What a lab cannot do without, in one file, while the lab is at work: on a disk, or on a stick that is pulled out.

    ustod-<lab>-<UTC time>.tar.gz
        hub/        the hub's database, the accounts, keys and certificates: the file is as secret as they are
        courses/    each course directory with its gradebook
        exchange/   what was released, handed in and fed back
        homes/      if ``[backup] homes = true``
        lab/        lab.toml and the class lists that stand in or below its folder
        elsewhere/  class lists and certificates that it names elsewhere
        MANIFEST.json

A file with that name has been read back once and is whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from autograder.errors import UstodError
from autograder.hub.archive import Manifest, read
from autograder.hub.lab import Lab
from autograder.hub.packing import Rules, Writer

#: The trees of a lab's storage, as they are called there and in the archive.
TREES = ("hub", "courses", "exchange", "homes")
#: Where in the archive lab.toml and its class lists are.
LAB, ELSEWHERE = "lab", "elsewhere"
#: Whatever the file is called on its machine.
SETTINGS = f"{LAB}/lab.toml"

_TIME = "%Y%m%dT%H%M%SZ"
_DATABASE = (".db", ".sqlite")
_COMPANION = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Made:
    """A backup that was made.

    Attributes:
        path: the file.
        manifest: what it holds, and what not.
        private: whether only root can read it; on a stick with FAT everybody who holds it can.
        removed: older ones that were removed after it.
    """

    path: Path
    manifest: Manifest
    private: bool
    removed: tuple[Path, ...]


def backup(lab: Lab, folder: Path | None = None, now: datetime | None = None) -> Path:
    """Make a backup of `lab` in `folder`, or the one of lab.toml, and remove those beyond the newest to be kept.

    Raises:
        UstodError: if it cannot be made; nothing is left of it then, and no older one is removed.
    """
    return make(lab, folder, now).path


def make(lab: Lab, folder: Path | None = None, now: datetime | None = None) -> Made:
    """As `backup`, with all that is to be told about it."""
    folder = _folder(lab, folder or lab.backup.folder)
    now = (now or datetime.now(UTC)).astimezone(UTC)
    while (path := folder / f"{_stem(lab)}-{now.strftime(_TIME)}.tar.gz").exists():
        now += timedelta(seconds=1)
    _sweep(folder, lab)
    manifest = Manifest(lab.name, now.isoformat(timespec="seconds"))
    try:
        with _unfinished(folder, lab) as (file, temporary):
            _write(lab, file, manifest)
            private = not os.fstat(file.fileno()).st_mode & 0o077
            read(temporary, lambda member, source: None, free="homes")
            os.rename(temporary, path)
        _flush(folder)
    except UstodError as error:
        raise UstodError(
            f"The backup {path} was not made: the disk does not give back what was written to it; use another disk."
        ) from error
    except OSError as error:
        raise UstodError(f"The backup {path} was not made: {_reason(error, folder)}.") from error
    return Made(path, manifest, private, tuple(_thin_out(lab, folder, path, now)))


def verify_backup(file: Path) -> Manifest:
    """Read a backup from beginning to end and compare every file with the manifest.

    Raises:
        UstodError: if it cannot be read, or is not whole.
    """
    try:
        return read(file, lambda member, source: None, free="homes")
    except OSError as error:
        raise UstodError(f"The backup {file} cannot be read: {error.strerror or error}.") from None


def backups(lab: Lab, folder: Path | None = None) -> list[tuple[datetime, Path]]:
    """The backups of `lab` in `folder`, or in the one of lab.toml, with the times in their names, oldest first."""
    folder = folder or lab.backup.folder
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir() if folder else ():
            if named := re.fullmatch(rf"{re.escape(_stem(lab))}-(\d{{8}}T\d{{6}}Z)\.tar\.gz", path.name):
                with contextlib.suppress(ValueError):
                    found.append((datetime.strptime(named[1], _TIME).replace(tzinfo=UTC), path))
    return sorted(found)


def last_backup(lab: Lab, now: datetime | None = None) -> tuple[datetime, Path] | None:
    """The newest backup in the folder of lab.toml. One from the future is of a clock that was wrong, and none."""
    now = now or datetime.now(UTC)
    return max((one for one in backups(lab) if one[0] <= now + timedelta(hours=1)), default=None)


def nightly(lab: Lab, now: datetime | None = None, tried: datetime | None = None) -> bool:
    """Whether the nightly backup is due.

    Args:
        lab: whose.
        now: in this machine's time zone, if in none.
        tried: when it was last tried in vain; it is tried again an hour later.
    """
    now = now or datetime.now()
    now = now if now.tzinfo else now.astimezone()
    if lab.backup.folder is None or (tried is not None and timedelta(0) <= now - tried < timedelta(hours=1)):
        return False
    last = last_backup(lab, now)
    return is_due(lab.backup.at, last[0] if last else None, now)


def is_due(at: str, last: datetime | None, now: datetime) -> bool:
    """Whether a backup is due that is made every day `at` a time of day in the time zone of `now`.

    One that was missed, since the machine was off, is due as soon as it is on.
    """
    hour, minute = map(int, at.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if moment > now:
        moment -= timedelta(days=1)
    return last is None or not moment <= last <= now + timedelta(hours=1)


def named_here(lab: Lab) -> list[Path]:
    """lab.toml, and the files that it names in or below its folder."""
    return sorted({lab.path, *(path for path in _named(lab) if path.is_relative_to(lab.path.parent))})


def named_elsewhere(lab: Lab) -> list[Path]:
    """Files that lab.toml names and that stand outside its folder."""
    return sorted({path for path in _named(lab) if not path.is_relative_to(lab.path.parent)})


def archive_name(lab: Lab, path: Path) -> str:
    """What `path`, which is lab.toml or named there, is called in a backup."""
    if path == lab.path:
        return SETTINGS
    if path.is_relative_to(lab.path.parent):
        return f"{LAB}/{path.relative_to(lab.path.parent)}"
    return f"{ELSEWHERE}{path}"


def _named(lab: Lab) -> list[Path]:
    """Class lists, the certificate and its key."""
    named = [course.roster for course in lab.courses] + [lab.tls.certificate, lab.tls.key]
    return [Path(os.path.normpath(lab.path.parent / path)) for path in named if path is not None]


def _write(lab: Lab, file: BinaryIO, manifest: Manifest) -> None:
    writer = Writer(file, manifest)
    try:
        folders: set[PurePosixPath] = set()
        for path in named_here(lab) + named_elsewhere(lab):
            name = PurePosixPath(archive_name(lab, path))
            for parent in sorted({*name.parents} - folders - {PurePosixPath(".")}):
                writer.add_folder(str(parent))
                folders.add(parent)
            try:
                content = path.read_bytes()
            except OSError as error:
                if path == lab.path:
                    raise
                manifest.pass_over(str(name), f"it cannot be read: {error.strerror}")
                continue
            writer.add_file(content, path, str(name))
        for tree in TREES:
            if tree != "homes" or lab.backup.homes:
                writer.add_tree(lab.storage.root / tree, tree, _rules(lab, tree))
        writer.close()
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(OSError):  # so that what is read back comes from the disk
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except BaseException:
        writer.abandon()
        raise


def _rules(lab: Lab, tree: str) -> Rules:
    if tree == "homes":
        return Rules(_is_cache, keeps_links=True, largest=lab.limits.file_size)
    depth = 2 if tree == "courses" else 1  # a course's gradebook stands in its own folder

    def is_database(name: str) -> bool:
        return name.count("/") == depth and name.endswith(_DATABASE)

    def is_left_out(name: str) -> bool:
        """Beside a database stands what its copy has in it; logs, and what is being handed in, are of the moment."""
        base = next((name.removesuffix(ending) for ending in _COMPANION if name.endswith(ending)), "")
        return is_database(base) or name in ("hub/logs", "exchange/incoming")

    return Rules(is_left_out, is_database)


def _is_cache(name: str) -> bool:
    return name.count("/") == 2 and name.endswith("/.cache")


def _folder(lab: Lab, folder: Path | None) -> Path:
    if folder is None:
        raise UstodError(f"{lab.path} names no folder for backups; set folder in [backup], or name one.")
    if not folder.is_dir():
        raise UstodError(f"The folder for backups {folder} is not there; make it, or plug in the disk that holds it.")
    real = folder.resolve()
    for tree in TREES:
        if real.is_relative_to((lab.storage.root / tree).resolve()):
            raise UstodError(f"The folder for backups {folder} is itself in what is backed up; choose another one.")
    return folder


def _stem(lab: Lab) -> str:
    """How the files of `lab` begin: letters that any stick can hold, and told from another lab's."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", lab.name).strip("-").lower()[:40]
    if plain != "-".join(lab.name.lower().split()):
        plain = f"{plain or 'lab'}-{hashlib.sha256(lab.name.encode()).hexdigest()[:6]}"
    return f"ustod-{plain}"


@contextlib.contextmanager
def _unfinished(folder: Path, lab: Lab) -> Iterator[tuple[BinaryIO, Path]]:
    """A file for root alone, locked while it is written; it is removed unless the body renames it."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{_stem(lab)}-", suffix=".unfinished")
    file = os.fdopen(descriptor, "wb", buffering=1 << 20)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file, Path(name)
    finally:
        with contextlib.suppress(OSError):
            file.close()  # which tries once more to write what did not fit
        with contextlib.suppress(OSError):
            os.unlink(name)


def _sweep(folder: Path, lab: Lab) -> None:
    """Remove what was left by backups that were killed, or met a power cut."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f".{_stem(lab)}-*.unfinished"):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _thin_out(lab: Lab, folder: Path, made: Path, now: datetime) -> Iterator[Path]:
    """Remove the oldest beyond those to be kept, first those that are dated in the future; never the one just made."""
    others = sorted((time <= now, time, path) for time, path in backups(lab, folder) if path != made)
    for _, _, path in others[: max(0, len(others) - lab.backup.keep + 1)]:
        with contextlib.suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                path.unlink()
                yield path


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems know no such thing
            raise
    finally:
        os.close(descriptor)


def _reason(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk that holds {folder} is full; make room there, or choose a smaller number to keep"
    if error.errno == errno.EFBIG:
        return f"the disk that holds {folder} takes no file of that size; format it with exFAT or ext4"
    if error.errno == errno.EROFS:
        return f"the disk that holds {folder} cannot be written to; unlock it, or repair it with fsck"
    if not folder.is_dir() or error.errno in (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOENT):
        return f"the disk that holds {folder} has gone ({error.strerror}); plug it in and run this again"
    return f"{error.strerror or error}"

"""A lab is put back as it was when a backup was made; what is there now is kept beside it."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from autograder.errors import UstodError, one_line
from autograder.hub.archive import Manifest, Source, read
from autograder.hub.backup import ELSEWHERE, LAB, SETTINGS, TREES, archive_name, named_elsewhere, named_here
from autograder.hub.lab import PREFIX, Lab, read_lab
from autograder.hub.supervisor import running

#: Bytes that a file takes beyond what is in it.
BLOCK = 4096
#: Endings of the files that are put where lab.toml names them, if that is outside its folder.
PUT_ELSEWHERE = (".csv", ".tsv", ".txt", ".pem", ".crt", ".cer", ".key")


#: Accounts of the lab, and where in its storage their homes are.
_OURS = re.compile(rf"({PREFIX}|grader-|ustod-)([a-z0-9][a-z0-9_-]{{0,24}})")
_HOMES = {PREFIX: "homes", "grader-": "courses"}

#: Makes an account, told its name and its home.
EnsureAccount = Callable[[str, Path | None], object]


@dataclass
class Restored:
    """What was put back.

    Attributes:
        lab: the lab as it is now.
        made: when the backup was made, in UTC, ISO 8601.
        kept: what was there before, under its new name.
        strangers: accounts that own files in the backup and are not on this machine; root owns those files now.
    """

    lab: Lab
    made: str
    kept: list[Path] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


def restore(
    file: Path,
    toml: Path,
    root: Path | None = None,
    ensure_account: EnsureAccount | None = None,
    now: datetime | None = None,
) -> Restored:
    """Put the lab back that the backup `file` holds.

    Args:
        file: the backup.
        toml: where its lab.toml goes.
        root: where its storage goes; None: where that lab.toml says. It does not change lab.toml.
        ensure_account: makes an account of the lab that is not on this machine, told its name and its home, which a
            service has not; None: none are made.
        now: the time that the names of what was there before end with.

    Raises:
        UstodError: if the backup is not whole, the lab is up, or there is no room; nothing has changed then.
    """
    toml = Path(os.path.abspath(toml))
    declared, members = b"", 0

    def look(member: tarfile.TarInfo, source: Source) -> None:
        nonlocal declared, members
        top = member.name.partition("/")[0]
        if top not in (*TREES, LAB, ELSEWHERE):
            raise UstodError(f"The backup {file} is not to be trusted: it holds {one_line(top)}; use another one.")
        members += 1
        if member.name == SETTINGS and member.isreg() and member.size < 1 << 20:
            declared = source.read(member.size)

    try:
        manifest = read(file, look, free="homes")
        lab = _declared(file, declared, toml)
        root = root or lab.storage.root
        _refuse_while_up(lab)
        _check_room(manifest, members, root)
        return _put_back(file, manifest, lab, root, Owners(root, ensure_account), now or datetime.now(UTC))
    except OSError as error:
        where = error.filename2 or error.filename or file
        raise UstodError(f"The backup {file} was not restored: {error.strerror or error} ({where}).") from error


def _declared(file: Path, content: bytes, toml: Path) -> Lab:
    """What the lab.toml of the backup says, as if it stood at `toml` already."""
    try:
        lab = Lab.model_validate(tomllib.loads(content.decode("utf-8-sig")))
    except ValueError as error:
        raise UstodError(
            f"The backup {file} holds no lab.toml that can be read ({str(error).splitlines()[0]})."
        ) from None
    if not content:
        raise UstodError(f"The backup {file} holds no lab.toml; use another one.")
    lab._path = toml
    return lab


def _refuse_while_up(lab: Lab) -> None:
    labs = [lab]
    with contextlib.suppress(UstodError):
        labs.append(read_lab(lab.path))
    for one in labs:
        if supervisor := running(one):
            raise UstodError(f"The lab is up (process {supervisor.pid}); stop it with ustod hub down, then restore.")


def _check_room(manifest: Manifest, count: int, root: Path) -> None:
    place = next(folder for folder in (root, *root.parents) if folder.is_dir())
    needed, free = manifest.bytes + count * BLOCK, shutil.disk_usage(place).free
    if needed > free:
        raise UstodError(
            f"The disk that holds {root} has {free >> 20} MB free, and {needed >> 20} MB are needed beside what is "
            "there; make room, or remove what an earlier restore has kept."
        )


def _put_back(file: Path, manifest: Manifest, lab: Lab, root: Path, owners: Owners, now: datetime) -> Restored:
    while [*root.glob(f"*{(mark := _mark(now))}"), *lab.path.parent.glob(f"*{mark}")]:
        now += timedelta(seconds=1)
    stage, settings = root / f".restore-{mark}", lab.path.parent / f".restore-settings-{mark}"
    new = [root / tree for tree in TREES if not (root / tree).exists()]
    try:
        for folder in (stage, settings):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
        trees, files = _Extraction(stage, owners), _Extraction(settings, owners)

        def take(member: tarfile.TarInfo, source: Source) -> None:
            (trees if member.name.partition("/")[0] in TREES else files).add(member, source)

        if read(file, take, free="homes") != manifest:
            raise UstodError(f"The backup {file} has changed while it was read; run this again.")
        trees.finish()
        files.finish()
        os.sync()
        swaps = [(stage / tree, root / tree) for tree in TREES] + list(_settings(settings, lab))
        owners.leave(new)
        kept = _swap([(new, old) for new, old in swaps if os.path.lexists(new)], f".before-{mark}")
        os.sync()
    finally:
        for folder in (stage, settings):
            shutil.rmtree(folder, ignore_errors=True)
    return Restored(lab, manifest.made, kept, sorted(owners.strangers))


def _mark(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _settings(folder: Path, lab: Lab) -> Iterator[tuple[Path, Path]]:
    """Where lab.toml goes, and the files that it names; elsewhere only class lists and certificates, if missing."""
    for path in named_here(lab):
        yield folder / archive_name(lab, path), path
    for path in named_elsewhere(lab):
        if path.suffix.lower() in PUT_ELSEWHERE and not os.path.lexists(path):
            yield folder / archive_name(lab, path), path


def _swap(swaps: list[tuple[Path, Path]], ending: str) -> list[Path]:
    """Rename each new one to its place; what stands there is kept under its name with `ending`.

    Raises:
        OSError: if one cannot be renamed; all are again as they were.
    """
    done: list[tuple[Path, Path]] = []
    kept: list[Path] = []

    def rename(old: Path, new: Path) -> None:
        os.rename(old, new)
        done.append((old, new))

    try:
        for new, place in swaps:
            place.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(place):
                kept.append(place.with_name(place.name + ending))
                rename(place, kept[-1])
            rename(new, place)
    except BaseException:
        for old, new in reversed(done):
            os.rename(new, old)
        raise
    return kept


class _Extraction:
    """Files are written into a fresh folder that is root's alone; only then do they get owners, and links are made."""

    def __init__(self, folder: Path, owners: Owners) -> None:
        self._folder, self._owners = folder, owners
        self._later: list[tarfile.TarInfo] = []

    def add(self, member: tarfile.TarInfo, source: Source) -> None:
        """Write a file or make a folder; a link waits, so that nothing is written through one."""
        path = self._folder / member.name
        if member.isdir():
            path.mkdir(mode=0o700)
        elif member.isreg():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as file:
                while content := source.read(1 << 20):
                    file.write(content)
            self._hand_over(path, member, 0o777)
        if not member.isreg():
            self._later.append(member)

    def finish(self) -> None:
        """Make the links, and give folders their owners and times, the innermost first."""
        for member in reversed(self._later):
            path = self._folder / member.name
            if member.issym():
                os.symlink(member.linkname, path)
                user, group = self._owners.of(member)
                os.chown(path, user, group, follow_symlinks=False)
            else:
                self._hand_over(path, member, 0o3777)

    def _hand_over(self, path: Path, member: tarfile.TarInfo, allowed: int) -> None:
        user, group = self._owners.of(member)
        os.chown(path, user, group)
        os.chmod(path, member.mode & allowed)
        with contextlib.suppress(OverflowError, ValueError):
            os.utime(path, (member.mtime, member.mtime))


class Owners:
    """Accounts by name, since the same account has another number on another machine.

    Args:
        root: the lab's storage, with the homes of accounts that are made.
        ensure: makes an account; None: none are made.
    """

    def __init__(self, root: Path, ensure: EnsureAccount | None) -> None:
        self._root, self._ensure, self.strangers = root, ensure, set[str]()
        self.user, self.group = cache(self._user), cache(self._group)

    def of(self, member: tarfile.TarInfo) -> tuple[int, int]:
        """The numbers of the owner and the group that `member` has on this machine."""
        return self.user(member.uname), self.group(member.uname, member.gname)

    def leave(self, new: list[Path]) -> None:
        """Remove those of the trees `new` that hold nothing but the empty homes of accounts that were just made."""
        for tree in new:
            with contextlib.suppress(OSError):
                for home in tree.iterdir():
                    home.rmdir()
                tree.rmdir()

    def _user(self, name: str) -> int:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
        if self._ensure is not None and (match := _OURS.fullmatch(name)):
            home = self._root / _HOMES[match[1]] / match[2] if match[1] in _HOMES else None
            if home is not None:
                home.parent.mkdir(mode=0o711, exist_ok=True)
            self._ensure(name, home)
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name).pw_uid
        self.strangers.add(name or "without a name")
        return 0

    def _group(self, user: str, name: str) -> int:
        self.user(user)  # whose group may be made with the account
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return 0

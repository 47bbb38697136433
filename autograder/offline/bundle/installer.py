"""Install Ustod from this stick or file, or bring an installed Ustod up to date. No network is used.

    python3 install.py [--dir DIR] [--lang tg|ru|en] [--no-assets]
    python3 install.py --verify

This one file needs Python and its standard library only. It travels with every bundle as `install.py`; the command
`ustod bundle` uses the same file.

A bundle is a folder, a zip of that folder, or such a zip in numbered pieces. `manifest.json` names every file with its
size and SHA-256. An update is a zip that carries only some of them, and its `update.json` says to which bundle it
belongs.

What an installation looks like:

    DIR/app/<generation>/   a virtual environment with everything in it; `bundle.json`, written last, says it is whole
    DIR/current             the name of the generation in use; replacing this file is what switches to a new one
    DIR/ustod, …            starters, which read `current`

A generation that `current` does not name is never used: the next run finishes it or removes it.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
import venv
import zipfile
import zlib
from base64 import urlsafe_b64encode
from pathlib import Path, PurePosixPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, BinaryIO

    Say = Callable[[str], None]

FORMAT = 1
MANIFEST, UPDATE, INSTALLER = "manifest.json", "update.json", "install.py"
#: What a zip runs when Python is given the zip itself.
STARTER = b"import install\n\nraise SystemExit(install.main())\n"
#: Ends the zip: the SHA-256 of all bytes before this comment.
SEAL = re.compile(rb"\Asha256:([0-9a-f]{64})\Z")
PIECE = re.compile(r"\A(.+)\.(\d{3})\Z")
#: Files that systems leave on a stick by themselves.
LITTER = re.compile(
    r"(^|/)(\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini)$|"
    r"^(System Volume Information|\$RECYCLE\.BIN|\.Trash[^/]*|\.Spotlight-V100|\.fseventsd|lost\+found)(/|$)|"
    r"^__pycache__/install\.[^/]*\.pyc$"
)
#: What reading a damaged zip raises.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError)
SPARE = 64 << 20  # bytes to be left free on the disk
WINDOWS_PATH = 259  # characters of a path that every program on Windows can open
PROXY = "proxy/proxy.tar.gz"  # the lab server's, with its modules
OWN = "ustod"  # the project's own files are below this folder of a bundle, as they are in site-packages

WORDS = {
    "Checking the files of {name} …": {
        "tg": "Файлҳои {name} санҷида мешаванд …",
        "ru": "Проверяю файлы {name} …",
    },
    "Installing into {folder} …": {
        "tg": "Дар {folder} насб карда мешавад …",
        "ru": "Устанавливаю в {folder} …",
    },
    "Preparing the programs for a quick start …": {
        "tg": "Барномаҳо ба оғози зуд омода карда мешаванд …",
        "ru": "Готовлю программы к быстрому запуску …",
    },
    "Preparing data and models …": {
        "tg": "Маълумот ва моделҳо омода карда мешаванд …",
        "ru": "Готовлю данные и модели …",
    },
    "Ustod is installed ({seconds} s). To open the course, start: {starter}": {
        "tg": "Ustod насб шуд ({seconds} с). Барои кушодани курс инро оғоз кунед: {starter}",
        "ru": "Ustod установлен ({seconds} с). Чтобы открыть курс, запустите: {starter}",
    },
    "This version is installed already. To open the course, start: {starter}": {
        "tg": "Ин версия аллакай насб шудааст. Барои кушодани курс инро оғоз кунед: {starter}",
        "ru": "Эта версия уже установлена. Чтобы открыть курс, запустите: {starter}",
    },
    "Every file is as it was made.": {
        "tg": "Ҳамаи файлҳо бе тағйир мебошанд.",
        "ru": "Все файлы целы.",
    },
}


class BundleError(Exception):
    """Something the user must look at: one sentence that says what happened, to which file, and what to do."""


# --- What a bundle is read from -----------------------------------------------------------------------------------


class Source:
    """A bundle, open for reading. `names` are the files it holds, `manifest.json` among them."""

    def __init__(self, path: Path, names: Iterable[str]) -> None:
        self.path = path
        self.names = frozenset(names)

    def open(self, name: str) -> BinaryIO:
        """The file `name` as a binary stream."""
        raise NotImplementedError

    def file(self, name: str) -> Path | None:
        """Where the file `name` lies on the disk by itself; None inside a zip."""
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        """All bytes of the file `name`; BundleError where it is missing or cannot be read."""
        try:
            with self.open(name) as stream:
                return stream.read()
        except KeyError:
            raise BundleError(f"{self.path} is no bundle of Ustod: it holds no {name}.") from None
        except UNREADABLE as error:
            raise BundleError(f"{name} in {self.path} cannot be read ({error}): copy the bundle again.") from error

    def faults(self) -> list[str]:
        """What is wrong with the container, whatever the files in it are; a sentence each."""
        return []

    def close(self) -> None:
        """Close what is open."""


class FolderSource(Source):
    """A bundle that lies in a folder, such as the top of a stick."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise BundleError(f"There is no bundle at {path}; give the path of the stick's folder or file.")
        found = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file() or file.is_symlink())
        super().__init__(path, (name for name in found if not LITTER.search(name)))

    def open(self, name: str) -> BinaryIO:
        if name not in self.names:
            raise KeyError(name)
        return (self.path / name).open("rb")

    def file(self, name: str) -> Path | None:
        return self.path / name


class ZipSource(Source):
    """A bundle in one zip, or in the pieces of one: name.001, name.002 …"""

    def __init__(self, path: Path) -> None:
        self._stream: BinaryIO
        try:
            pieces = _pieces(path)
            self._stream = io.BufferedReader(_Joined(pieces), 1 << 16) if pieces else path.open("rb")
            self._zip = zipfile.ZipFile(self._stream)
        except OSError as error:
            raise BundleError(f"The bundle {path} cannot be read: {error.strerror}.") from error
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise BundleError(f"{path} is no whole bundle ({error}): copy it again.") from error
        super().__init__(path, (info.filename for info in self._zip.infolist() if not info.is_dir()))

    def open(self, name: str) -> BinaryIO:
        return self._zip.open(name)  # type: ignore[return-value]

    def file(self, name: str) -> Path | None:
        return None

    def faults(self) -> list[str]:
        comment = self._zip.comment
        seal = SEAL.match(comment)
        end = self._stream.seek(0, io.SEEK_END)
        if seal is None:
            return [f"{self.path.name}: its seal is damaged"]
        self._stream.seek(0)
        left, digest = end - len(comment), hashlib.sha256()
        while left and (piece := self._stream.read(min(left, 1 << 20))):
            digest.update(piece)
            left -= len(piece)
        whole = digest.hexdigest().encode() == seal[1]
        repeated = len(self._zip.namelist()) != len(self.names)
        return [] if whole and not repeated else [f"{self.path.name}: damaged, or changed since it was made"]

    def close(self) -> None:
        self._zip.close()
        self._stream.close()


class _Joined(io.RawIOBase):
    """Files one after another, read as one."""

    def __init__(self, paths: list[Path]) -> None:
        self._files = [path.open("rb") for path in paths]
        self._sizes = [path.stat().st_size for path in paths]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: sum(self._sizes)}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        start = 0
        for file, size in zip(self._files, self._sizes):  # noqa: B905, an old Python must be able to read this file
            if self._at < start + size:
                file.seek(self._at - start)
                count = file.readinto(memoryview(buffer)[: start + size - self._at])
                self._at += count
                return count
            start += size
        return 0

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()


def _pieces(path: Path) -> list[Path]:
    """The pieces that `path` is one of, in order; none where it is no piece. A missing one is a BundleError."""
    match = PIECE.match(path.name)
    if match is None:
        return []
    found = sorted(p for p in path.parent.glob(f"{match[1]}.[0-9][0-9][0-9]"))
    for number, piece in enumerate(found, start=1):
        if piece.name != f"{match[1]}.{number:03}":
            raise BundleError(f"The piece {path.with_name(f'{match[1]}.{number:03}')} is missing: copy it too.")
    return found


def open_source(path: Path) -> Source:
    """The bundle at `path`: a folder, a zip, or one of a zip's pieces. Raises BundleError where there is none."""
    if path.is_dir() and not (path / MANIFEST).exists():
        first = sorted(path.glob("*.001"))
        whole = sorted(path.glob("*.pyz"))
        if len(first) + len(whole) == 1:
            return ZipSource((first + whole)[0])
    if path.is_file():
        return ZipSource(path)
    return FolderSource(path)


def digest_of(stream: BinaryIO) -> tuple[int, str]:
    """Size in bytes and SHA-256 of what is left in `stream`."""
    digest, size = hashlib.sha256(), 0
    while piece := stream.read(1 << 20):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


# --- The manifest -------------------------------------------------------------------------------------------------


def identity(manifest: dict[str, Any]) -> str:
    """The SHA-256 of what a manifest says, which is the bundle's name for all purposes."""
    told = {key: value for key, value in manifest.items() if key != "id"}
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def parse_manifest(data: bytes, where: Path) -> dict[str, Any]:
    """The manifest whose bytes are `data`. Raises BundleError where it is damaged or of a later format."""
    try:
        manifest: dict[str, Any] = json.loads(data)
        whole = identity(manifest) == manifest["id"]
        later = manifest["format"] > FORMAT
        safe = all(_safe(entry["path"]) for entry in manifest["files"])
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = later = safe = False
    if not whole or not safe:
        raise BundleError(f"{MANIFEST} of {where} is damaged: copy the bundle again.")
    if later:
        raise BundleError(f"{where} was made by a later Ustod: use the installer that lies beside it.")
    return manifest


def _safe(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name


class Bundle:
    """A source with its manifest.

    Attributes:
        manifest: what the bundle is, all files of it included.
        files: the manifest's entry of each file, by path.
        base: of an update, the bundle that it belongs to; None otherwise.
        carried: paths of the files that are here; of an update, only some.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.manifest = parse_manifest(source.read(MANIFEST), source.path)
        self.files: dict[str, dict[str, Any]] = {entry["path"]: entry for entry in self.manifest["files"]}
        self.base: str | None = None
        self.carried = frozenset(self.files)
        if UPDATE in source.names:
            try:
                update = json.loads(source.read(UPDATE))
                self.base, self.carried = str(update["base"]), frozenset(update["carried"])
            except (ValueError, KeyError, TypeError):
                raise BundleError(f"{UPDATE} of {source.path} is damaged: copy the update again.") from None
            if not self.carried <= set(self.files):
                raise BundleError(f"{UPDATE} of {source.path} is damaged: copy the update again.")

    @property
    def id(self) -> str:
        """The bundle's name: a SHA-256."""
        return str(self.manifest["id"])

    @property
    def name(self) -> str:
        """What to call it to people."""
        return f"Ustod {self.manifest['version']} ({self.manifest['made'][:10]}, {self.id[:12]})"

    def fault(self, path: str) -> str | None:
        """What is wrong with the file `path`, in words; None where nothing is."""
        entry = self.files[path]
        if path not in self.source.names:
            return f"{path}: missing"
        try:
            with self.source.open(path) as stream:
                size, digest = digest_of(stream)
        except UNREADABLE as error:
            return f"{path}: cannot be read ({error})"
        if size != entry["size"]:
            return f"{path}: damaged ({size} bytes instead of {entry['size']})"
        return None if digest == entry["sha256"] else f"{path}: damaged (its SHA-256 is another)"

    def verify(self, progress: Callable[[int], None] = lambda done: None) -> list[str]:
        """Every fault of the bundle, a few words each, the file's name first; `progress` is told the bytes read."""
        faults, done = self.source.faults(), 0
        for path in sorted(self.carried):
            fault = self.fault(path)
            faults += [fault] if fault else []
            done += self.files[path]["size"]
            progress(done)
        beside = {MANIFEST, "__main__.py"} | ({UPDATE} if self.base else set())
        if "__main__.py" in self.source.names and (
            self.source.file("__main__.py") is not None or self.source.read("__main__.py") != STARTER
        ):
            beside.discard("__main__.py")
        return faults + [
            f"{name}: not part of the bundle" for name in sorted(self.source.names - self.carried - beside)
        ]

    def demand(self, paths: Iterable[str]) -> None:
        """Raise BundleError, naming the first, where one of the files `paths` is not as it was made."""
        for path in paths:
            if path not in self.carried:
                raise BundleError(f"{self.source.path} is an update and does not carry {path}: use the whole stick.")
            fault = self.fault(path)
            if fault:
                raise BundleError(f"The bundle is damaged ({fault}): copy it again from where you have it.")


def this_platform() -> str:
    """The name that bundles use for this kind of machine, such as `linux_x86_64` or `win_amd64`."""
    if os.name == "nt":
        return sysconfig.get_platform().replace("-", "_")
    machine = platform.machine().lower()
    return {"darwin": "macos"}.get(sys.platform, sys.platform) + "_" + {"amd64": "x86_64"}.get(machine, machine)


def fits(target: dict[str, Any], version: Iterable[int], machine: str) -> bool:
    """Whether `target` is for Python `version`, three numbers, on `machine`."""
    return target["platform"] == machine and tuple(target["from"]) <= tuple(version) < tuple(target["before"])


def choose_target(manifest: dict[str, Any]) -> dict[str, Any]:
    """The set of wheels for the Python that runs this, or BundleError that says what the bundle is for."""
    machine, version = this_platform(), sys.version_info[:3]
    for target in manifest["targets"]:
        if fits(target, version, machine):
            if sys.platform == "linux" and not _has_glibc(target["glibc"]):
                needed = ".".join(map(str, target["glibc"]))
                raise BundleError(f"This bundle needs a Linux with glibc {needed} or newer, which this one has not.")
            return target  # type: ignore[no-any-return]
    offered = sorted({f"Python {t['from'][0]}.{t['from'][1]} on {t['platform']}" for t in manifest["targets"]})
    have = f"Python {'.'.join(map(str, version))} on {machine}"
    raise BundleError(f"This bundle is for {', '.join(offered)}; this is {have}: start install.py with that Python.")


def _has_glibc(needed: list[int]) -> bool:
    name, version = platform.libc_ver()
    return name == "glibc" and [int(part) for part in version.split(".")[:2]] >= needed


# --- An installation ----------------------------------------------------------------------------------------------


def default_folder() -> Path:
    """Where programs of one user live on this system."""
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "Ustod"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Ustod"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ustod"


class Installation:
    """The folder that Ustod is installed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.pointer = folder / "current"

    @property
    def current(self) -> Generation | None:
        """The generation in use; None before the first installation."""
        try:
            name = self.pointer.read_text("ascii").strip()
        except (OSError, ValueError):
            return None
        generation = Generation(self.app / name)
        return generation if re.match(r"\A[0-9a-f]{8}\Z", name) and generation.bundle is not None else None

    def others(self) -> Iterator[Generation]:
        """Generations that are not in use, whole or not."""
        current = self.current
        for path in sorted(self.app.iterdir()) if self.app.is_dir() else []:
            if current is None or path != current.path:
                yield Generation(path)

    def prepare(self) -> None:
        """Make the folder; refuse one that holds something else."""
        mark = self.folder / ".ustod"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not mark.exists() and any(self.folder.iterdir()):
                raise BundleError(f"{self.folder} holds other things already: choose a new folder with --dir.")
            mark.touch()
            self.app.mkdir(exist_ok=True)
        except OSError as error:
            raise BundleError(
                f"{self.folder} cannot be written ({error.strerror}): choose another with --dir."
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second installer out; the system opens the lock if this process is killed."""
        with (self.folder / ".lock").open("ab") as file:
            try:
                if os.name == "nt":
                    import msvcrt

                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
                else:
                    import fcntl

                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BundleError(f"Ustod is being installed into {self.folder} already; wait until it ends.") from None
            yield

    def switch(self, generation: Generation) -> None:
        """Use `generation` from now on."""
        write_whole(self.pointer, generation.path.name.encode() + b"\n")


class Generation:
    """One complete environment below `app`, or what is there of one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.python = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.mark = path / "bundle.json"

    @property
    def bundle(self) -> dict[str, Any] | None:
        """The manifest it was made from, with `python` and `target` beside; None where it is not whole."""
        try:
            told: dict[str, Any] = json.loads(self.mark.read_bytes())
            return told if self.python.exists() else None
        except (OSError, ValueError):
            return None

    @property
    def site(self) -> Path:
        """Its site-packages."""
        if os.name == "nt":
            return self.path / "Lib" / "site-packages"
        return self.path / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    def records(self) -> dict[str, Path]:
        """RECORD of each distribution installed in it, by the distribution's name and version."""
        return {distribution(path.parent.name): path for path in self.site.glob("*.dist-info/RECORD")}

    def remove(self) -> None:
        """Delete it, its mark first, so that what a cut leaves is no whole generation."""
        self.mark.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to `path` so that nobody, and no power cut, meets half of it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def flush(folder: Path) -> None:
    """Wait until what was written below `folder` is on the disk."""
    if hasattr(os, "sync"):
        os.sync()
        return
    for path in folder.rglob("*"):
        if path.is_file():
            with contextlib.suppress(OSError), path.open("r+b") as file:
                os.fsync(file.fileno())


# --- Making a generation ------------------------------------------------------------------------------------------


class Maker:
    """Makes the generation `new` of `bundle`, with what can be taken over from `old`.

    Everything is written below `app`, to places that nothing uses yet.
    """

    def __init__(self, bundle: Bundle, target: dict[str, Any], installation: Installation) -> None:
        self.bundle = bundle
        self.target = target
        self.installation = installation
        self.old = installation.current
        self.new = Generation(installation.app / secrets.token_hex(4))
        self.unpacked = installation.app / f"unpacked-{secrets.token_hex(4)}"
        self.log = self.new.path / "install.log"

    def make(self, say: Say, words: Words) -> Generation:
        """Do it. Raises BundleError where the bundle, the old generation or the disk does not allow it."""
        if self.bundle.base is not None:
            self._demand_base()
        kept = self._kept()
        wheels = [path for path in self.target["wheels"] if distribution(path) not in kept]
        own = self._own_files()
        self._demand_short_paths()
        say(words("Checking the files of {name} …", name=self.bundle.name))
        self.bundle.demand([INSTALLER, *wheels, *(path for path, old in own.items() if old is None)])
        self._demand_room(wheels)
        say(words("Installing into {folder} …", folder=self.installation.folder))
        venv.create(self.new.path, symlinks=os.name != "nt", with_pip=False)
        if self.old is not None:
            self._take_over(self.old, kept)
        self._pip_install(wheels, own)
        self._place_proxy()
        say(words("Preparing the programs for a quick start …"))
        self._compile()
        self._demand_that_it_runs()
        flush(self.new.path)
        told = {**self.bundle.manifest, "python": list(sys.version_info[:3]), "target": self.target}
        write_whole(self.new.mark, json.dumps(told, ensure_ascii=False).encode())
        shutil.rmtree(self.unpacked, ignore_errors=True)
        return self.new

    def _demand_base(self) -> None:
        """An update goes on top of the bundle that it was made for, and of no other."""
        have = self.old.bundle if self.old is not None else None
        if have is None:
            raise BundleError(
                f"{self.bundle.source.path.name} is an update, and {self.installation.folder} holds no Ustod: "
                "install from a whole stick first, or name the folder of your Ustod."
            )
        if have["id"] != self.bundle.base:
            raise BundleError(
                f"This update belongs to the bundle {str(self.bundle.base)[:12]}, and {have['id'][:12]} is installed "
                f"in {self.installation.folder}: ask for the update for that one, or use a whole stick."
            )

    def _kept(self) -> set[str]:
        """Distributions that the old generation has from the very same wheels, for the same Python."""
        have = self.old.bundle if self.old is not None else None
        if have is None or tuple(have["python"][:2]) != sys.version_info[:2]:
            return set()
        before = {entry["path"]: entry["sha256"] for entry in have["files"]}
        same = (p for p in self.target["wheels"] if before.get(p) == self.bundle.files[p]["sha256"])
        wheels = {distribution(path) for path in same if path in have["target"]["wheels"]}
        assert self.old is not None
        records = self.old.records()
        kept = set()
        for name in wheels & set(records):
            fault = next(_changed(self.old, records[name]), None)
            if fault is None:
                kept.add(name)
            elif self.bundle.base is not None:
                raise BundleError(f"{fault} was changed or lost since Ustod was installed: install from a whole stick.")
        return kept

    def _own_files(self) -> dict[str, Path | None]:
        """The project's own files: where the old generation has just that file, or None."""
        own: dict[str, Path | None] = {}
        for path, entry in self.bundle.files.items():
            if entry["part"] != OWN:
                continue
            place = self.old.site / path[len(OWN) + 1 :] if self.old is not None else None
            if place is not None and place.is_file():
                with place.open("rb") as file:
                    same = digest_of(file) == (entry["size"], entry["sha256"])
                own[path] = place if same else None
            else:
                own[path] = None
            if own[path] is None and path not in self.bundle.carried:
                raise BundleError(f"{place} was changed or lost since Ustod was installed: install from a whole stick.")
        return own

    def _demand_short_paths(self) -> None:
        """Windows opens no file whose path is longer than `WINDOWS_PATH`, unless it was told to."""
        longest = len(str(self.new.site)) + 1 + max(e.get("longest", 0) for e in self.bundle.files.values())
        if os.name == "nt" and longest > WINDOWS_PATH:
            raise BundleError(
                f"Paths below {self.installation.folder} would be {longest} characters long, and Windows allows "
                f"{WINDOWS_PATH}: choose a shorter folder with --dir, such as C:\\Ustod."
            )

    def _demand_room(self, wheels: list[str]) -> None:
        zipped = sum(self.bundle.files[path]["size"] for path in wheels if self.bundle.source.file(path) is None)
        unpacked = sum(self.bundle.files[path]["unpacked"] for path in wheels)
        needed = unpacked * 5 // 4 + zipped + SPARE  # what Python compiles takes a quarter more
        free = shutil.disk_usage(self.installation.app).free
        if free < needed:
            raise BundleError(
                f"The disk that holds {self.installation.folder} has {free // 1_000_000} MB free and "
                f"{needed // 1_000_000} MB are needed: make room, or choose another folder with --dir."
            )

    def _take_over(self, old: Generation, kept: set[str]) -> None:
        """Link what `kept` names, and what the user installed on top, into the new generation, or copy it."""
        have = old.bundle or {"target": {"wheels": []}}
        ours = {distribution(path) for path in have["target"]["wheels"]} | {_own_distribution(have)}
        coming = {distribution(path).partition("-")[0] for path in self.target["wheels"]}
        for name, record in old.records().items():
            theirs = name not in ours and name.partition("-")[0] not in coming
            if name in kept or theirs:
                _link_distribution(old, self.new, record)

    def _pip_install(self, wheels: list[str], own: dict[str, Path | None]) -> None:
        """Let pip, out of its own wheel, install `wheels` and the project; nothing else is asked."""
        self.unpacked.mkdir()
        for path in wheels:
            place = self.bundle.source.file(path)
            if place is None:
                self._unpack(path)
        project = self._pack_project(own)
        pip = next(path for path in self.target["wheels"] if distribution(path).startswith("pip-"))
        program = self.bundle.source.file(pip) if pip in wheels else None
        if pip not in wheels:  # taken over from the old generation
            command = [str(self.new.python), "-I", "-m", "pip"]
        else:
            command = [str(self.new.python), "-I", str(program or self.unpacked / Path(pip).name) + "/pip"]
        names = [name.replace("-", "==", 1) for name in map(distribution, [*wheels, project.as_posix()])]
        wanted = self.unpacked / "wanted.txt"
        wanted.write_text("\n".join(names) + "\n", "utf-8")
        command += ["--isolated", "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir"]
        command += [
            "--disable-pip-version-check",
            "--no-input",
            "--no-warn-script-location",
            "--root-user-action=ignore",
        ]
        folders = {str(self.bundle.source.file(path) or self.unpacked / "x") for path in wheels}
        for folder in sorted({str(Path(name).parent) for name in folders} | {str(self.unpacked)}):
            command += ["--find-links", folder]
        with self.log.open("ab") as log:
            done = subprocess.run(
                [*command, "-r", str(wanted)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=quiet_environment(),
            )
        if done.returncode:
            self._give_up("pip could not install the packages")

    def _unpack(self, path: str) -> None:
        """Copy one wheel out of the zip, checked on the way."""
        place = self.unpacked / Path(path).name
        with self.bundle.source.open(path) as stream, place.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)

    def _pack_project(self, own: dict[str, Path | None]) -> Path:
        """The project's own files as a wheel, which pip then installs like any other."""
        info = _own_distribution(self.bundle.manifest)
        wheel = self.unpacked / f"{info}-py3-none-any.whl"
        rows = []
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
            for path, place in sorted(own.items()):
                data = place.read_bytes() if place is not None else self.bundle.source.read(path)
                name = path[len(OWN) + 1 :]
                archive.writestr(zipfile.ZipInfo(name), data)
                rows.append((name, record_hash(data), len(data)))
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([*rows, (f"{info}.dist-info/RECORD", "", "")])
            archive.writestr(zipfile.ZipInfo(f"{info}.dist-info/RECORD"), text.getvalue())
        return wheel

    def _place_proxy(self) -> None:
        """Put the lab server's proxy, if the bundle has one, where the server looks for it."""
        if PROXY not in self.bundle.files:
            return
        place = Path("share") / "ustod" / "proxy"
        if PROXY in self.bundle.carried:
            self.bundle.demand([PROXY])
            with self.bundle.source.open(PROXY) as stream, tarfile.open(fileobj=stream, mode="r:gz") as tar:
                tar.extractall(self.new.path / place)
            return
        if self.old is None or not (self.old.path / place).is_dir():
            raise BundleError(f"{place} was lost since Ustod was installed: install from a whole stick.")
        shutil.copytree(self.old.path / place, self.new.path / place, symlinks=True, copy_function=_link)

    def _compile(self) -> None:
        """Let Python translate its modules now, on all cores; what does not compile is some package's template."""
        command = [str(self.new.python), "-I", "-m", "compileall", "-q", "-j", "0", str(self.new.site)]
        with self.log.open("ab") as log:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=quiet_environment())

    def _demand_that_it_runs(self) -> None:
        command = [str(self.new.python), "-I", "-c", self.bundle.manifest["trial"]]
        with self.log.open("ab") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=quiet_environment())
        if done.returncode:
            self._give_up("what was installed does not run")

    def _give_up(self, why: str) -> None:
        """Raise BundleError with the last thing that was said; the log is kept where the user finds it."""
        said = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        if "No space left on device" in said or shutil.disk_usage(self.installation.app).free < 1 << 20:
            raise OSError(28, "No space left on device", str(self.installation.app))
        place = self.installation.folder / "install.log"
        write_whole(place, said.encode())
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "nothing was said")
        raise BundleError(f"Nothing was changed: {why} ({last[:300]}); the whole account is in {place}.")


def distribution(wheel: str) -> str:
    """`numpy-2.4.6`, from the path of a wheel or of a `.dist-info` folder; spelled one way for all spellings."""
    name, version = re.sub(r"\.dist-info$", "", PurePosixPath(wheel).name).split("-")[:2]
    return f"{re.sub('[-_.]+', '_', name).lower()}-{version}"


def _own_distribution(manifest: dict[str, Any]) -> str:
    return f"ustod-{manifest['version']}"


def record_hash(data: bytes) -> str:
    """How RECORD of an installed distribution writes the SHA-256 of `data`."""
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _rows(record: Path) -> list[list[str]]:
    with record.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if row]


def _changed(generation: Generation, record: Path) -> Iterator[Path]:
    """Files of one distribution that are not as they were installed."""
    for name, told, _ in _rows(record):
        if told.startswith("sha256="):
            place = generation.site / name
            try:
                data = place.read_bytes()
            except OSError:
                yield place
                continue
            if record_hash(data) != told:
                yield place


def _link_distribution(old: Generation, new: Generation, record: Path) -> None:
    """Give `new` the files that `record` lists. Programs name the path of their Python, so they are written anew.

    The names of generations are all equally long, so that a path can be replaced inside a Windows program too.
    """
    before, after = str(old.path).encode(), str(new.path).encode()
    scripts = os.path.normpath(old.python.parent)
    rows = _rows(record)
    for row in rows:
        source = Path(os.path.normpath(old.site / row[0]))
        place = Path(os.path.normpath(new.site / row[0]))
        if not source.is_file() or source == record:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if str(source.parent) == scripts:
            data = source.read_bytes().replace(before, after)
            place.write_bytes(data)
            shutil.copymode(source, place)
            row[1:] = [record_hash(data), str(len(data))]
            continue
        _link(source, place)
        compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        if source.suffix == ".py" and compiled.is_file():
            (place.parent / "__pycache__").mkdir(exist_ok=True)
            _link(compiled, place.parent / "__pycache__" / compiled.name)
    with (new.site / record.parent.name / "RECORD").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _link(source: Path | str, place: Path | str) -> None:
    source, place = Path(source), Path(place)
    if place.exists():
        return
    try:
        os.link(source, place)
    except OSError as error:
        if error.errno == 28:
            raise
        shutil.copy2(source, place)


def quiet_environment(**more: str) -> dict[str, str]:
    """The environment of programs started here: no setting of this user for Python or pip, no proxy, no network."""
    dropped = re.compile(r"^(PIP_|PYTHON|VIRTUAL_ENV|CONDA_|.*_proxy$|.*_PROXY$)")
    kept = {name: value for name, value in os.environ.items() if not dropped.match(name)}
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        "HF_HUB_OFFLINE": "1",
        **more,
    }


# --- Data and models ----------------------------------------------------------------------------------------------


def bring_assets(bundle: Bundle, generation: Generation, installation: Installation) -> None:
    """Let `generation` make the bundle's data and models ready in the user's Hugging Face cache, from its packages.

    What is ready there is left alone. Raises BundleError where the packages are damaged or the cache has no room.
    """
    names = [asset["name"] for asset in bundle.manifest["assets"]]
    packages = sorted({path for asset in bundle.manifest["assets"] for path in asset["packages"]} & bundle.carried)
    if not names:
        return
    bundle.demand(packages)
    unpacked = installation.app / f"unpacked-{secrets.token_hex(4)}"
    unpacked.mkdir()
    try:
        folders = {str(unpacked)}
        for path in packages:
            place = bundle.source.file(path)
            if place is not None:
                folders.add(str(place.parent))
                continue
            with bundle.source.open(path) as stream, (unpacked / Path(path).name).open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
        command = [str(generation.python), "-I", "-m", "autograder.cli", "assets", "fetch", *names]
        environment = quiet_environment(USTOD_PACKAGES=os.pathsep.join(sorted(folders)))
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise BundleError("Data and models are not complete (see above): mend that and start this again.")
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


# --- Starters -----------------------------------------------------------------------------------------------------

SHELL = """#!/bin/sh
# Starts the Ustod that the file `current` names.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
read -r name < "$here/current"
unset PYTHONPATH PYTHONHOME
PYTHONNOUSERSITE=1 exec "$here/app/$name/bin/python" -P -m autograder.cli {arguments}"$@"
"""
BATCH = """@echo off\r
rem Starts the Ustod that the file `current` names.\r
setlocal\r
set PYTHONPATH=\r
set PYTHONHOME=\r
set PYTHONNOUSERSITE=1\r
set /p name=<"%~dp0current"\r
"%~dp0app\\%name%\\Scripts\\python.exe" -P -m autograder.cli {arguments}%*\r
{end}"""


def starters(language: str) -> dict[str, str]:
    """For this system: the text of each starter by file name. The first is the one to open the course with."""
    opens = f"lab --lang {language} "
    if os.name == "nt":
        return {
            "Open the course.cmd": BATCH.format(arguments=opens, end="if errorlevel 1 pause\r\n"),
            "ustod.cmd": BATCH.format(arguments="", end=""),
        }
    course = "Open the course.command" if sys.platform == "darwin" else "open-the-course"
    return {course: SHELL.format(arguments=opens), "ustod": SHELL.format(arguments="")}


# --- Everything together ------------------------------------------------------------------------------------------


class Words:
    """Says a sentence of `WORDS` in `language`, its `{fields}` filled."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, text: str, **fields: object) -> str:
        return WORDS.get(text, {}).get(self.language, text).format(**fields)


def install(source: Source, folder: Path, language: str, say: Say, *, assets: bool = True) -> Path:
    """Install the bundle at `source` into `folder`, or bring what is installed there up to date with it.

    Killed at any moment, what was installed before is still in use, or nothing is; the next run goes on. Notebooks are
    not touched.

    Args:
        language: in which to speak, and in which the starter opens the course.
        say: is told each step, in a sentence.
        assets: whether data and models are made ready too.

    Returns:
        The program that opens the course.

    Raises:
        BundleError: if the bundle, the folder, the disk or this Python is not fit for it.
    """
    words, began, bundle = Words(language), time.monotonic(), Bundle(source)
    target = choose_target(bundle.manifest)
    installation = Installation(folder)
    try:
        installation.prepare()
        with installation.locked():
            ready = _ready(bundle, installation)
            generation = ready or Maker(bundle, target, installation).make(say, words)
            if assets:
                say(words("Preparing data and models …"))
                bring_assets(bundle, generation, installation)
            texts = starters(language)
            for name, text in texts.items():
                write_whole(folder / name, text.encode(), 0o755)
            before = installation.current
            installation.switch(generation)
    except OSError as error:
        if error.errno in (28, 122):
            raise BundleError(f"The disk that holds {folder} is full: make room and start this again.") from error
        raise BundleError(
            f"{error.filename or folder} cannot be used ({error.strerror}): see to it and start again."
        ) from error
    starter, seconds = folder / next(iter(texts)), round(time.monotonic() - began)
    if before is not None and before.path == generation.path:
        say(words("This version is installed already. To open the course, start: {starter}", starter=starter))
    else:
        text = "Ustod is installed ({seconds} s). To open the course, start: {starter}"
        say(words(text, seconds=seconds, starter=starter))
    return starter


def _ready(bundle: Bundle, installation: Installation) -> Generation | None:
    """A whole generation of `bundle` that is there already; what else is there and not in use is removed."""
    current = installation.current
    found = current if current is not None and _is_of(current, bundle) else None
    for generation in installation.others():
        if found is None and _is_of(generation, bundle):
            found = generation
        else:
            generation.remove()
    return found


def _is_of(generation: Generation, bundle: Bundle) -> bool:
    have = generation.bundle
    return (
        have is not None
        and have["id"] == bundle.id
        and tuple(have["python"][:2]) == sys.version_info[:2]
        and all(next(_changed(generation, record), None) is None for record in generation.records().values())
    )


def find_python(manifest: dict[str, Any]) -> list[str] | None:
    """How to start a Python on this machine that the bundle is for; None where there is none."""
    wanted = {(t["from"][0], t["from"][1]) for t in manifest["targets"] if t["platform"] == this_platform()}
    for major, minor in sorted(wanted, reverse=True):
        ways = [["py", f"-{major}.{minor}"]] if os.name == "nt" else [[f"python{major}.{minor}"]]
        for way in ways:
            program = shutil.which(way[0])
            if program is None:
                continue
            ask = [program, *way[1:], "-c", "import sys; print(*sys.version_info[:3])"]
            done = subprocess.run(ask, capture_output=True, text=True)
            version = [int(part) for part in done.stdout.split()] if done.returncode == 0 else []
            if any(fits(target, version, this_platform()) for target in manifest["targets"] if version):
                return [program, *way[1:]]
    return None


def preferred_language(manifest: dict[str, Any]) -> str:
    """The user's own language, where the bundle has it; else the bundle's first."""
    offered = [str(language) for language in manifest["languages"]]
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name, "")[:2] in offered:
            return os.environ[name][:2]
    return offered[0]


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    parser = argparse.ArgumentParser(prog="install.py", description="Install or update Ustod. No network is used.")
    parser.add_argument("bundle", nargs="?", type=Path, help="the bundle; where this file lies, if none is given")
    parser.add_argument("--dir", type=Path, default=default_folder(), help="where to install (%(default)s)")
    parser.add_argument("--lang", choices=["en", "tg", "ru"], help="language of the messages and of the course")
    parser.add_argument("--no-assets", action="store_true", help="leave data and models out")
    parser.add_argument("--verify", action="store_true", help="only say which files of the bundle are damaged")
    options = parser.parse_args(arguments)
    here = Path(__file__).resolve().parent
    try:
        source = open_source(options.bundle or here)
        manifest = parse_manifest(source.read(MANIFEST), source.path)
        language = options.lang or preferred_language(manifest)
        if options.verify:
            return _verify(source, Words(language))
        if not any(fits(target, sys.version_info[:3], this_platform()) for target in manifest["targets"]):
            other = find_python(manifest)
            if other is not None:
                given = sys.argv[1:] if arguments is None else arguments
                return subprocess.run([*other, str(here if here.is_file() else Path(__file__)), *given]).returncode
        install(source, options.dir.absolute(), language, _print, assets=not options.no_assets)
    except BundleError as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("install: stopped; start it again to go on.", file=sys.stderr)
        return 1
    return 0


def _verify(source: Source, words: Words) -> int:
    faults = Bundle(source).verify()
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(words("Every file is as it was made."))
    return 1 if faults else 0


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

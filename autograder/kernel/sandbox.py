"""The bubblewrap command line around the zygote: what can be seen from within."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.kernel.child import INNER_UID
from autograder.kernel.limits import MIB
from autograder.kernel.zygote import NOBODY

#: The package's own folder. What lies beside it, such as the course with its hidden checks, is not to be seen.
PACKAGE = Path(__file__).resolve().parents[1]

#: Programs and libraries of the system.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

#: Of /etc, what programs look up; no accounts, no host names, no configuration of services.
ETC = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "timezone")

#: One thread per child: the machine's processors are shared out among children, and a fork copies no thread pool.
#: Matplotlib reads its backend when it is imported, which is before there is a kernel to say where pictures go.
STEADY = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}

_ACCOUNTS = {
    "/etc/passwd": f"learner:x:{INNER_UID}:{INNER_UID}:learner:/tmp/home:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "/etc/group": f"learner:x:{INNER_UID}:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True)
class Cache:
    """The parts of the Hugging Face cache that hold models and data, not the access tokens beside them."""

    hub: Path | None = None
    datasets: Path | None = None

    @classmethod
    def of_user(cls) -> Cache:
        """The cache that this user's Hugging Face libraries use; parts that do not exist are None."""
        home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
        hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser().resolve()
        datasets = Path(os.environ.get("HF_DATASETS_CACHE", home / "datasets")).expanduser().resolve()
        return cls(hub if hub.is_dir() else None, datasets if datasets.is_dir() else None)

    @property
    def folders(self) -> list[Path]:
        """The parts that exist."""
        return [folder for folder in (self.hub, self.datasets) if folder is not None]

    @property
    def variables(self) -> dict[str, str]:
        """What tells the libraries where it is."""
        pairs = {"HF_HUB_CACHE": self.hub, "HF_DATASETS_CACHE": self.datasets}
        return {name: str(folder) for name, folder in pairs.items() if folder is not None}


@dataclass(frozen=True)
class Sandbox:
    """What is inside.

    Attributes:
        readable: further files and folders that can be read, where they are.
        cache: models and data sets.
        scratch: bytes that the zygote's own /tmp holds; each child has its own beside it.
    """

    readable: tuple[Path, ...] = ()
    cache: Cache = Cache()
    scratch: int = 64 * MIB

    def command(self, program: Iterable[str]) -> tuple[list[str], list[int]]:
        """The command line that runs `program` inside, and open files that it must inherit and the caller closes.

        Raises:
            UstodError: if bubblewrap is not installed.
        """
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise UstodError(
                "The program bwrap is not installed, so learners' code cannot be shut in; install bubblewrap."
            )
        line = [bwrap, "--die-with-parent", "--new-session", "--clearenv", "--hostname", "ustod"]
        line += [f"--unshare-{kind}" for kind in ("pid", "net", "ipc", "uts", "cgroup-try")]
        line += _rights()
        for name, value in self._environment().items():
            line += ["--setenv", name, value]
        line += ["--proc", "/proc", "--dev", "/dev"]
        line += ["--perms", "1777", "--size", str(self.scratch), "--tmpfs", "/tmp", "--perms", "0777"]
        line += ["--dir", "/tmp/home", "--perms", "0755", "--dir", "/etc", *_system(), *self._views()]
        fds = []
        for path, text in _ACCOUNTS.items():
            fd = os.memfd_create(Path(path).name, 0)
            os.write(fd, text.encode())
            os.lseek(fd, 0, os.SEEK_SET)
            fds.append(fd)
            line += ["--perms", "0644", "--ro-bind-data", str(fd), path]
        line += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--", *program]
        return line, fds

    def _environment(self) -> dict[str, str]:
        scripts = str(Path(sys.executable).parent)
        return {
            "PATH": f"{scripts}:/usr/local/bin:/usr/bin:/bin",
            "HOME": "/tmp/home",
            "USER": "learner",
            "LOGNAME": "learner",
            "LANG": "C.UTF-8",
            **STEADY,
            **OFFLINE,
            **self.cache.variables,
        }

    def _views(self) -> Iterator[str]:
        folders = list(dict.fromkeys([*_python_folders(), PACKAGE, *self.cache.folders, *self.readable]))
        for folder in folders:
            for parent in reversed(folder.parents[:-1]):
                if not any(parent.is_relative_to(other) for other in folders):
                    yield from ("--perms", "0755", "--dir", str(parent))
            yield from ("--ro-bind", str(folder), str(folder))
        for hop in _links(Path(sys.executable)):
            if not any(hop.is_relative_to(folder) for folder in [*map(Path, SYSTEM), *folders]):
                yield from ("--ro-bind", str(hop.resolve()), str(hop))
        course = PACKAGE.parent / "course"
        if course.is_dir() and any(course.is_relative_to(folder) for folder in folders):
            yield from ("--tmpfs", str(course), "--remount-ro", str(course))


def _rights() -> list[str]:
    """An ordinary user gets a user namespace. Root gives up its rights within, for which it first needs some."""
    if _can_become_nobody():
        for_a_moment = [("--cap-add", f"CAP_{name}") for name in ("SYS_ADMIN", "SETUID", "SETGID")]
        return ["--cap-drop", "ALL", *itertools.chain(*for_a_moment)]
    return ["--unshare-user", "--uid", str(INNER_UID), "--gid", str(INNER_UID)]


def _can_become_nobody() -> bool:
    if os.getuid() != 0:
        return False
    ranges = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= NOBODY < first + length for first, _, length in ranges)


def _system() -> Iterator[str]:
    for name in SYSTEM:
        if os.path.islink(name):
            yield from ("--symlink", os.readlink(name), name)
        elif os.path.isdir(name):
            yield from ("--ro-bind", name, name)
    for name in ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _python_folders() -> list[Path]:
    """Where this Python and its packages are, under each name that leads there, outermost first."""
    names = [Path(name) for name in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)]
    every = {*names, *(name.resolve() for name in names)} - {Path("/usr")}
    return sorted(every, key=lambda path: len(path.parts))


def _links(path: Path) -> Iterator[Path]:
    """`path` and the files that it leads to, link by link."""
    yield path
    while path.is_symlink():
        path = Path(os.path.normpath(path.parent / os.readlink(path)))
        yield path

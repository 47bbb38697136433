"""A machine within this one, for tests: its own accounts, homes, ports and processes, gone without a trace at its end.

Namespaces of mounts, processes, network, IPC and host name; ``/etc`` is a copy, ``/home``, ``/srv``, ``/run``,
``/tmp`` and ``/dev/shm`` are empty, and Python, this checkout and the cache of models can be read by every account.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autograder.kernel.child import _raise_loopback
from autograder.kernel.linux import MS_BIND, MS_PRIVATE, MS_REC, mount

#: Whether this process is in an island.
INSIDE = "USTOD_ISLAND" in os.environ
TOP = Path(__file__).resolve().parent.parent.parent
_EMPTY = ("/home", "/srv", "/run", "/tmp", "/media", "/dev/shm")


def run(arguments: Sequence[str], cwd: Path = TOP, timeout: float = 3000) -> subprocess.CompletedProcess[str]:
    """Run Python with `arguments` as root of a new island, and end everything in it afterwards."""
    command = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
    command += [sys.executable, "-P", str(Path(__file__)), *arguments]
    paths = [str(TOP), str(TOP / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "USTOD_ISLAND": "1", "PYTHONPATH": os.pathsep.join(paths)}
    for name in [name for name in environment if name.startswith(("PYTEST_", "COV_"))]:
        del environment[name]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)


def _settle() -> None:
    """Make the island out of the namespaces that this process is in."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    _raise_loopback()
    _open_up([Path(sys.prefix), Path(sys.base_prefix), TOP, _models()])
    held = [(path, os.open(path, os.O_PATH)) for path in (TOP, Path(sys.prefix), Path(sys.base_prefix), _models())]
    for folder in _EMPTY:
        os.makedirs(folder, exist_ok=True)
        mount("tmpfs", folder, "tmpfs", options="mode=1777" if folder in ("/tmp", "/dev/shm") else "mode=755")
    for path, fd in held:  # any of them may lie in a folder that is empty now
        if not path.exists():
            path.mkdir(parents=True)
            mount(f"/proc/self/fd/{fd}", str(path), flags=MS_BIND | MS_REC)
        os.close(fd)
    _copy_etc()


def _models() -> Path:
    """The cache of models and data, as a student's program finds it."""
    path = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")).resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def _open_up(needed: Sequence[Path]) -> None:
    """Let every account reach `needed`: folders on the way there that only root may enter are covered."""
    for path in needed:
        for folder in reversed(path.parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                beneath = [(one, os.open(one, os.O_PATH)) for one in needed if folder in one.parents]
                mount("tmpfs", str(folder), "tmpfs", options="mode=755")
                for one, fd in beneath:
                    if not one.exists():
                        one.mkdir(parents=True)
                        mount(f"/proc/self/fd/{fd}", str(one), flags=MS_BIND | MS_REC)
                    os.close(fd)


def _copy_etc() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as copy:
        mount("tmpfs", copy, "tmpfs", options="mode=755")
        subprocess.run(["cp", "-a", "/etc/.", copy], check=True)
        mount(copy, "/etc", flags=MS_BIND)
        subprocess.run(["umount", copy], check=True)
    Path("/etc/resolv.conf").unlink(missing_ok=True)
    Path("/etc/hosts").write_text("127.0.0.1 localhost lab.local\n::1 localhost\n")


if __name__ == "__main__":
    _settle()
    os.environ["HOME"] = "/root" if Path("/root").is_dir() else "/"
    os.environ.setdefault("HF_HOME", str(_models()))
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])

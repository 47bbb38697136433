"""A machine of its own for the tests: accounts, homes and processes that the machine outside never sees."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from autograder.kernel import linux

ROOT = Path(__file__).parents[3]
INSIDE = Path(__file__).with_name("inside")
SOCKET = "/run/ustod/warm.sock"

#: lab-a is in a further group; the last two are nobody that the lab knows.
ACCOUNTS = """
groupadd -g 5000 class
useradd -m -u 2001 -G class lab-a
useradd -m -u 2002 lab-b
useradd -m -u 2003 grader-x
useradd -m -u 2004 visitor
useradd -m -u 500 lab-system
chmod 700 /home/*
"""

ENTRY_POINT = "[jupyter_client.kernel_provisioners]\nustod-lab = autograder.hub.warm.provisioner:LabProvisioner\n"


def _sealed(path: Path) -> Path | None:
    """The outermost folder above `path` that other users cannot enter."""
    return next((folder for folder in [*reversed(path.parents), path] if not folder.stat().st_mode & 0o001), None)


def set_up() -> None:
    """Run within new namespaces, as root: make the accounts, and let them read Python and the project."""
    shown = {ROOT, Path(sys.prefix), Path(sys.base_prefix), *map(Path, json.loads(os.environ["SHOWN"]))}
    held = {folder: os.open(folder, os.O_PATH) for folder in shown if _sealed(folder)}
    for cover in {_sealed(folder) for folder in held}:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(cover))
    for folder, fd in held.items():
        folder.mkdir(parents=True, exist_ok=True)
        linux.mount(f"/proc/self/fd/{fd}", str(folder), flags=linux.MS_BIND | linux.MS_REC)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/home")
    subprocess.run(["cp", "-a", "/etc", "/home/.etc"], check=True)
    _mount("--bind", "/home/.etc", "/etc")  # in which useradd works as ever
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    subprocess.run(["sh", "-ec", ACCOUNTS], check=True, stderr=subprocess.DEVNULL)
    info = Path("/run/entry/lab-0.dist-info")
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: lab\nVersion: 0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINT)
    print("ready", flush=True)
    signal.pause()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


class Machine:
    """The namespaces, as the tests see them."""

    def __init__(self, *shown: Path) -> None:
        flags = ["-mp", "--propagation", "private", "--fork", "--mount-proc", "--kill-child"]
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", *flags, sys.executable, __file__],
            env=os.environ | {"PYTHONPATH": str(ROOT), "SHOWN": json.dumps([str(path) for path in shown])},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self._init = children[0]

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()

    def start(self, *line: str, user: str = "root", **more: Any) -> subprocess.Popen[str]:
        """Start a program in there as `user`, in their home."""
        home = "/root" if user == "root" else f"/home/{user}"
        variables = {
            "HOME": home,
            "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": f"{ROOT}:{INSIDE}:/run/entry",
            "USTOD_WARM_SOCKET": SOCKET,
            "JUPYTER_PATH": str(ROOT / "autograder" / "hub" / "warm" / "jupyter"),
            **more.pop("env", {}),
        }
        into = ["nsenter", "-t", self._init, "-m", "-p"]
        who = [] if user == "root" else ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        return subprocess.Popen(
            [
                *into,
                *who,
                "env",
                "-C",
                "/" if user == "root" else home,
                "-i",
                *(f"{name}={text}" for name, text in variables.items()),
                *line,
            ],
            text=True,
            **more,
        )

    def run(self, *line: str, user: str = "root", check: bool = True, **more: Any) -> str:
        """What a program in there prints."""
        process = self.start(*line, user=user, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        out, err = process.communicate(timeout=300)
        assert not check or process.returncode == 0, f"exit code {process.returncode}\n{out}\n{err}"
        return out

    def python(self, code: str, user: str = "root", **more: Any) -> Any:
        """The JSON that a program in Python prints in its last line; it has a loop and kernels, see ``inside``."""
        out = self.run(sys.executable, "-c", textwrap.dedent(code), user=user, **more)
        return json.loads(out.splitlines()[-1]) if out.strip() else None


class Daemon:
    """A daemon in the machine."""

    def __init__(self, machine: Machine, *arguments: str, env: dict[str, str] | None = None) -> None:
        line = ["setsid", sys.executable, "-m", "autograder.hub.warm", "kernels", "--socket", SOCKET, *arguments]
        self.process = machine.start(*line, stdout=subprocess.PIPE, env=env or {})
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert "served" in said, said
        self._machine = machine
        #: As seen in there.
        self.pid = int(said.split()[-1].rstrip("."))

    def kill(self, number: int = signal.SIGKILL) -> None:
        self._machine.run("kill", f"-{int(number)}", str(self.pid))
        self.process.wait()
        time.sleep(0.1)


if __name__ == "__main__":
    set_up()

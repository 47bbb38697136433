"""A machine of a test's own: accounts, homes, /srv and /run in namespaces; ports and control groups are shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]

SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 none /srv
mkdir /srv/upper /srv/work
mount -t overlay -o lowerdir=/etc,upperdir=/srv/upper,workdir=/srv/work none /etc
mkdir /srv/kept
n=0
for path in "$@"; do  # what accounts must be able to read, behind a folder such as /root that lets nobody through
    n=$((n + 1)); mkdir /srv/kept/$n; mount --bind "$path" /srv/kept/$n
done
n=0
for path in "$@"; do
    n=$((n + 1)); top=/$(echo "$path" | cut -d / -f 2)
    [ "$top" = "$covered" ] || mount -t tmpfs -o mode=755 none "$top"
    covered=$top; mkdir -p "$path"; mount --bind /srv/kept/$n "$path"
done
for folder in /home /run /srv; do mount -t tmpfs -o mode=755 none $folder; done
mkdir -m 755 /run/lock
echo ready
sleep infinity & wait
"""


class PrivateMachine:
    """Runs programs in the namespaces of the process `pid`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self, *command: object, **options: object) -> subprocess.Popen[str]:
        """A program of root's, in the foreground of nothing."""
        line = ["nsenter", "-t", self.pid, "-m", "-p", *command]
        return subprocess.Popen([str(word) for word in line], env=self.environment, text=True, **options)  # type: ignore

    def run(self, *command: object, check: bool = True) -> str:
        """What a program of root's prints, with what it says of mistakes."""
        process = self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = process.communicate()
        assert not check or process.returncode == 0, said
        return said

    def python(self, code: str, *arguments: object, check: bool = True) -> str:
        """What Python code of root's prints."""
        return self.run(sys.executable, "-c", textwrap.dedent(code), *arguments, check=check)

    def as_account(self, name: str, *command: object, check: bool = True) -> str:
        """What a program of an account's prints."""
        return self.run("setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", *command, check=check)

    def path(self, path: str | Path) -> Path:
        """A path of this machine, seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")


def _is_shut(path: Path) -> bool:
    return any(not above.stat().st_mode & 0o001 for above in path.parents)


@contextmanager
def private_machine() -> Iterator[PrivateMachine]:
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", SETUP, "-"]
    command += sorted(str(path) for path in {Path(sys.base_prefix), Path(sys.prefix), ROOT} if _is_shut(path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as outer:
        try:
            assert outer.stdout is not None and outer.stdout.readline() == "ready\n"
            inner = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            yield PrivateMachine(int(inner[0]))
        finally:
            outer.send_signal(signal.SIGKILL)


def until(condition: object, seconds: float = 20.0) -> object:
    """What `condition()` gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while not (found := condition()):  # type: ignore[operator]
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.2)
    return found

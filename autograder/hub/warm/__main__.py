"""``python -m autograder.hub.warm kernels --socket /run/ustod/warm.sock``: warm kernels come from it; or servers.

To be run as root, by the lab's supervisor; SIGTERM ends it, and what it forked goes on.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.environment import spare_slow_imports
from autograder.errors import UstodError
from autograder.hub.warm import environment
from autograder.hub.warm.account import PREFIXES

if TYPE_CHECKING:
    from autograder.hub.warm.daemon import Service

KINDS = KERNELS, SERVERS = ("kernels", "servers")

#: Says that the environment is clean, and where the folder for fonts is.
FONTS = "MPLCONFIGDIR"


def main() -> int:
    """Import the stack, and serve."""
    parser = argparse.ArgumentParser(prog="python -m autograder.hub.warm", description=__doc__)
    parser.add_argument("kind", choices=KINDS, help="kernels for students' servers, or servers for the hub")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen; the folder must be root's")
    parser.add_argument("--any-user", action="store_true", help=f"kernels for users beside {', '.join(PREFIXES)}, too")
    parser.add_argument("--clean", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if os.getuid() != 0:
        print(f"Warm {given.kind} need root, to become each student; run this as root.", file=sys.stderr)
        return 1
    if not given.clean:
        _begin_again(given)
    try:
        _serve(given.kind, given.socket, () if given.any_user else PREFIXES)
    except UstodError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _begin_again(given: argparse.Namespace) -> None:
    """Run this program in an environment without secrets: every child holds a copy of the first one that it had."""
    fonts = tempfile.mkdtemp(prefix="ustod-fonts-")
    options = ["-X", "utf8", "-X", "frozen_modules=off"]  # the second is for the debugger
    if given.kind == SERVERS:
        options = ["-s"]  # what a student has installed does not stand in for a module of the server's
    place = ["--clean", "--socket", str(given.socket.absolute())]
    line = [sys.executable, *options, "-m", "autograder.hub.warm", given.kind, *place]
    line += ["--any-user"] if given.any_user else []
    os.chdir("/")  # root's: the first place where Python looks for modules
    os.execve(sys.executable, line, environment.clean(os.environ, fonts))


def _serve(kind: str, path: Path, prefixes: tuple[str, ...]) -> None:
    from autograder.hub.warm import daemon

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # First, so that whoever comes while modules are imported waits for them.
    listener = daemon.listen(path, 0o600 if kind == SERVERS else 0o666)
    try:
        service = _servers() if kind == SERVERS else _kernels(prefixes)
    finally:
        shutil.rmtree(os.environ[FONTS], ignore_errors=True)
    sys.path[:] = [folder for folder in sys.path if folder not in ("", "/")]
    print(f"Warm {kind} are served at {path} by process {os.getpid()}.", flush=True)
    daemon.Daemon(listener, service).serve()


def _kernels(prefixes: tuple[str, ...]) -> Service:
    from autograder.hub.warm.kernels import MODULES, Kernels
    from autograder.kernel.zygote import load

    load(MODULES)
    return Kernels(prefixes)


def _servers() -> Service:
    spare_slow_imports()
    from autograder.hub.warm.servers import MODULES, Servers
    from autograder.kernel.zygote import load

    load(MODULES)
    return Servers()


if __name__ == "__main__":
    sys.exit(main())

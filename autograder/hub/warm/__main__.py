"""``python -m autograder.hub.warm --socket /run/ustod/warm.sock``: the process that warm kernels are forked from.

To be run as root, by the lab's supervisor; SIGTERM ends it, and the kernels go on.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from autograder.errors import UstodError
from autograder.hub.warm import environment
from autograder.hub.warm.account import PREFIXES

#: Says that the environment is clean, and where the folder for fonts is.
FONTS = "MPLCONFIGDIR"


def main() -> int:
    """Import the stack, and serve."""
    parser = argparse.ArgumentParser(prog="python -m autograder.hub.warm", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where to listen; the folder must be root's")
    parser.add_argument("--any-user", action="store_true", help=f"serve users beside {', '.join(PREFIXES)}, too")
    parser.add_argument("--clean", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if os.getuid() != 0:
        print("The warm kernels need root, to become each student; run this as root.", file=sys.stderr)
        return 1
    if not given.clean:
        _begin_again(given)
    try:
        _serve(given.socket, () if given.any_user else PREFIXES)
    except UstodError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _begin_again(given: argparse.Namespace) -> None:
    """Run this program in an environment without secrets: every kernel holds a copy of the first one that it had."""
    fonts = tempfile.mkdtemp(prefix="ustod-fonts-")
    options = ["-X", "utf8", "-X", "frozen_modules=off"]  # the second is for the debugger
    line = [sys.executable, *options, "-m", "autograder.hub.warm", "--clean", "--socket", str(given.socket.absolute())]
    line += ["--any-user"] if given.any_user else []
    os.chdir("/")  # root's: the first place where Python looks for modules
    os.execve(sys.executable, line, environment.clean(os.environ, fonts))


def _serve(path: Path, prefixes: tuple[str, ...]) -> None:
    from autograder.hub.warm import daemon

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listener = daemon.listen(path)  # first, so that whoever comes while the stack is imported waits for it
    from autograder.hub.warm import kernel
    from autograder.kernel.client import STACK
    from autograder.kernel.provisioner import KERNEL_MODULES
    from autograder.kernel.zygote import load

    try:
        load([*STACK, *KERNEL_MODULES, *daemon.NEEDED, *daemon.PARTS])
    finally:
        shutil.rmtree(os.environ[FONTS], ignore_errors=True)
    kernel.copies = environment.find_copies()
    sys.path[:] = [folder for folder in sys.path if folder not in ("", "/")]
    print(f"Warm kernels are served at {path} by process {os.getpid()}.", flush=True)
    daemon.Daemon(listener, prefixes).serve()


if __name__ == "__main__":
    sys.exit(main())

"""From the fork to the learner's code: a child of the zygote shuts itself in, then calls the function it was made for.

Two processes per child. The *keeper* makes the namespaces, waits, hands back the working folder and relays the exit
code; it is not visible from within. The *inmate* is the first process of its own pid namespace.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import random
import shutil
import signal
import socket
import struct
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.kernel import archive, linux, seccomp, tree
from autograder.kernel.limits import Limits, apply

#: Who a learner's code is, in its own namespace.
INNER_UID = 1000

#: The exit code of a child whose function raised, after the traceback on its console.
FAILED = 1


@dataclass(frozen=True)
class Order:
    """What one child is to do.

    Attributes:
        call: ``module:function``; it is called with the descriptors of `fds`, then with `args`.
        fds: open files that are the function's own.
        console: an open file for standard output and error; None throws them away.
        gate: the reading end of a pipe; nothing of the learner's is touched before its other end is closed.
        files: a tar archive of what the working folder holds at first; None for nothing.
        results: an open file that receives the working folder as a tar archive at the end; None if nobody wants it.
        sandboxed: whether to make namespaces; without, the limits are all there is.
        copied: read-only folders in which the child may make files, which go to its own disk space.
        hidden: folders that are empty for the child.
    """

    call: str
    args: Sequence[Any]
    fds: Sequence[int]
    limits: Limits
    console: int | None
    gate: int
    files: int | None
    results: int | None
    sandboxed: bool
    copied: Sequence[str] = ()
    hidden: Sequence[str] = ()


def keep(order: Order, status: int) -> None:
    """Run `order` in a new process, wait for it and exit as it did. Called in a fork of the zygote; never returns.

    Writes to the pipe `status` a line with the inmate's pid, and a line with what went wrong if something did before
    the function was called; closes it.
    """
    code = FAILED
    try:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        close_all_but(
            [
                *(status, order.gate, *order.fds),
                *(fd for fd in (order.console, order.files, order.results) if fd is not None),
            ]
        )
        reset_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with contextlib.suppress(OSError):  # if the machine has no memory left, this one goes first
            Path("/proc/self/oom_score_adj").write_text("1000")
        if order.sandboxed:
            _make_namespaces(order.limits)
            folder = Path("/tmp")
        else:
            folder = Path(tempfile.mkdtemp(prefix="ustod-child-"))
        for name in ("work", "home", "shm"):
            (folder / name).mkdir()
        if order.sandboxed:
            _mount_private_devices(folder)
            _make_writable(order.copied)
            _hide(order.hidden)
        os.read(order.gate, 1)
        if order.files is not None:
            archive.unpack(order.files, folder / "work")
        inmate = os.fork()
        if inmate == 0:
            _be_inmate(order, status, folder)
        os.write(status, b"%d\n" % inmate)
        close_all_but([order.results] if order.results is not None else [])
        _, ended = os.waitpid(inmate, 0)
        code = os.waitstatus_to_exitcode(ended)
        if order.results is not None:
            archive.pack_results(folder / "work", order.results, order.limits.disk)
        if not order.sandboxed:
            _end_orphans()
            shutil.rmtree(folder, ignore_errors=True)
    except BaseException as error:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            os.write(status, _line(error))
    os._exit(code if code >= 0 else 128 - code)


def _line(error: BaseException) -> bytes:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text}\n".encode(errors="replace")


def _end_orphans() -> None:
    """What the inmate left running; with a namespace of its own, Linux does this."""
    for left in tree.descendants(os.getpid(), tree.processes())[1:]:
        tree.kill(left.pid)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _make_namespaces(limits: Limits) -> None:
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(
        linux.CLONE_NEWUSER
        | linux.CLONE_NEWNS
        | linux.CLONE_NEWPID
        | linux.CLONE_NEWNET
        | linux.CLONE_NEWIPC
        | linux.CLONE_NEWUTS
        | linux.CLONE_NEWCGROUP
    )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{INNER_UID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{INNER_UID} {gid} 1")
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    held = [(path, os.open(path, os.O_PATH)) for path in _mounted_below("/tmp/")]
    size = f"size={limits.disk},nr_inodes={limits.files},mode=0700"
    linux.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, size)
    for path, fd in held:  # Python or its packages may be installed below /tmp
        os.makedirs(path)
        linux.mount(f"/proc/self/fd/{fd}", path, flags=linux.MS_BIND | linux.MS_REC)
        os.close(fd)
    _raise_loopback()


def _mounted_below(folder: str) -> list[str]:
    """The outermost mounts in `folder`; what is mounted inside them goes where they go."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    paths = [line.split()[1].encode("latin-1", "backslashreplace").decode("unicode_escape") for line in lines]
    found = [path for path in paths if path.startswith(folder)]
    return [path for path in found if not any(path.startswith(f"{other}/") for other in found)]


def _mount_private_devices(folder: Path) -> None:
    linux.mount(str(folder / "shm"), "/dev/shm", flags=linux.MS_BIND)
    linux.mount("devpts", "/dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")


def _make_writable(folders: Sequence[str]) -> None:
    """Let new files be made in folders that stay as they are, such as a library's cache with its lock files.

    Each is covered with folders of the child's own disk space, whose files are links to the read-only original. (An
    overlay file system would keep the permissions of the original, which belongs to a user that does not exist here.)
    """
    for number, folder in enumerate(folders):
        original, own = f"/tmp/.original/{number}", f"/tmp/.own/{number}"
        os.makedirs(original)
        linux.mount(folder, original, flags=linux.MS_BIND | linux.MS_REC)
        for place, _, names in os.walk(original):
            copy = os.path.normpath(os.path.join(own, os.path.relpath(place, original)))
            os.makedirs(copy)
            for name in names:
                if name.endswith(".lock"):  # whoever locks makes the file, and refuses a link in its place
                    continue
                os.symlink(os.path.join(place, name), os.path.join(copy, name))
        linux.mount(own, folder, flags=linux.MS_BIND)


def _hide(folders: Sequence[str]) -> None:
    """Cover folders with empty ones; nobody without capabilities can take a cover away."""
    for folder in folders:
        flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_RDONLY
        linux.mount("tmpfs", folder, "tmpfs", flags, "size=4k,nr_inodes=1,mode=0555")


def _raise_loopback() -> None:
    """The child's own 127.0.0.1, which leads nowhere but to itself; PyTorch's process groups want one."""
    set_flags, up = 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh22x", b"lo", up))


def _be_inmate(order: Order, status: int, folder: Path) -> None:
    code = FAILED
    try:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        _connect_console(order.console)
        if order.sandboxed:
            linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_RDONLY)
            linux.drop_capabilities()
            if seccomp.available():
                seccomp.install()
        apply(order.limits)
        close_all_but([status, *order.fds])
        os.environ.update(HOME=str(folder / "home"), TMPDIR=str(folder))
        os.chdir(folder / "work")
        tempfile.tempdir = None
        reset_signals()
        function = _function(order.call)
        os.close(status)
        sys.path.insert(0, "")  # only now: a learner's file may be named like a module that was still to be imported
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(status, _line(error))
        os._exit(FAILED)
    try:
        reseed()
        gc.enable()
        code = int(function(*order.fds, *order.args) or 0)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code & 0xFF)


def _function(call: str) -> Any:
    module, _, name = call.partition(":")
    return getattr(importlib.import_module(module), name)


def _connect_console(console: int | None) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    for standard in (1, 2):
        os.dup2(nothing if console is None else console, standard)


def close_all_but(keep: Sequence[int]) -> None:
    """Close every descriptor above the standard three that is not in `keep`."""
    low = 3
    for fd in sorted(set(keep)):
        os.closerange(low, fd)
        low = max(low, fd + 1)
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def reset_signals() -> None:
    """The handlers and the mask of a Python that has just started."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def reseed() -> None:
    """New randomness for every child: all of them are copies of one process.

    That includes the keys that `multiprocessing`, and the copy of it that datasets uses, draw when they are imported:
    who knows the key of another's process can have it run anything.
    """
    random.seed()
    for name in ("multiprocessing", "multiprocess"):
        if f"{name}.process" in sys.modules:
            sys.modules[f"{name}.process"].current_process().authkey = os.urandom(32)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].seed()

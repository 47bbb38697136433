"""System calls that Python 3.11 lacks."""

from __future__ import annotations

import ctypes
import os
import re

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWTIME = 0x00000080

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

KEYCTL_JOIN_SESSION_KEYRING = 1

#: Of madvise(2), since Linux 6.1: put a region into huge pages, now.
MADV_COLLAPSE = 25
HUGE_PAGE = 2 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError."""
    _check(_libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()), f"mount {target}")


def setns(fd: int, flags: int) -> None:
    """setns(2). Raises OSError."""
    _check(_libc.setns(fd, flags), "setns")


def leave_keyring() -> None:
    """Exchange the session's keyring, which a fork inherits, for an empty one; nothing where there are no keyrings."""
    number = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)
    if number is not None:
        _libc.syscall(ctypes.c_long(number), ctypes.c_long(KEYCTL_JOIN_SESSION_KEYRING), ctypes.c_void_p())


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    """prctl(2) with numbers. Raises OSError."""
    _check(_libc.prctl(option, first, second, 0, 0), f"prctl {option}")


def bound_capabilities() -> None:
    """Let no exec bring a capability: what a set-user-id program or a file could. Those held now stay."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def drop_capabilities() -> None:
    """Give up every capability, now and after any exec."""
    bound_capabilities()
    version_3 = 0x20080522
    header = (ctypes.c_uint32 * 2)(version_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, nothing), "capset")


def collapse_memory() -> None:
    """Put the memory of this process into huge pages, as far as Linux can, so that each fork copies fewer page tables.

    With the stack imported, a fork and the end of its child then cost less than half of what they did.
    """
    with open("/proc/self/maps", encoding="utf-8") as file:
        regions = [re.match(r"(\w+)-(\w+) rw-p \S+ \S+ 0\s+(?!\[stack)", line) for line in file]
    for region in filter(None, regions):
        start = -(-int(region[1], 16) // HUGE_PAGE) * HUGE_PAGE
        end = int(region[2], 16) // HUGE_PAGE * HUGE_PAGE
        if start < end:
            _libc.madvise(start, end - start, MADV_COLLAPSE)  # a region that cannot be stays as it is

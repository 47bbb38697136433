"""A list of system calls that no learner's program needs, refused by a filter in the Linux kernel.

The namespaces are the walls; this removes doors that have been the way through such walls, and the few ways to take
memory that no other limit counts. The filter is classic BPF, written here so that nothing has to be installed.

Sources: seccomp(2), the headers linux/filter.h, linux/audit.h and asm/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from autograder.kernel import linux

#: Names with their numbers on x86-64 and on 64-bit ARM. None: that machine lacks the call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # another process's memory
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # large or old parts of the Linux kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "lookup_dcookie": (212, 18),
    # the machine
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    # memory that belongs to no process and to no file
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
}

#: Sockets that network namespaces keep in: local, IPv4, IPv6, and netlink, through which programs list interfaces.
#: Others (for one, those from a virtual machine to its host) know no namespaces.
SOCKET_FAMILIES = (1, 2, 10, 16)

_MACHINES = {"x86_64": (0, 0xC000003E, 56, 435, 41), "aarch64": (1, 0xC00000B7, 220, 435, 198)}
_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWTIME
)

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_FILTER_MODE = 2


def available() -> bool:
    """Whether the filter is known for this machine's processor."""
    return platform.machine() in _MACHINES


def program() -> bytes:
    """The filter as an array of ``struct sock_filter``.

    Raises:
        KeyError: on a processor for which there is none; see `available`.
    """
    column, machine, clone, clone3, socket = _MACHINES[platform.machine()]
    numbers = sorted(number for row in REFUSED.values() if (number := row[column]) is not None)
    rows: list[tuple[int, int, int, int]] = []

    def add(code: int, value: int, then: int = 0, otherwise: int = 0) -> None:
        rows.append((code, then, otherwise, value))

    def refuse(number: int) -> None:
        add(_RETURN, _REFUSE | number)

    add(_LOAD, _MACHINE)
    add(_EQUAL, machine, then=1)
    refuse(errno.ENOSYS)
    add(_LOAD, _NUMBER)
    add(_AT_LEAST, 0x40000000, otherwise=1)  # the x32 variant of x86-64 has numbers of its own
    refuse(errno.ENOSYS)
    add(_EQUAL, clone3, otherwise=1)  # its flags are in memory that a filter cannot read; programs fall back to clone
    refuse(errno.ENOSYS)
    for number in numbers:
        add(_EQUAL, number, otherwise=1)
        refuse(errno.EPERM)
    add(_EQUAL, clone, otherwise=4)
    add(_LOAD, _FIRST_ARGUMENT)
    add(_ANY_BIT, _NAMESPACES, otherwise=1)
    refuse(errno.EPERM)
    add(_RETURN, _ALLOW)
    add(_EQUAL, socket, otherwise=2 + len(SOCKET_FAMILIES))
    add(_LOAD, _FIRST_ARGUMENT)
    for index, family in enumerate(SOCKET_FAMILIES):
        add(_EQUAL, family, then=len(SOCKET_FAMILIES) - index)
    refuse(errno.EAFNOSUPPORT)
    add(_RETURN, _ALLOW)
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def install() -> None:
    """Put the filter on this process and on all that it will start; it cannot be taken off.

    The process must have given up new privileges before.

    Raises:
        OSError: if the Linux kernel was built without filters.
    """
    code = program()
    rows = ctypes.create_string_buffer(code)
    head = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(rows)))
    linux.prctl(linux.PR_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(head))

"""The filter refuses what it lists, lets everything else through, and never lets a namespace be made."""

import platform
import re
import struct
from pathlib import Path

import pytest

from autograder.kernel import linux, seccomp

COLUMN = 0 if platform.machine() == "x86_64" else 1
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h" if COLUMN == 0 else "/usr/include/asm-generic/unistd.h")
KNOWN = {name: row[COLUMN] for name, row in seccomp.REFUSED.items() if row[COLUMN] is not None}
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
MACHINE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[platform.machine()]
ROWS = list(struct.iter_unpack("=HBBI", seccomp.program()))
CLONE, CLONE3, SOCKET = {"x86_64": (56, 435, 41), "aarch64": (220, 435, 198)}[platform.machine()]


def verdict(number, argument=0, machine=MACHINE):
    """What the program answers, by reading it as Linux would."""
    data = struct.pack("=IIQQ", number, machine, 0, argument)
    position, accumulator = 0, 0
    while True:
        code, then, otherwise, value = ROWS[position]
        position += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            position += then if holds else otherwise


@pytest.mark.parametrize("name", KNOWN)
def test_a_listed_call_is_refused(name):
    assert verdict(KNOWN[name]) & 0xFFFF0000 == REFUSE


def test_every_other_call_is_let_through():
    listed = {*KNOWN.values(), CLONE3, SOCKET}
    assert all(verdict(number) == ALLOW for number in range(500) if number not in listed)


def test_the_numbers_are_those_of_this_machines_headers():
    text = HEADER.read_text() if HEADER.is_file() else ""
    defined = dict(re.findall(r"#define __NR_(\w+) (\d+)", text))
    assert all(int(defined[name]) == number for name, number in KNOWN.items() if name in defined)


@pytest.mark.parametrize("flag", [name for name in vars(linux) if name.startswith("CLONE_NEW")])
def test_a_process_may_be_made_but_no_namespace(flag):
    sigchld, thread = 17, 0x3D0F00
    assert verdict(CLONE, sigchld) == ALLOW
    assert verdict(CLONE, thread) == ALLOW
    assert verdict(CLONE, sigchld | getattr(linux, flag)) & 0xFFFF0000 == REFUSE


@pytest.mark.parametrize("family", range(46))
def test_sockets_are_local_or_of_the_internet(family):
    assert (verdict(SOCKET, family) == ALLOW) == (family in seccomp.SOCKET_FAMILIES)


def test_other_kinds_of_call_are_refused_whatever_their_number():
    assert verdict(0, machine=0x40000003) & 0xFFFF0000 == REFUSE
    assert verdict(0x40000000) & 0xFFFF0000 == REFUSE


def test_a_child_meets_the_filter(inside):
    source = f"""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        answer = []
        for name, number in {KNOWN!r}.items():
            if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.EPERM:
                answer.append(name)
        """
    assert inside(source).answer == []


def test_a_childs_programs_meet_it_too(inside):
    outcome = inside(
        """
        import subprocess
        answer = subprocess.run(["unshare", "--user", "true"], capture_output=True, text=True).stderr
        """
    )
    assert "Operation not permitted" in outcome.answer

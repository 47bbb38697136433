"""What one student uses up, others still have."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from hub.island_attacks.scene import ASSIGNMENT, BYSTANDER, COURSE, HOMES, MALLORY, NOTEBOOK, VICTIM, WORD, Scene
from hub.seats import Refused
from hub.whole_lab import PASSWORD

from autograder.hub import state
from autograder.kernel.limits import MIB

pytestmark = pytest.mark.slow

HOG = "held = bytearray(b'x') * (3 << 30); import time; time.sleep(60)"


def all_is_well(scene: Scene) -> None:
    """The victim goes on with their work, and others log in."""
    assert scene.victim.gets("secret + 1", patience=60) == 43
    path = f"{COURSE}/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
    scene.prey.save(path, scene.prey.read(path))
    scene.fresh(BYSTANDER, "127.0.0.90").log_in(PASSWORD)
    assert scene.prey.assignments(COURSE)


def test_who_takes_too_much_memory_loses_it_and_no_neighbour_notices(scene: Scene) -> None:
    begin = f"hog = subprocess.Popen([{sys.executable!r}, '-c', {HOG!r}])"
    scene.mallory.gets(f"exec({begin!r})")
    for _ in range(5):
        assert scene.victim.gets("secret + 1", patience=20) == 43
    assert scene.mallory.gets("hog.wait(60)") == -9
    assert scene.mallory.gets("1 + 1") == 2


def test_who_starts_as_many_processes_as_they_can_leaves_others_theirs(scene: Scene) -> None:
    try:
        assert 50 < scene.mallory.gets("fork_all()") <= scene.whole.lab.limits.processes
        all_is_well(scene)
    finally:
        scene.mallory.gets("end_forked()")


def test_who_keeps_every_processor_busy_slows_nobody_down_for_long(scene: Scene) -> None:
    scene.mallory.gets("spin(16)")
    try:
        all_is_well(scene)
    finally:
        scene.mallory.gets("let_go()")


@pytest.mark.parametrize(
    ("limit", "most"), [("RLIMIT_NPROC", 400), ("RLIMIT_FSIZE", 2 << 30), ("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", 4096)]
)
def test_limits_hold_and_are_not_raised(scene: Scene, limit: str, most: int) -> None:
    for student in (scene.mallory, scene.victim):
        soft, hard = student.gets(f"resource.getrlimit(resource.{limit})")
        assert 0 <= soft <= hard <= most
        raised = f"resource.setrlimit(resource.{limit}, ({most + 1}, {most + 1}))"
        assert student.gets(raised) in ("stopped by PermissionError", "stopped by ValueError")


def test_no_file_is_larger_than_the_limit(scene: Scene) -> None:
    path, most = f"{HOMES / MALLORY}/big", scene.whole.lab.limits.file_size
    make = f"(os.close(os.open({path!r}, os.O_CREAT | os.O_WRONLY)), os.truncate({path!r}, {{}}))[1]"
    assert scene.mallory.gets(make.format(most)) is None
    assert scene.mallory.gets(make.format(most + 1)) == f"stopped by OSError {errno.EFBIG}"
    scene.mallory.gets(f"os.unlink({path!r})")


@pytest.mark.parametrize(("size", "room"), [(1 << 20, "size={}k"), (0, "nr_inodes={}")])
def test_a_disk_that_one_student_fills_loses_nothing_of_others_and_all_goes_on_afterwards(
    scene: Scene, size: int, room: str
) -> None:
    """Linux gives students no quota of their own; what they have filled can be seen, and removed."""
    before = NOTEBOOK.read_bytes()
    assert WORD.encode() in before
    with small_disk(room):
        number, why = scene.mallory.gets(f"fill({str(HOMES / MALLORY / 'full')!r}, {size})")
        assert why == errno.ENOSPC and number > 10
        with pytest.raises(Refused) as refused:
            scene.prey.save("new.txt", "x" * 100_000)
        assert refused.value.status == 500
        with pytest.raises(AssertionError, match=r"No space left on device|disk"):
            scene.prey.do("submit", COURSE, ASSIGNMENT)
        assert NOTEBOOK.read_bytes() == before
        assert scene.victim.gets("secret") == 42
        scene.mallory.gets(f"__import__('shutil').rmtree({str(HOMES / MALLORY / 'full')!r})")
        all_is_well(scene)


@contextmanager
def small_disk(room: str) -> Iterator[None]:
    """The disk of the lab, with room for a little more than it holds: 64 MiB, or 500 files."""
    found = os.statvfs("/srv")
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    most = {"size={}k": (used + 64 * MIB) >> 10, "nr_inodes={}": found.f_files - found.f_ffree + 500}[room]
    was = {"size={}k": (found.f_blocks * found.f_frsize) >> 10, "nr_inodes={}": found.f_files}[room]
    subprocess.run(["mount", "-o", f"remount,{room.format(most)}", "/srv"], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", f"remount,{room.format(was)}", "/srv"], check=True)


ANYWHERE = ["hub/login", "hub/api/users", f"user/{VICTIM}/lab", f"services/{COURSE}/formgrader/"]


@pytest.mark.parametrize("where", ANYWHERE)
def test_what_outsiders_send_is_not_kept_in_memory(scene: Scene, where: str) -> None:
    """Four times 90 MB, which nobody has asked for."""
    whose = {"hub": "the hub", "user": "the victim's server", "serv": "a course's server"}[where[:4].rstrip("/")]
    process = psutil.Process(scene.pid(whose))
    with open(f"/proc/{process.pid}/clear_refs", "w") as file:
        file.write("5")  # the highest mark of its memory begins anew
    before = peak(process.pid)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: send_much(scene, where), range(4)))
    assert peak(process.pid) - before < 100 * MIB
    all_is_well(scene)


def test_who_is_logged_in_does_save_what_is_large(scene: Scene) -> None:
    for seat, server in ((scene.prey, scene.prey.path("")), (scene.whole.instructor, f"services/{COURSE}/")):
        seat.save("large.txt", "x" * (4 * MIB), server)
        seat.ask("DELETE", f"{server}api/contents/large.txt")


def send_much(scene: Scene, where: str) -> None:
    with suppress(OSError):  # the line was cut
        scene.outsider(where, "POST", data=bytes(90 * MIB))


def peak(pid: int) -> int:
    """The most memory that a process has had."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


BODY = b"POST /hub/login HTTP/1.1\r\nHost: lab.local\r\nContent-Length: 1000\r\n\r\nusername="


@pytest.mark.parametrize("said", [b"", BODY], ids=["nothing", "half a body"])
@pytest.mark.parametrize("what", ["the hub", "the exchange", "the proxy's door", "a course", "the victim's server"])
def test_lines_that_a_student_holds_open_keep_nobody_out(scene: Scene, what: str, said: bytes) -> None:
    lab = scene.whole.lab
    port = {
        "the hub": state.port(lab, state.HUB),
        "the exchange": state.port(lab, state.EXCHANGE),
        "the proxy's door": state.port(lab, state.PROXY),
        "a course": state.course_port(lab, COURSE),
        "the victim's server": scene.port(VICTIM),
    }[what]
    held = scene.mallory.gets(f"hold(('127.0.0.1', {port}), 4500, {said!r})", patience=300)
    try:
        assert held > 1000
        all_is_well(scene)
        assert scene.whole.instructor.ask("GET", f"services/{COURSE}/formgrader/").status_code == 200
    finally:
        scene.mallory.gets("let_go()")


@pytest.mark.parametrize("said", [b"", BODY], ids=["nothing", "half a body"])
def test_lines_that_outsiders_hold_open_keep_nobody_out(scene: Scene, said: bytes) -> None:
    context = ssl.create_default_context(cafile=scene.ca)
    with ExitStack() as held:
        for number in range(1200):
            line = socket.create_connection(("127.0.0.1", 443), 20, (f"127.0.2.{number % 250 + 1}", 0))
            held.enter_context(line)
            if said:
                line = held.enter_context(context.wrap_socket(line, server_hostname="lab.local"))
                line.sendall(said)
        all_is_well(scene)

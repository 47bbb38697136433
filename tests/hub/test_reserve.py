"""Control groups of students: real ones, where this machine lets us make them, and what stands in for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub.private import private_machine, until

from autograder.hub import reserve
from autograder.hub.lab import Lab, Limits, Storage
from autograder.hub.reserve import Reserve, Student, room_for_one
from autograder.kernel.limits import MIB


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(storage=Storage(root=tmp_path))


@pytest.fixture
def students(lab: Lab) -> Iterator[Reserve]:
    found = Reserve.of(lab)
    if found is None:
        pytest.skip("Linux lets this process make no control groups")
    yield found
    found.remove()
    assert not any(folder.exists() for folder in found.folders.values())


@pytest.fixture
def student(students: Reserve) -> Iterator[Student]:
    student = students.student("lab-s1", memory=96 * MIB, cpu=0.25, processes=20)
    yield student
    student.kill()
    student.remove()


def run(student: Student, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        preexec_fn=student.enter,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(student: Student, code: str) -> tuple[int, str]:
    process = run(student, code)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_a_process_joins_before_its_program_begins(student: Student) -> None:
    code, out = said(student, "print(open('/proc/self/cgroup').read())")

    assert code == 0 and out.count("/lab-s1\n") >= len(set(student.folders.values()))


def test_a_program_over_the_limit_on_memory_is_ended_and_counted(student: Student) -> None:
    assert said(student, "x = bytearray(48 << 20); print(len(x))") == (0, f"{48 * MIB}\n")
    assert student.killed() == 0

    code, _ = said(student, "x = bytearray(200 << 20); print(len(x))")

    assert code == -9 and student.killed() == 1


def test_memory_of_several_programs_counts_together(student: Student) -> None:
    first = run(student, "x = bytearray(60 << 20); print(1, flush=True); import time; time.sleep(60)")
    assert first.stdout is not None and first.stdout.readline() == "1\n"
    assert student.memory() > 60 * MIB

    second = run(student, "x = bytearray(60 << 20); print(1)")

    assert -9 in (second.wait(30), first.poll())  # Linux chooses
    first.kill()
    first.wait()


def test_files_that_were_read_do_not_count_as_use(student: Student, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(150 * MIB))
    code, out = said(
        student,
        f"n = 0\nwith open({str(tmp_path / 'big')!r}, 'rb') as f:\n while b := f.read(1 << 20): n += len(b)\nprint(n)",
    )

    assert (code, out) == (0, f"{150 * MIB}\n")
    assert student.memory() < 96 * MIB


#: Before a program that multiplies, which is bounded by itself too. Its pids are a private machine's, gone with that.
CAGE = ["prlimit", "--nproc=64", "setpriv", "--clear-groups"]


def test_a_program_that_multiplies_gets_no_further_than_the_limit_and_is_ended(student: Student) -> None:
    assert (student.folders["pids"] / "pids.max").read_text() == "20\n"  # before anything leans on it
    multiply = "import os, time\nfor _ in range(40):\n try: os.fork() or time.sleep(60)\n except OSError: time.sleep(9)"
    with private_machine() as machine:  # children do not multiply: with no limit it would be 42
        command = [*CAGE, "--reuid=nobody", sys.executable, "-c", multiply]
        parent = machine.start(*command, preexec_fn=student.enter, stderr=subprocess.DEVNULL)

        until(lambda: len(student.pids()) == 20)
        time.sleep(0.3)
        assert len(student.pids()) == 20

        assert student.kill()
        parent.wait(5)
        assert student.pids() == []


def test_a_program_that_goes_on_in_its_children_is_ended_without_a_group_too() -> None:
    # One process at a time, each the child of the one before, and 200 of them at the most.
    relay = "import os, time\nfor _ in range(200):\n if os.fork(): os._exit(0)\n os.write(1, b'.'); time.sleep(0.02)"
    with private_machine() as machine:
        uid = int(machine.run("sh", "-c", "useradd hopper && useradd other && id -u hopper"))
        other = machine.start("setpriv", "--reuid=other", "--clear-groups", "sleep", "60")
        steps = machine.path("/srv/steps")
        with steps.open("w") as file:
            machine.start(*CAGE, "--reuid=hopper", sys.executable, "-c", relay, stdout=file)
        until(lambda: steps.stat().st_size > 3)

        machine.python("import sys; from autograder.hub import reserve; reserve.kill_account(int(sys.argv[1]))", uid)

        taken = steps.stat().st_size
        time.sleep(0.5)
        assert steps.stat().st_size == taken < 200
        assert other.poll() is None


def test_the_systems_accounts_are_not_to_be_ended() -> None:
    with pytest.raises(ValueError, match="not a student's"):
        reserve.kill_account(0)


def test_processor_time_is_limited(student: Student) -> None:
    if "cpu" not in student.folders:
        pytest.skip("no control groups of processor time")
    code = "import time; end = time.monotonic() + 2\nwhile time.monotonic() < end: pass\nprint(time.process_time())"

    assert float(said(student, code)[1]) < 2 * 0.25 + 0.3


def test_neighbours_have_limits_of_their_own(students: Reserve, student: Student) -> None:
    other = students.student("lab-s2", memory=400 * MIB, cpu=1, processes=20)

    assert said(other, "x = bytearray(200 << 20); print(1)") == (0, "1\n")
    assert student.killed() == 0
    assert students.find("lab-s2") == other and students.find("lab-s3") is None
    other.remove()


def test_all_students_together_leave_the_reserve(lab: Lab, students: Reserve) -> None:
    folder = students.folders["memory"]
    file = next(path for name in ("memory.limit_in_bytes", "memory.max") if (path := folder / name).exists())

    page = os.sysconf("SC_PAGESIZE")
    assert abs(int(file.read_text()) - (reserve.machine_memory() - lab.limits.reserve_memory)) <= page

    small = Lab(storage=lab.storage, limits=Limits.model_validate({"reserve_memory": "100 MiB"}))
    Reserve.of(small)
    assert abs(int(file.read_text()) - (reserve.machine_memory() - 100 * MIB)) <= page


def test_a_limit_that_has_changed_counts_from_the_next_start(students: Reserve) -> None:
    for memory in (96, 300, 64):
        student = students.student("lab-s4", memory=memory * MIB, cpu=1, processes=20)
        code, _ = said(student, "x = bytearray(200 << 20)")
        assert (code == 0) == (memory == 300)
    student.remove()


def test_a_reserve_larger_than_the_machine_leaves_students_a_part() -> None:
    vast = Lab(limits=Limits.model_validate({"reserve_memory": "900 TiB"}))

    assert reserve.memory_for_students(vast) == reserve.machine_memory() // reserve.LEAST_PART


def test_no_server_is_started_into_the_reserve(lab: Lab) -> None:
    assert room_for_one(lab) is None

    servers = reserve.free_memory() // reserve.SERVER
    refusal = room_for_one(lab, starting=servers)

    assert refusal is not None and "MiB of memory left" in refusal and "try again" in refusal

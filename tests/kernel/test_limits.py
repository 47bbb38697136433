"""Every limit holds, and says its name."""

import errno
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.kernel.limits import MIB, Limits, Reason, reason_of

numbers = st.floats(0.01, 1e6) | st.just(math.inf)
sizes = st.integers(1, 1 << 50)


@given(st.builds(Limits, wall=numbers, cpu=numbers, memory=sizes, processes=sizes, disk=sizes))
def test_limits_survive_the_way_to_the_zygote(limits):
    assert Limits(**limits.plain()) == limits


@pytest.mark.parametrize("name", Limits().plain())
def test_a_limit_that_nothing_could_keep_is_refused(name):
    with pytest.raises(ValueError, match=f"the limit {name} must be positive"):
        Limits(**{name: 0})


@given(st.builds(Limits, wall=numbers, cpu=numbers, memory=sizes), st.sampled_from(Reason))
def test_every_reason_is_one_sentence_with_no_gap(limits, reason):
    sentence = reason.sentence(limits)
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert "\n" not in sentence


def test_a_limit_is_told_from_an_accident():
    accidents = {Reason.EXIT, Reason.CRASH, Reason.KILLED, Reason.ZYGOTE}
    assert {reason for reason in Reason if not reason.is_limit} == accidents


def test_what_linux_refuses_is_traced_to_its_limit():
    assert reason_of(MemoryError()) is Reason.MEMORY
    assert reason_of(OSError(errno.ENOSPC, "")) is Reason.DISK
    assert reason_of(OSError(errno.ENOENT, "")) is None
    assert reason_of(RuntimeError("can't start new thread")) is Reason.PROCESSES
    assert reason_of(RuntimeError("other")) is None


def test_wall_time(inside):
    ending = inside("import time; time.sleep(60)", limits=Limits(wall=0.5)).ending
    assert ending.reason is Reason.WALL
    assert ending.wall >= 0.5


def test_processor_time_of_one_process(inside):
    ending = inside("while True: pass", limits=Limits(wall=60, cpu=0.5)).ending
    assert ending.reason is Reason.CPU
    assert ending.cpu >= 0.5


def test_processor_time_spent_by_processes_that_have_ended_counts(inside):
    source = """
        import os
        while True:
            if os.fork() == 0:
                sum(range(300_000))
                os._exit(0)
            os.wait()
        """
    assert inside(source, limits=Limits(wall=60, cpu=0.5)).ending.reason is Reason.CPU


def test_memory_that_is_touched_bit_by_bit(inside):
    source = """
        hoard = []
        while True:
            hoard.append(bytearray(b"x" * (1 << 20)))
        """
    assert inside(source, limits=Limits(wall=60, memory=200 * MIB)).ending.reason is Reason.MEMORY


def test_memory_asked_for_at_once_is_refused_to_the_code_that_asks(inside):
    source = """
        try:
            bytearray(1 << 30)
        except MemoryError:
            answer = "refused"
        """
    assert inside(source, limits=Limits(wall=60, memory=200 * MIB)).answer == "refused"


def test_memory_of_several_processes_together(inside):
    source = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                hoard = bytearray(b"x" * (60 << 20))
                time.sleep(60)
        time.sleep(60)
        """
    assert inside(source, limits=Limits(wall=60, memory=150 * MIB)).ending.reason is Reason.MEMORY


def test_memory_that_is_only_shared_does_not_count(inside):
    source = """
        import os, time
        hoard = bytearray(b"x" * (60 << 20))
        for _ in range(6):
            if os.fork() == 0:
                time.sleep(2)
                os._exit(0)
        for _ in range(6):
            os.wait()
        answer = "done"
        """
    assert inside(source, limits=Limits(wall=60, memory=150 * MIB)).answer == "done"


@pytest.mark.parametrize("call", ["os.memfd_create('x')", "libc.shmget(0, 1 << 20, 0o1600)"])
def test_memory_that_belongs_to_no_process_cannot_be_had(inside, call):
    source = f"""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            answer = {call} >= 0
        except PermissionError:
            answer = False
        """
    assert inside(source).answer is False


def test_linux_itself_counts_the_processes_of_a_child(inside):
    """The hard stop behind the watcher, here at a number that the watcher does not mind: the keeper is one of five."""
    source = """
        import os, resource, time
        resource.setrlimit(resource.RLIMIT_NPROC, (5, 5))
        answer = 0
        try:
            for _ in range(20):
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                answer += 1
        except BlockingIOError:
            pass
        """
    assert inside(source).answer == 3


def test_a_fork_bomb(inside):
    ending = inside("import os\nwhile True: os.fork()", limits=Limits(wall=20, cpu=20, processes=40)).ending
    assert ending.reason is Reason.PROCESSES
    assert inside("answer = 'next'").answer == "next"


def test_threads_count_as_processes(inside):
    source = """
        import threading, time
        for _ in range(30):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(60)
        """
    assert inside(source, limits=Limits(wall=60, processes=20)).ending.reason is Reason.PROCESSES


def test_open_files(inside):
    source = """
        held = []
        try:
            while True:
                held.append(open("/dev/null"))
        except OSError as error:
            answer = [len(held), error.errno]
        """
    count, number = inside(source, limits=Limits(wall=60, open_files=64)).answer
    assert 50 < count < 64
    assert reason_of(OSError(number, "")) is Reason.OPEN_FILES


def test_the_size_of_a_file(inside):
    source = """
        import os
        try:
            with open("large", "wb") as file:
                while True:
                    file.write(b"x" * (1 << 20))
        except OSError as error:
            answer = [os.path.getsize("large"), error.errno]
        """
    size, number = inside(source, limits=Limits(wall=60, file_size=5 * MIB)).answer
    assert size <= 5 * MIB
    assert reason_of(OSError(number, "")) is Reason.FILE_SIZE


@pytest.mark.parametrize("place", [".", "/tmp", "/tmp/home", "/dev/shm"])
def test_disk(inside, place):
    source = f"""
        import os
        written = 0
        try:
            for number in range(100):
                with open(os.path.join({place!r}, str(number)), "wb", buffering=0) as file:
                    written += file.write(b"x" * (1 << 20))
        except OSError as error:
            answer = [written, error.errno]
        """
    written, number = inside(source, limits=Limits(wall=60, disk=8 * MIB)).answer
    assert 4 * MIB < written <= 8 * MIB
    assert reason_of(OSError(number, "")) is Reason.DISK


def test_the_number_of_files(inside):
    source = """
        import os
        try:
            for number in range(1000):
                os.mkdir(str(number))
        except OSError as error:
            answer = [number, error.errno]
        """
    made, number = inside(source, limits=Limits(wall=60, files=200)).answer
    assert made < 200
    assert reason_of(OSError(number, "")) is Reason.DISK


def test_output(inside):
    outcome = inside("while True: print('x' * 1000)", limits=Limits(wall=60, output=MIB))
    assert outcome.ending.reason is Reason.OUTPUT


def test_output_of_a_program_that_is_done_before_anybody_looks(inside):
    outcome = inside("print('x' * (2 << 20))", limits=Limits(wall=60, output=MIB))
    assert outcome.ending.reason is Reason.OUTPUT


def test_limits_cannot_be_raised_again(inside):
    source = """
        import resource
        answer = []
        for name in ("RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_DATA"):
            soft, hard = resource.getrlimit(getattr(resource, name))
            try:
                resource.setrlimit(getattr(resource, name), (hard + 1, hard + 1))
                answer.append(name)
            except ValueError:
                pass
        """
    assert inside(source).answer == []


def test_one_child_at_its_limit_does_not_disturb_another(inside):
    calm = inside.start("import time; time.sleep(2)")
    assert inside("import os\nwhile True: os.fork()", limits=Limits(wall=20, processes=40)).ending.reason.is_limit
    began = time.monotonic()
    assert calm.wait(60).reason is Reason.EXIT
    assert time.monotonic() - began < 60


def test_limits_hold_without_a_sandbox_too(new_inside):
    inside = new_inside(sandbox=None)
    assert inside("import time; time.sleep(60)", limits=Limits(wall=0.3)).ending.reason is Reason.WALL
    hoard = "hoard = []\nwhile True: hoard.append(bytearray(b'x' * (1 << 20)))"
    assert inside(hoard, limits=Limits(wall=60, memory=100 * MIB)).ending.reason is Reason.MEMORY

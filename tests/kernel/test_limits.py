"""Every limit holds, and says its name."""

import errno
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel.keepers import KEEPERS

from autograder.kernel.limits import MIB, Limits, Reason, reason_of

with_each_keeper = pytest.mark.parametrize("keeper", KEEPERS, indirect=True)

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


@given(st.sampled_from(sorted(Limits().plain())), st.integers(1, 1 << 50))
def test_a_setting_changes_one_limit(name, value):
    changed = Limits.of({name: value})
    assert changed == replace(Limits(), **{name: value})
    assert type(getattr(changed, name)) is type(getattr(Limits(), name))


def test_time_may_be_without_limit():
    assert Limits.of({"wall": None, "cpu": None}) == Limits(wall=math.inf, cpu=math.inf)


def test_a_whole_number_may_be_written_as_any():
    assert Limits.of({"memory": 1e9, "wall": 60}) == Limits(memory=10**9, wall=60.0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"memry": 1}, r"there is no limit memry, only wall, cpu, memory, "),
        ({"wall": "10 minutes"}, r"the limit wall must be a number of seconds or None, not '10 minutes'"),
        ({"cpu": True}, r"the limit cpu must be a number of seconds or None, not True"),
        ({"memory": None}, r"the limit memory must be a whole number, not None"),
        ({"memory": "2 GB"}, r"the limit memory must be a whole number, not '2 GB'"),
        ({"disk": math.inf}, r"the limit disk must be a whole number, not inf"),
        ({"files": 1.5}, r"the limit files must be a whole number, not 1\.5"),
        ({"output": -1}, r"the limit output must be positive, not -1"),
        ({"wall": math.nan}, r"the limit wall must be positive, not nan"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(settings, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        Limits.of(settings)


def test_the_readme_lists_every_limit_with_its_default():
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| setting | default |") :].partition("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    told = {name.strip(" `"): eval(default.strip(" `")) for name, default in rows}
    assert told == Limits().plain()


def test_a_limit_is_told_from_an_accident():
    accidents = {Reason.EXIT, Reason.CRASH, Reason.KILLED, Reason.ZYGOTE}
    assert {reason for reason in Reason if not reason.is_limit} == accidents


def test_what_linux_refuses_is_traced_to_its_limit():
    assert reason_of(MemoryError()) is Reason.MEMORY
    assert reason_of(RuntimeError("DefaultCPUAllocator: can't allocate memory")) is Reason.MEMORY
    assert reason_of(OSError(errno.ENOMEM, "")) is Reason.MEMORY
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


@with_each_keeper
def test_memory_that_is_touched_bit_by_bit(keeper, inside):
    source = """
        hoard = []
        while True:
            hoard.append(bytearray(b"x" * (1 << 20)))
        """
    assert inside(source, limits=Limits(wall=60, memory=200 * MIB)).ending.reason is Reason.MEMORY


@with_each_keeper
def test_memory_asked_for_at_once_is_refused_to_the_code_that_asks(keeper, inside):
    source = """
        try:
            bytearray(1 << 30)
        except MemoryError:
            answer = "refused"
        """
    assert inside(source, limits=Limits(wall=60, memory=200 * MIB)).answer == "refused"


@with_each_keeper
def test_memory_of_several_processes_together(keeper, inside):
    source = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                hoard = bytearray(b"x" * (60 << 20))
                time.sleep(60)
        time.sleep(60)
        """
    assert inside(source, limits=Limits(wall=60, memory=150 * MIB)).ending.reason is Reason.MEMORY


@with_each_keeper
def test_memory_that_is_only_shared_does_not_count(keeper, inside):
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


@with_each_keeper
def test_a_fork_bomb(keeper, inside):
    ending = inside("import os\nwhile True: os.fork()", limits=Limits(wall=60, cpu=60, processes=40)).ending
    assert ending.reason is Reason.PROCESSES
    assert inside("answer = 'next'").answer == "next"


@with_each_keeper
def test_threads_count_as_processes(keeper, inside):
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
    assert inside("import os\nwhile True: os.fork()", limits=Limits(wall=60, processes=40)).ending.reason.is_limit
    assert calm.wait(60).reason is Reason.EXIT


def test_limits_hold_without_a_sandbox_too(new_inside):
    inside = new_inside(sandbox=None)
    assert inside("import time; time.sleep(60)", limits=Limits(wall=0.3)).ending.reason is Reason.WALL
    hoard = "hoard = []\nwhile True: hoard.append(bytearray(b'x' * (1 << 20)))"
    assert inside(hoard, limits=Limits(wall=60, memory=100 * MIB)).ending.reason is Reason.MEMORY

"""Each child has a control group of its own, where Linux lets us make some; Linux itself then keeps its limits."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel.keepers import GROUPS, UNIFIED

from autograder.kernel import cgroup
from autograder.kernel.cgroup import Groups, Meter, enter, hand_on, is_delegated, make_room, remove_late
from autograder.kernel.limits import MIB, Limits, Reason

ROOT = Path(__file__).parents[2]
LIMITS = Limits(wall=60, memory=64 * MIB, disk=32 * MIB, processes=12)
FOREVER = "import time\nwhile True: time.sleep(60)"

with_groups = pytest.mark.parametrize("groups", GROUPS, ids=lambda groups: f"version {groups.version}")
with_unified = pytest.mark.parametrize("scope", UNIFIED, ids=lambda folder: "version 2", indirect=True)


@pytest.fixture
def sleeper():
    """A process of the test's own."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


@contextlib.contextmanager
def watcher_asleep(inside):
    """Meanwhile the zygote looks at nothing; its children go on."""
    family = psutil.Process(inside.zygote.pid).children(recursive=True)
    zygote = next(process for process in family if "python" in process.name())
    zygote.suspend()
    try:
        yield
    finally:
        zygote.resume()


def left_by(pid, groups):
    """The groups that the process `pid` made."""
    return [group for folder in groups.folders for group in folder.glob(f"ustod-{pid}-*")]


def words(path):
    return path.read_text().split()


@with_groups
def test_this_process_is_where_its_children_get_groups(groups):
    own = groups.memory / cgroup.HOSTS if groups.version == 2 else groups.memory
    assert str(os.getpid()) in words(own / "cgroup.procs")


@with_groups
def test_a_process_enters_a_group_with_all_that_it_starts_later(groups):
    group = groups.make(LIMITS)
    program = "import os, sys, time; sys.stdin.read(); os.fork(); os.write(1, b'%d ' % os.getpid()); time.sleep(1000)"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as process, group.files() as files:
        assert enter(process.pid, files) is not None
        process.stdin.close()
        said = b""
        while said.count(b" ") < 2:
            said += process.stdout.read(1)
        inside = [words(folder / "cgroup.procs") for folder in group.folders]
        members = [psutil.Process(int(pid)) for pid in said.split()]
        for member in members:
            member.kill()
        psutil.wait_procs(members, 60)
        group.remove()
    assert [set(pids) for pids in inside] == [set(said.decode().split())] * len(group.folders)


@with_groups
def test_a_group_that_is_gone_is_not_entered_and_that_is_no_error(groups, sleeper):
    group = groups.make(LIMITS)
    with group.files() as files:
        group.remove()
        assert enter(sleeper.pid, files) is None


@with_groups
def test_a_group_that_is_gone_has_no_limit_that_could_be_hit(groups):
    group = groups.make(LIMITS)
    with group.files() as files:
        meter = Meter(files)
        group.remove()
        assert meter.excess(LIMITS) is None


def test_without_a_group_there_is_nothing_to_enter(sleeper):
    assert enter(sleeper.pid, {}) is None


@with_groups
def test_a_group_whose_process_is_late_is_removed_after_it(groups, sleeper):
    group = groups.make(LIMITS)
    with group.files() as files:
        enter(sleeper.pid, files)
    group.remove()
    assert any(folder.exists() for folder in group.folders)
    sleeper.kill()
    sleeper.wait()
    cgroup.remove_late()
    assert not any(folder.exists() for folder in group.folders)


@with_groups
def test_linux_ends_a_hoarder_while_the_watcher_sleeps(groups, new_inside):
    inside = new_inside()
    inside.zygote.start()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        hoard = "import os\nos.read(fd, 1)\nhoard = []\nwhile True: hoard.append(bytearray(b'x' * (1 << 20)))"
        child = inside.start(hoard, fds=[theirs.fileno()], limits=LIMITS)
        theirs.close()
        with watcher_asleep(inside):
            ours.send(b"!")
            assert ours.recv(1) == b""  # nobody is left who could say something
    assert child.is_grouped
    assert child.wait(60).reason is Reason.MEMORY


@with_groups
def test_who_is_killed_because_others_left_no_memory_has_hit_no_limit(groups):
    outer = groups.make(LIMITS)
    if groups.version == 2:
        hand_on(outer.folders[0], cgroup.CONTROLLERS)
    wide = Limits(memory=1 << 40)
    inner = Groups(outer.folders[0], outer.folders[-1]).make(wide)
    program = "import sys\nsys.stdin.read()\nheld = []\nwhile True: held.append(bytearray(b'x' * (1 << 20)))"
    with inner.files() as files:
        with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
            meter = enter(process.pid, files)
            assert meter is not None
            assert meter.excess(wide) is None
            process.stdin.close()
            assert process.wait(60) == -signal.SIGKILL
        assert meter.excess(wide) is Reason.KILLED
    inner.remove()
    outer.remove()


@with_groups
def test_linux_refuses_processes_while_the_watcher_sleeps(groups, new_inside):
    inside = new_inside()
    inside.zygote.start()
    ours, theirs = socket.socketpair()
    source = """
        import os, time
        os.read(fd, 1)
        for count in range(100):
            try:
                if os.fork() == 0:
                    time.sleep(60)
            except BlockingIOError:
                os.write(fd, bytes([count]))
                time.sleep(60)
        """
    with ours, theirs:
        child = inside.start(source, fds=[theirs.fileno()], limits=LIMITS)
        with watcher_asleep(inside):
            ours.send(b"!")
            assert ours.recv(1) == bytes([LIMITS.processes - 1])  # beside itself
    assert child.wait(60).reason is Reason.PROCESSES


@with_groups
def test_a_hoarder_in_a_process_of_its_own_takes_the_whole_child_along(groups, inside):
    source = """
        import subprocess, sys, time
        subprocess.run([sys.executable, "-c", "h = []\\nwhile True: h.append(bytearray(b'x' * (1 << 20)))"])
        time.sleep(60)
        """
    assert inside(source, limits=LIMITS).ending.reason is Reason.MEMORY


@with_groups
def test_files_are_held_in_memory_but_counted_by_themselves(groups, inside):
    source = """
        open("large", "wb").write(b"x" * (50 << 20))
        hoard = b"x" * (40 << 20)
        answer = "room for both"
        """
    assert inside(source, limits=Limits(wall=60, memory=64 * MIB, disk=64 * MIB)).answer == "room for both"


@with_groups
def test_no_group_is_left_of_a_child_that_ended_was_killed_or_was_refused(groups, new_inside):
    inside = new_inside()
    before = set(left_by(os.getpid(), groups))
    inside("answer = 1")
    child = inside.start(FOREVER)
    assert len(set(left_by(os.getpid(), groups)) - before) == len(groups.folders)
    child.kill()
    child.wait(60)
    with pytest.raises(Exception, match="could not be shut in"):
        inside.zygote.fork("nowhere:run")
    with pytest.raises(ValueError, match="a message to the zygote"):
        inside("answer = 0" + " " * 200_000)
    os.kill(inside.zygote.pid, signal.SIGKILL)
    inside.start(FOREVER)
    inside.zygote.close()
    while set(left_by(os.getpid(), groups)) - before:  # a process of a killed sandbox may still be dying
        time.sleep(0.05)
        remove_late()


@with_groups
def test_the_groups_of_a_host_that_was_killed_are_swept_later(groups):
    program = f"""
        import sys, time
        sys.path[:0] = [{str(ROOT)!r}]
        from autograder.kernel.client import Zygote
        from autograder.kernel.sandbox import Sandbox
        zygote = Zygote(Sandbox(), [])
        child = zygote.fork("autograder.kernel.probes:sleep_long")
        print(child.is_grouped, flush=True)
        time.sleep(60)
    """
    line = [sys.executable, "-c", textwrap.dedent(program)]
    own = groups.make(LIMITS)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "True\n"
        assert len(left_by(host.pid, groups)) == len(groups.folders)
        groups.sweep()
        assert len(left_by(host.pid, groups)) == len(groups.folders)
        family = psutil.Process(host.pid).children(recursive=True)
        host.kill()
    psutil.wait_procs(family, 60)
    groups.sweep()
    assert left_by(host.pid, groups) == []
    assert all(folder.exists() for folder in own.folders)
    own.remove()


def test_where_linux_refuses_a_group_the_watcher_does(inside, monkeypatch, tmp_path):
    monkeypatch.setattr(cgroup, "groups", lambda: Groups(tmp_path / "gone", tmp_path / "gone"))
    child = inside.start(FOREVER)
    assert not child.is_grouped
    child.kill()


def test_what_linux_refuses_leaves_nothing_behind(tmp_path):
    (tmp_path / "memory").mkdir()
    with pytest.raises(OSError, match="absent"):
        Groups(tmp_path / "memory", tmp_path / "absent").make(LIMITS)
    assert list((tmp_path / "memory").iterdir()) == []


@pytest.fixture
def scope(request, sleeper):
    """A group of version 2 with a process in it, as a delegated one is when a grader starts."""
    folder = request.param / f"ustod-test-{os.getpid()}"
    folder.mkdir()
    (folder / "cgroup.procs").write_text(str(sleeper.pid))
    yield folder
    sleeper.kill()
    sleeper.wait()
    for group in (folder / cgroup.HOSTS, folder):
        if group.exists():
            group.rmdir()


@with_unified
def test_processes_make_room_for_groups(scope, sleeper):
    make_room(scope)
    make_room(scope)
    assert words(scope / "cgroup.procs") == []
    assert words(scope / cgroup.HOSTS / "cgroup.procs") == [str(sleeper.pid)]


@with_unified
def test_a_group_hands_on_the_controllers_that_it_has_and_no_others(scope):
    """Here there may be none at all, since version 1 may have them."""
    there = set(words(scope / "cgroup.controllers"))
    hand_on(scope, there)
    assert set(words(scope / "cgroup.subtree_control")) == there
    with pytest.raises(OSError, match=r"Invalid argument|No such file"):
        hand_on(scope, {*there, "absent"})


@with_unified
def test_where_systemd_runs_only_what_it_has_marked_is_delegated(scope, monkeypatch, tmp_path):
    monkeypatch.setattr(cgroup, "SYSTEMD", tmp_path / "absent")
    assert is_delegated(scope)
    monkeypatch.setattr(cgroup, "SYSTEMD", tmp_path)
    assert not is_delegated(scope)
    os.setxattr(scope, "user.delegate", b"1")
    assert is_delegated(scope)


def test_the_files_of_version_2_say_the_limits(tmp_path):
    group = Groups(tmp_path, tmp_path).make(LIMITS)
    (folder,) = group.folders
    said = {path.name: int(path.read_text()) for path in folder.iterdir()}
    assert said == {"memory.max": LIMITS.memory + LIMITS.disk, "pids.max": LIMITS.processes + 1}


@pytest.mark.parametrize(
    ("anonymous", "killed", "full"),
    [
        ("anon {}\nfile 7\n", "low 0\nhigh 0\nmax 1\noom 1\noom_kill {}\n", "low 0\nhigh 0\nmax {}\noom 1\n"),
        ("cache 7\nrss {}\nrss_huge 0\n", "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n", "{}\n"),
    ],
    ids=["version 2", "version 1"],
)
@given(
    used=st.integers(0, 200 * MIB),
    files=st.integers(0, 32 * MIB),
    kills=st.integers(0, 3),
    failures=st.integers(0, 3),
    refusals=st.integers(0, 3),
)
def test_a_meter_tells_which_limit_was_hit(
    tmp_path_factory, anonymous, killed, full, used, files, kills, failures, refusals
):
    texts = {
        "usage": f"{used + files}\n",
        "stat": anonymous.format(used),
        "killed": killed.format(kills),
        "full": full.format(failures),
        "refused": f"max {refusals}\n",
    }
    place = tmp_path_factory.mktemp("group")
    with contextlib.ExitStack() as stack:
        fds = {}
        for name, text in texts.items():
            (place / name).write_text(text)
            fds[name] = stack.enter_context((place / name).open()).fileno()
        reason = Meter(fds).excess(LIMITS)
    if kills:
        assert reason is (Reason.MEMORY if failures else Reason.KILLED)
    elif used > LIMITS.memory:
        assert reason is Reason.MEMORY
    else:
        assert reason is (Reason.PROCESSES if refusals else None)

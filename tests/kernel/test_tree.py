"""What /proc tells about a tree of processes."""

import os
import subprocess
import sys
import time

import pytest

from autograder.kernel import tree


@pytest.fixture
def family():
    """A process with a child; the child is a session of its own."""
    program = """
import subprocess, sys, time
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        yield parent.pid, child
        tree.kill(parent.pid)


def test_this_process_is_seen_as_it_is():
    own = tree.processes()[os.getpid()]
    assert own.parent == os.getppid()
    assert own.tasks >= 1
    assert own.resident > 1 << 20
    assert 0 < own.cpu < time.process_time() + sum(os.times()[2:4]) + 1


def test_a_tree_is_a_process_and_those_below_it(family):
    parent, child = family
    assert [process.pid for process in tree.descendants(parent, tree.processes())] == [parent, child]


def test_a_process_is_told_from_a_later_one_with_its_pid_by_its_start():
    with subprocess.Popen(["sleep", "1000"]) as process:
        assert tree.start_time(os.getpid()) <= tree.start_time(process.pid)
        process.kill()
    assert tree.start_time(process.pid) is None


def test_a_process_that_is_gone_has_no_tree():
    assert tree.descendants(1 << 30, tree.processes()) == []


def test_killing_a_tree_ends_all_of_it_whatever_its_sessions(family):
    parent, child = family
    tree.kill(parent)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 60
    while (left := tree.processes().get(child)) is not None and left.resident:  # a zombie has no memory
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_memory_is_shared_out_fairly():
    alone = tree.private_memory(os.getpid())
    assert 0 < alone <= tree.proportional_memory([os.getpid()])
    assert tree.proportional_memory([1 << 30]) == 0


def test_signalling_a_process_that_is_gone_is_no_error():
    done = subprocess.Popen(["true"])
    done.wait()
    tree.kill(done.pid)

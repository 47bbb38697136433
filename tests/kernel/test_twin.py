"""A zygote forks others that are warm at once, for other processes."""

import contextlib
import os
import signal
from multiprocessing import get_context

import psutil
import pytest
from kernel.conftest import ROLES, SANDBOX, Inside
from shared import wait_for

from autograder.kernel.client import Zygote
from autograder.kernel.limits import Reason

FOREVER = "import time\nwhile True: time.sleep(60)"
WARM = "import sys; answer = 'numpy' in sys.modules"


def adopted(zygote, sandbox=SANDBOX):
    """As in another process: it would import nothing by itself."""
    return Zygote(sandbox, [], [ROLES], zygote.twin())


def tree_of(zygote):
    return psutil.Process(zygote.pid).children(recursive=True)


@pytest.mark.parametrize("sandbox", [SANDBOX, None])
def test_a_twin_has_what_the_first_has_imported(new_inside, sandbox):
    first = new_inside(["numpy"], sandbox)
    with adopted(first.zygote, sandbox) as twin:
        assert Inside(twin)(WARM).answer is True
        assert first(WARM).answer is True


def test_a_twin_can_be_had_before_the_first_is_ready():
    with Zygote(SANDBOX, ["numpy"], [ROLES]) as first, adopted(first) as twin:
        assert Inside(twin)(WARM).answer is True


def test_each_ends_its_own_children(new_inside):
    first = new_inside()
    with adopted(first.zygote) as twin:
        own, other = first.start(FOREVER), Inside(twin).start(FOREVER)
        own.kill()
        assert own.wait(30).reason is Reason.KILLED
        assert other.wait(0.1) is None
        other.kill()
        assert other.wait(30).reason is Reason.KILLED


def test_where_linux_refuses_a_fork_another_zygote_is_started_and_the_first_goes_on(tmp_path):
    tmp_path.chmod(0o755)  # in the sandbox root is somebody else
    (tmp_path / "no_forks.py").write_text("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (1, 1))\n")
    with Zygote(SANDBOX, ["no_forks"], [ROLES, tmp_path]) as first:
        lines = [first.twin(), first.twin()]
        for line in lines:
            with Zygote(SANDBOX, [], [ROLES], line) as other:
                assert Inside(other)("answer = 1").answer == 1
        assert psutil.pid_exists(first.pid)


def test_children_of_twins_do_not_see_one_another(new_inside):
    first = new_inside()
    with adopted(first.zygote) as twin:
        first.start(FOREVER)
        look = "import os; answer = [int(name) for name in os.listdir('/proc') if name.isdigit()]"
        assert Inside(twin)(look).answer == [1]


def test_a_twin_ends_with_its_children_when_its_line_is_closed(new_inside):
    first = new_inside()
    first("answer = 1")
    before = len(tree_of(first.zygote))
    with adopted(first.zygote) as twin:
        Inside(twin).start(FOREVER)
        assert len(tree_of(first.zygote)) > before
    wait_for(lambda: len(tree_of(first.zygote)) == before)
    assert first("answer = 1").answer == 1


def test_when_the_first_is_killed_the_twins_children_are_lost_and_another_zygote_is_started(new_inside):
    first = new_inside()
    with adopted(first.zygote) as twin:
        child = Inside(twin).start(FOREVER)
        os.kill(first.zygote.pid, signal.SIGKILL)
        assert child.wait(30).reason is Reason.ZYGOTE
        assert twin.pid is None
        assert Inside(twin)("answer = 1").answer == 1
        assert twin.pid is not None


def test_a_twin_of_a_zygote_that_was_killed_before_it_was_ready_is_replaced():
    with Zygote(SANDBOX, ["numpy"], [ROLES]) as first:
        line = first.twin()
        wait_for(lambda: first.pid is not None)
        os.kill(first.pid, signal.SIGKILL)
        with Zygote(SANDBOX, [], [ROLES], line) as twin:
            assert Inside(twin)("answer = 1").answer == 1


def test_a_twin_of_a_stack_that_has_changed_is_not_used(new_inside, monkeypatch):
    first = new_inside()
    line = first.zygote.twin()
    monkeypatch.setattr("autograder.kernel.client.python", lambda: "another")
    monkeypatch.setattr("autograder.kernel.life.python", lambda: "another")
    with Zygote(SANDBOX, [], [ROLES], line) as twin:
        assert Inside(twin)("answer = 1").answer == 1
        assert twin.pid is not None


def in_another_process(twin, answers):
    with Zygote(SANDBOX, [], [ROLES], twin) as zygote:
        answers.put(Inside(zygote)(WARM).answer)


def test_a_process_that_is_started_takes_a_twin_along(new_inside):
    first = new_inside(["numpy"])
    first("answer = 1")
    before = len(tree_of(first.zygote))
    context = get_context("spawn")
    answers, twin = context.Queue(), first.zygote.twin()
    process = context.Process(target=in_another_process, args=(twin, answers))
    process.start()
    twin.end.close()
    assert answers.get() is True
    process.join()
    with contextlib.suppress(psutil.NoSuchProcess):
        wait_for(lambda: len(tree_of(first.zygote)) == before)

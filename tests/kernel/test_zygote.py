"""The zygote forks children that are alike, alone, and their own."""

import os
import signal

from autograder.kernel.limits import Reason


def test_a_child_calls_the_function_with_its_files_and_arguments(zygote):
    reading, writing = os.pipe()
    child = zygote.fork("kernel_roles:echo", 1, "two", b"3".decode(), [4.5, None], fds=[writing])
    os.close(writing)
    with os.fdopen(reading) as answers:
        assert answers.read() == '[1, "two", "3", [4.5, null]]'
    assert child.wait(30).reason is Reason.EXIT


def test_what_the_function_returns_is_the_exit_code(inside):
    assert inside("code = 7").ending.code == 7


def test_an_exception_ends_the_child_with_a_traceback_on_its_console(inside):
    outcome = inside("1 / 0")
    assert outcome.ending.code == 1
    assert outcome.console.endswith("ZeroDivisionError: division by zero\n")


def test_sys_exit_is_the_exit_code(inside):
    assert inside("raise SystemExit(3)").ending.code == 3
    assert inside("raise SystemExit").ending.code == 0
    assert inside("raise SystemExit('why')").ending.code == 1


def test_what_is_imported_is_there_at_once(inside):
    assert inside("import sys; answer = 'numpy' in sys.modules").answer is True


def test_children_start_with_different_randomness(inside):
    draw = "import random, numpy; answer = [random.random(), numpy.random.random()]"
    first, second = inside(draw).answer, inside(draw).answer
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_a_child_does_not_see_what_another_changed(inside):
    inside("import numpy; numpy.spoiled = True")
    assert inside("import numpy; answer = hasattr(numpy, 'spoiled')").answer is False


def test_a_child_holds_no_open_file_but_its_own(inside):
    outcome = inside(
        """
        import os
        answer = []
        for fd in range(3, 1000):
            try:
                os.fstat(fd)
                answer.append(fd)
            except OSError:
                pass
        """
    )
    assert len(outcome.answer) == 1


def test_signals_are_as_in_a_fresh_python(inside):
    outcome = inside(
        """
        import signal
        answer = [
            signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
            signal.getsignal(signal.SIGINT) == signal.default_int_handler,
            signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
            signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set(),
            signal.set_wakeup_fd(-1),
        ]
        """
    )
    assert outcome.answer == [True, True, True, True, -1]


def test_a_child_leads_its_own_session(inside):
    assert inside("import os; answer = os.getsid(0) == os.getpid() == os.getpgid(0)").answer is True


def test_the_zygote_has_one_thread(zygote):
    zygote.start()
    assert zygote.threads == 0


def test_standard_input_is_empty(inside):
    assert inside("import sys; answer = sys.stdin.read()").answer == ""


def test_subprocesses_of_a_child_can_be_started_and_waited_for(inside):
    outcome = inside("import subprocess; answer = subprocess.run(['echo', 'ok'], capture_output=True).stdout.decode()")
    assert outcome.answer == "ok\n"


def test_what_a_child_leaves_running_ends_with_it(inside):
    reading, writing = os.pipe()
    child = inside.start(
        """
        import subprocess
        subprocess.Popen(["sleep", "1000"], close_fds=False, pass_fds=[fd])
        """,
        fds=[writing],
    )
    os.close(writing)
    assert child.wait(30).reason is Reason.EXIT
    with os.fdopen(reading, "rb") as held_by_sleep:
        assert held_by_sleep.read() == b"null"


def test_a_crash_is_told_from_an_exit(inside):
    ending = inside("import ctypes; ctypes.string_at(0)").ending
    assert (ending.reason, ending.code) == (Reason.CRASH, -signal.SIGSEGV)


def test_torch_draws_differently_in_each_child(new_inside):
    inside = new_inside(modules=["torch"])
    first, second = (inside("import torch; answer = torch.rand(1).item()").answer for _ in range(2))
    assert first != second

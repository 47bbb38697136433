"""The host starts, signals, kills and outlives its zygotes."""

import contextlib
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from autograder.errors import UstodError
from autograder.kernel.archive import unpack_results
from autograder.kernel.client import Zygote
from autograder.kernel.limits import Limits, Reason
from autograder.kernel.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
FOREVER = "import time\nwhile True: time.sleep(60)"


def test_a_killed_child_is_gone_and_says_so(inside):
    child = inside.start(FOREVER)
    assert child.wait(0.05) is None
    child.kill()
    assert child.wait(30).reason is Reason.KILLED


def test_an_interrupt_arrives_as_keyboard_interrupt(inside):
    reading, writing = os.pipe()
    child = inside.start(
        """
        import os, time
        try:
            os.write(fd, b"ready")
            time.sleep(60)
        except KeyboardInterrupt:
            answer = "interrupted"
        """,
        fds=[writing],
    )
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as answers:
        assert answers.read(5) == b"ready"
        child.signal(signal.SIGINT)
        assert answers.read() == b'"interrupted"'
    assert child.wait(30).reason is Reason.EXIT


def test_signals_to_a_child_that_has_ended_do_nothing(inside):
    child = inside.start("")
    assert child.wait(30).reason is Reason.EXIT
    child.signal(signal.SIGINT)
    child.kill()
    assert inside("answer = 1").answer == 1


def test_children_run_at_the_same_time(inside):
    children = [inside.start(FOREVER) for _ in range(4)]
    assert all(child.ending is None for child in children)
    for child in children:
        child.kill()
    assert [child.wait(30).reason for child in children] == [Reason.KILLED] * 4


def test_many_threads_may_fork_at_once(inside):
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda number: inside(f"answer = {number}").answer, range(12))
        assert list(answers) == list(range(12))


def test_the_death_of_a_zygote_is_noticed_and_another_takes_over(new_inside):
    inside = new_inside()
    child = inside.start(FOREVER)
    innermost = psutil.Process(inside.zygote.pid).children(recursive=True)
    next(process for process in innermost if "python" in process.name()).kill()
    ending = child.wait(30)
    assert ending.reason is Reason.ZYGOTE
    assert "not your code's fault" in ending.reason.sentence(child.limits)
    assert inside("answer = 'again'").answer == "again"


def test_the_death_of_bubblewrap_is_noticed_too(new_inside):
    inside = new_inside()
    child = inside.start(FOREVER)
    os.kill(inside.zygote.pid, signal.SIGKILL)
    assert child.wait(30).reason is Reason.ZYGOTE
    assert inside("answer = 'again'").answer == "again"


def test_one_that_is_killed_while_it_starts_is_started_again(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(2)\n")
    tmp_path.chmod(0o755)
    with Zygote(Sandbox(), ["slow"], [tmp_path]) as zygote, ThreadPoolExecutor(1) as pool:
        started = pool.submit(zygote.start)
        while not (inner := [p for p in _below(zygote.pid) if "python" in p.name()]):
            time.sleep(0.02)
        inner[0].kill()
        started.result(60)
        assert inner[0] not in _below(zygote.pid)


def _below(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True) if pid else []
    return []


def test_closing_a_zygote_ends_its_children_and_leaves_no_process(new_inside):
    inside = new_inside()
    child = inside.start(FOREVER)
    family = [psutil.Process(inside.zygote.pid), *psutil.Process(inside.zygote.pid).children(recursive=True)]
    assert len(family) >= 4
    inside.zygote.close()
    assert child.wait(30).reason is Reason.ZYGOTE
    assert psutil.wait_procs(family, 30)[1] == []


def test_a_zygote_dies_with_its_host(tmp_path):
    program = f"""
        import sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from autograder.kernel.client import Zygote
        from autograder.kernel.sandbox import Sandbox
        zygote = Zygote(Sandbox(), [])
        zygote.start()
        print("up", flush=True)
        time.sleep(60)
    """
    line = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "up\n"
        family = psutil.Process(host.pid).children(recursive=True)
        host.kill()
    assert family
    assert psutil.wait_procs(family, 30)[1] == []


def test_a_module_that_cannot_be_imported_is_named(new_inside):
    with pytest.raises(UstodError, match=r"did not start: ModuleNotFoundError: No module named 'nowhere'"):
        new_inside(modules=["nowhere"]).zygote.start()


def test_a_function_that_is_not_there_is_named(new_inside):
    with pytest.raises(UstodError, match="could not be shut in: ModuleNotFoundError: No module named 'nowhere'; see"):
        new_inside().zygote.fork("nowhere:run")


def test_after_a_package_is_installed_a_new_zygote_is_made(new_inside, monkeypatch):
    inside = new_inside()
    first = inside("answer = 1") and inside.zygote.pid
    child = inside.start(FOREVER)
    monkeypatch.setattr("autograder.kernel.client.python", lambda: ("upgraded",))
    assert inside("answer = 2").answer == 2
    assert inside.zygote.pid != first
    assert child.ending is None
    child.kill()
    assert child.wait(30).reason is Reason.KILLED


def test_a_message_that_is_too_large_is_refused_and_harms_nothing(inside):
    with pytest.raises(ValueError, match="a message to the zygote"):
        inside("answer = 0" + " " * 200_000)
    assert inside("answer = 1").answer == 1


def test_the_working_folder_begins_with_copies_of_files(inside, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "crops.csv").write_text("a,b")
    (tmp_path / "notes.txt").write_text("n")
    (tmp_path / "secret.ipynb").write_text("{}")
    (tmp_path / "link").symlink_to("/etc/shadow")
    outcome = inside(
        """
        from pathlib import Path
        answer = sorted(str(path) for path in Path().rglob("*") if path.is_file())
        Path("notes.txt").write_text("changed")
        """,
        files=tmp_path,
        ignore=lambda path: path.suffix == ".ipynb",
    )
    assert outcome.answer == ["data/crops.csv", "notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "n"


def test_a_file_named_like_a_module_of_the_grader_does_not_take_its_place(inside, tmp_path):
    (tmp_path / "kernel_roles.py").write_text("while True: pass")
    assert inside("answer = 1", files=tmp_path).answer == 1


def test_modules_beside_the_notebook_can_be_imported(inside, tmp_path):
    (tmp_path / "helper.py").write_text("value = 42")
    assert inside("import helper; answer = helper.value", files=tmp_path).answer == 42


def test_what_is_left_in_the_working_folder_comes_back_on_request(inside, tmp_path):
    with tempfile.TemporaryFile() as results:
        inside(
            """
            import os
            from pathlib import Path
            Path("made").mkdir()
            Path("made/file.txt").write_text("new")
            Path("hidden").write_text("x")
            os.chmod("hidden", 0)
            os.symlink("/etc/passwd", "link")
            os.mkfifo("pipe")
            """,
            results=results,
        )
        unpack_results(results, tmp_path)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")} == {"made", "made/file.txt", "hidden"}
    assert (tmp_path / "made" / "file.txt").read_text() == "new"


def test_a_link_that_waits_in_the_folder_leads_nothing_out_of_it(inside, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "trap").symlink_to(tmp_path / "gradebook.db")
    (tmp_path / "gradebook.db").write_text("marks")
    with tempfile.TemporaryFile() as results:
        inside("open('trap', 'w').write('forged')", results=results)
        with pytest.raises(tarfile.TarError):
            unpack_results(results, tmp_path / "inside")
    assert (tmp_path / "gradebook.db").read_text() == "marks"


def test_a_file_full_of_holes_does_not_fill_the_hosts_disk(inside, tmp_path):
    with tempfile.TemporaryFile() as results:
        outcome = inside(
            "open('holes', 'wb').truncate(50 << 20); open('also', 'wb').truncate(50 << 20)",
            results=results,
            limits=Limits(disk=64 << 20),
        )
        unpack_results(results, tmp_path)
    assert outcome.ending.code == 0
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 50 << 20


def test_without_a_sandbox_children_run_and_leave_nothing_behind(new_inside):
    inside = new_inside(sandbox=None)
    place = inside("import os; answer = os.getcwd()").answer
    assert not os.path.exists(place)
    outcome = inside(
        """
        import subprocess
        answer = subprocess.Popen(["sleep", "1000"], start_new_session=True).pid
        """
    )
    assert not psutil.pid_exists(outcome.answer)

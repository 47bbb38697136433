"""From inside, one sees Python, the system's programs, one's own files, and nothing else."""

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autograder.errors import UstodError
from autograder.kernel.client import Zygote
from autograder.kernel.sandbox import Cache, Sandbox

ROOT = Path(__file__).parents[2]

READ = """
    from pathlib import Path
    try:
        answer = Path({path!r}).read_text()
    except OSError as error:
        answer = type(error).__name__
    """


def test_a_file_of_the_host_is_not_there(inside, tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_text("marks")
    assert inside(READ.format(path=str(secret))).answer == "FileNotFoundError"


def test_hidden_checks_are_not_there_but_the_package_is(inside):
    assert (ROOT / "course").is_dir()
    assert inside(READ.format(path=str(ROOT / "course" / "glossary.toml"))).answer == "FileNotFoundError"
    assert inside("import autograder.student as s; answer = s.__name__").answer == "autograder.student"


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/hostname", "/root/.bashrc", "/var/log", "/home", "/proc/kcore"])
def test_the_machines_own_affairs_are_not_there(inside, path):
    assert inside(READ.format(path=path)).answer in ("FileNotFoundError", "PermissionError")


def test_the_home_of_whoever_grades_is_not_there(inside):
    own = sorted(os.listdir(Path.home()))
    seen = inside(
        f"import os; answer = sorted(os.listdir({str(Path.home())!r})) if os.path.isdir({str(Path.home())!r}) else []"
    )
    places = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    on_the_way = {p.relative_to(Path.home()).parts[0] for p in places if p.is_relative_to(Path.home())}
    assert set(seen.answer) <= on_the_way
    assert len(own) > len(seen.answer)


def test_the_environment_holds_no_secret(new_inside, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    outcome = new_inside()(
        """
        import os, pathlib
        answer = [sorted(os.environ), "hunter2" in pathlib.Path("/proc/self/environ").read_text()]
        """
    )
    names, leaked = outcome.answer
    assert "SECRET_TOKEN" not in names
    assert leaked is False


def test_the_access_token_beside_the_models_is_not_there(new_inside, tmp_path):
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "model.txt").write_text("weights")
    (tmp_path / "token").write_text("hf_secret")
    inside = new_inside(sandbox=Sandbox(cache=Cache(hub=hub)))
    assert inside(READ.format(path=str(hub / "model.txt"))).answer == "weights"
    assert inside(READ.format(path=str(tmp_path / "token"))).answer == "FileNotFoundError"
    assert inside("import os; answer = os.environ['HF_HUB_CACHE']").answer == str(hub)


def test_the_cache_is_where_the_users_libraries_look(monkeypatch, tmp_path):
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert Cache.of_user() == Cache()
    (tmp_path / "hub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "elsewhere"))
    assert Cache.of_user() == Cache(tmp_path / "hub", tmp_path / "elsewhere")


def test_data_sets_may_be_locked_and_converted_but_stay_as_they_are(new_inside, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "rows.arrow").write_text("rows")
    inside = new_inside(sandbox=Sandbox(cache=Cache(datasets=tmp_path)))
    path = str(tmp_path)
    source = f"""
        from pathlib import Path
        rows = Path({path!r}, "crops", "rows.arrow")
        rows.with_name("new.lock").write_text("")
        try:
            rows.write_text("spoiled")
        except OSError:
            answer = [rows.read_text(), *sorted(path.name for path in rows.parent.iterdir())]
        """
    assert inside(source).answer == ["rows", "new.lock", "rows.arrow"]
    assert [path.name for path in (tmp_path / "crops").iterdir()] == ["rows.arrow"]


def test_nothing_can_be_written_but_the_private_folders(inside):
    source = """
        import os
        answer = []
        for folder, folders, files in os.walk("/"):
            if folder == "/proc" or folder.count("/") > 3:
                folders.clear()
                continue
            if folder.startswith(("/tmp/", "/dev/shm")) or folder == "/tmp":
                continue
            try:
                with open(os.path.join(folder, "probe"), "w"):
                    answer.append(folder)
            except OSError:
                pass
        """
    assert inside(source).answer == []


def test_files_that_can_be_read_cannot_be_changed(inside):
    source = """
        import os
        answer = []
        for path in (os.__file__, "/etc/passwd", "/usr/bin/env"):
            for attempt in (lambda: open(path, "a"), lambda: os.unlink(path), lambda: os.chmod(path, 0o777)):
                try:
                    attempt()
                    answer.append(path)
                except OSError:
                    pass
        """
    assert inside(source).answer == []


@pytest.mark.parametrize("place", ["/tmp", "/tmp/work", "/tmp/home", "/dev/shm"])
def test_children_do_not_see_each_others_files(inside, place):
    reading, writing = os.pipe()
    first = inside.start(
        f"""
        import os, time
        open({place!r} + "/answer.txt", "w").write("42")
        os.write(fd, b"written")
        time.sleep(60)
        """,
        fds=[writing],
    )
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as said:
        assert said.read(7) == b"written"
    assert inside(f"import os; answer = os.listdir({place!r})").answer.count("answer.txt") == 0
    first.kill()


def test_a_child_sees_only_its_own_processes(inside):
    other = inside.start("import time; time.sleep(60)")
    outcome = inside(
        "import os; answer = [name for name in os.listdir('/proc') if name.isdigit()], os.getpid(), os.getppid()"
    )
    assert outcome.answer == [["1"], 1, 0]
    other.kill()


def test_a_child_can_signal_nobody_else(inside):
    other = inside.start("import time; time.sleep(60)")
    outcome = inside(
        """
        import os
        answer = []
        for pid in range(2, 5000):
            try:
                os.kill(pid, 9)
                answer.append(pid)
            except ProcessLookupError:
                pass
        try:
            os.kill(-1, 9)
        except ProcessLookupError:
            pass
        """
    )
    assert outcome.answer == []
    assert other.wait(0.2) is None
    other.kill()


def test_the_network_of_the_host_is_not_there_not_even_its_loopback(inside):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"""
            import socket
            answer = []
            for place in (("127.0.0.1", {port}), ("1.1.1.1", 53), ("192.168.0.1", 80)):
                try:
                    socket.create_connection(place, timeout=2)
                    answer.append(place)
                except OSError:
                    pass
            """
        assert inside(source).answer == []


def test_the_childs_own_loopback_works(inside):
    source = """
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname(), timeout=5)
        answer = client.getpeername()[0]
        """
    assert inside(source).answer == "127.0.0.1"


def test_local_sockets_of_the_host_cannot_be_reached(inside):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0ustod-test")
        server.listen()
        source = """
            import socket
            try:
                socket.socket(socket.AF_UNIX).connect("\\0ustod-test")
                answer = "reached"
            except ConnectionRefusedError:
                answer = "refused"
            """
        assert inside(source).answer == "refused"


def test_a_child_has_no_rights_and_can_gain_none(inside):
    source = """
        import os
        from pathlib import Path
        lines = Path("/proc/self/status").read_text().splitlines()
        wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:")
        answer = [line.split()[1] for line in lines if line.startswith(wanted)]
        for call, argument in ((os.setuid, 0), (os.setgid, 0), (os.setgroups, [0]), (os.chroot, "/tmp"), (os.nice, -5)):
            try:
                call(argument)
                answer.append("gained")
            except OSError:
                pass
        """
    assert inside(source).answer == ["0" * 16] * 5 + ["1", "2"]


def test_a_child_is_no_user_of_this_machine(inside):
    assert inside("import os, pwd; answer = pwd.getpwuid(os.getuid()).pw_name").answer == "learner"


def test_devices_are_the_harmless_ones(inside):
    outcome = inside("import os; answer = sorted(os.listdir('/dev'))")
    harmless = "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero console mqueue"
    assert set(outcome.answer) <= set(harmless.split())


def test_terminals_are_private(inside):
    source = """
        import os, pty
        parent, child = pty.openpty()
        answer = sorted(os.listdir("/dev/pts"))
        """
    assert inside(source).answer == ["0", "ptmx"]
    assert inside(source).answer == ["0", "ptmx"]


def test_kernel_settings_cannot_be_changed(inside):
    source = """
        import os
        answer = []
        for folder, _, files in os.walk("/proc"):
            for name in files if not folder.endswith("/fd") else ():
                path = os.path.join(folder, name)
                try:
                    os.close(os.open(path, os.O_WRONLY))
                    answer.append(path)
                except OSError:
                    pass
        """
    assert inside(source).answer == []


def test_processes_pools_and_queues_work(inside):
    source = """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        with context.Pool(2) as pool:
            answer = pool.map(abs, [-1, -2])
        """
    assert inside(source).answer == [1, 2]


def test_shared_memory_works(inside):
    source = """
        from multiprocessing.shared_memory import SharedMemory
        memory = SharedMemory(create=True, size=1000)
        memory.buf[0] = 7
        other = SharedMemory(memory.name)
        answer = other.buf[0]
        memory.unlink()
        """
    assert inside(source).answer == 7


def test_data_loaders_of_torch_work_with_workers(new_inside):
    source = """
        from torch.utils.data import DataLoader
        answer = sorted(int(n) for batch in DataLoader(list(range(8)), batch_size=2, num_workers=2) for n in batch)
        """
    assert new_inside(modules=["torch"])(source).answer == list(range(8))


def test_when_memory_runs_out_linux_ends_a_child_first(inside):
    assert inside("answer = open('/proc/self/oom_score_adj').read()").answer == "1000\n"


def test_it_works_from_a_folder_with_spaces_and_other_letters_and_hides_the_course_installed_there(tmp_path):
    place = tmp_path / "устод с пробелами"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", place], check=True)
    packages = Path(__import__("msgpack").__file__).parents[1]
    (installed,) = place.glob("lib/python3.*/site-packages")
    shutil.copytree(ROOT / "autograder", installed / "autograder", ignore=shutil.ignore_patterns("__pycache__"))
    (installed / "course").mkdir()
    (installed / "course" / "checks.py").write_text("hidden")
    program = """
        import sys
        sys.path.append({packages!r})
        from pathlib import Path
        from autograder.kernel.client import Zygote
        from autograder.kernel.sandbox import Sandbox
        with Zygote(Sandbox(), [], [Path({packages!r}), Path({roles!r})]) as zygote:
            source = (
                "import os, sys, autograder;"
                "course = os.path.dirname(autograder.__file__) + '/../course';"
                "answer = [sys.prefix, os.listdir(course)]"
            )
            zygote.fork("kernel_roles:run", source, fds=[1], console=sys.stderr).wait(30)
        """
    text = textwrap.dedent(program).format(packages=str(packages), roles=str(Path(__file__).parent / "inside"))
    line = [place / "bin" / "python", "-X", "utf8", "-c", text]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == [str(place), []]


def test_without_bubblewrap_the_sentence_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UstodError, match="install bubblewrap"), Zygote(Sandbox(), []) as zygote:
        zygote.start()

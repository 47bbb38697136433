"""The supervisor: programs that end are started again, and what is no longer wanted ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from shared import wait_for

from autograder.hub import state
from autograder.hub.lab import Lab, read_lab
from autograder.hub.supervisor import running

#: A supervisor of programs that a file names, one a line; each only waits.
SCRIPT = """
import sys
from pathlib import Path
from autograder.hub import supervisor
from autograder.hub.programs import Program

lab = supervisor.read_lab(Path(sys.argv[1]))
wanted = lab.path.with_name("wanted")
code = "import os, time; print('born', os.getpid(), flush=True); time.sleep(600)"
supervisor.programs = lambda lab: [
    Program(name, [sys.executable, "-c", code], dict(PATH="/usr/bin:/bin")) for name in wanted.read_text().split()
]
with supervisor.on_record(lab):
    supervisor.Supervisor(lab.path, lambda lab: None).run()
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "lab.toml").write_text(f'[storage]\nroot = "{tmp_path}/srv"\nrun = "{tmp_path}/run"\n', "utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "wanted").write_text("first second")
    return read_lab(tmp_path / "lab.toml")


@pytest.fixture
def supervised(lab: Lab) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(lab.path)])
    wait_for(lambda: pids(lab, "first") and pids(lab, "second"))
    yield process
    process.terminate()
    process.wait()


def pids(lab: Lab, program: str) -> list[int]:
    """Of every process that the program has been, in order."""
    log = lab.storage.logs / f"{program}.log"
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [int(line.split()[-1]) for line in lines if "born" in line]


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_what_was_killed_is_started_again_and_the_rest_left_alone(
    lab: Lab, supervised: subprocess.Popen[bytes]
) -> None:
    os.kill(pids(lab, "first")[0], signal.SIGKILL)
    wait_for(lambda: len(pids(lab, "first")) == 2)
    assert alive(pids(lab, "first")[1])
    assert len(pids(lab, "second")) == 1 and alive(pids(lab, "second")[0])


def test_told_to_read_again_it_starts_what_is_new_and_ends_what_is_gone(
    lab: Lab, supervised: subprocess.Popen[bytes]
) -> None:
    lab.path.with_name("wanted").write_text("second third")
    supervised.send_signal(signal.SIGHUP)
    wait_for(lambda: pids(lab, "third"))
    wait_for(lambda: not alive(pids(lab, "first")[0]))
    assert pids(lab, "second") == pids(lab, "second")[:1] and alive(pids(lab, "second")[0])


def test_a_file_with_a_mistake_changes_nothing(lab: Lab, supervised: subprocess.Popen[bytes]) -> None:
    lab.path.write_text("[nonsense]\n", "utf-8")
    supervised.send_signal(signal.SIGHUP)
    log = lab.storage.logs / "supervisor.log"
    wait_for(lambda: "lab.toml was not applied" in log.read_text("utf-8"))
    assert "there is no such setting" in log.read_text("utf-8")
    assert alive(pids(lab, "first")[0]) and alive(pids(lab, "second")[0])


def test_its_end_is_theirs_whether_it_is_asked_or_killed(lab: Lab, supervised: subprocess.Popen[bytes]) -> None:
    before = pids(lab, "first") + pids(lab, "second")
    supervised.kill()
    supervised.wait()
    wait_for(lambda: not any(map(alive, before)))
    assert running(lab) is None


def test_there_is_one_for_each_lab(lab: Lab, supervised: subprocess.Popen[bytes]) -> None:
    found = running(lab)
    assert found is not None and found.pid == supervised.pid
    second = subprocess.run([sys.executable, "-c", SCRIPT, str(lab.path)], capture_output=True, text=True)
    assert second.returncode != 0 and "is up already" in second.stderr
    assert running(lab) == found


def test_another_process_with_the_same_number_is_not_taken_for_it(lab: Lab) -> None:
    (lab.storage.run / "supervisor.pid").write_text(f"{os.getpid()} 12.34\n")
    assert running(lab) is None


class TestState:
    def test_a_key_is_made_once_and_is_roots_alone(self, lab: Lab) -> None:
        lab.storage.hub.mkdir(parents=True)
        first = state.secret(lab, "proxy")
        assert len(bytes.fromhex(first)) == 32
        assert state.secret(lab, "proxy") == first != state.secret(lab, "exchange")
        assert (lab.storage.hub / "secrets.json").stat().st_mode & 0o777 == 0o600

    def test_a_course_keeps_its_port_whatever_comes_and_goes(self, lab: Lab) -> None:
        lab.storage.hub.mkdir(parents=True)
        ports = {name: state.course_port(lab, name) for name in ("ml", "nlp", "cv")}
        assert sorted(ports.values()) == [910, 911, 912]
        assert all(state.course_port(lab, name) == port for name, port in reversed(ports.items()))

"""Students' servers under a real JupyterHub, in accounts and control groups of their own."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hub.private import private_machine, until
from hub.real_hub import SERVERS, RealHub, free_port

from autograder.environment import OFFLINE
from autograder.hub.student_server import LOG
from autograder.hub.warm.__main__ import FONTS
from autograder.hub.warm.environment import KEPT
from autograder.hub.warm.servers import NAME as SERVER
from autograder.kernel.sandbox import STEADY

pytestmark = pytest.mark.slow

KNOCK = "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])"
LIMITS = """
[limits]
memory = "600 MiB"
cpu = 0.9
processes = 150
file_size = "5 MiB"
"""
HOG = "x = bytearray(900 << 20)"
#: A program of the student's that is no descendant of the server: it outlives what started it.
DETACHED = "import subprocess; subprocess.run(['setsid', '-f', 'sleep', '600'])"


@contextmanager
def real_hub(setup: str = "true", config: str = "", *, warm: bool = False) -> Iterator[RealHub]:
    with private_machine() as machine:
        machine.run("sh", "-c", setup)
        hub = RealHub(machine, LIMITS, config, warm=warm)
        hub.up()
        try:
            yield hub
        finally:
            hub.down()


@pytest.fixture(scope="module", params=["warm", "cold"])
def hub(request: pytest.FixtureRequest) -> Iterator[RealHub]:
    with real_hub(warm=request.param == "warm") as hub:
        yield hub


@pytest.fixture
def s1(hub: RealHub) -> RealHub:
    """The hub with two servers at work."""
    for name in ("s1", "s2"):
        if not hub.runs(name):
            hub.launch(name)
    return hub


def server_of(hub: RealHub, name: str) -> Path:
    """Its process in /proc, seen from here."""
    return hub.machine.path(f"/proc/{hub.state_of(name)['pid']}")


def sleeps(hub: RealHub, name: str) -> str:
    return hub.machine.run("pgrep", "-u", f"lab-{name}", "-x", "sleep", check=False)


def test_a_server_is_its_students_and_has_nothing_of_the_hubs(s1: RealHub) -> None:
    server = server_of(s1, "s1")
    status = dict(line.split(":\t", 1) for line in (server / "status").read_text().splitlines() if ":\t" in line)
    uid = s1.machine.run("id", "-u", "lab-s1").strip()
    groups = s1.machine.run("id", "-G", "lab-s1").split()
    environment = json.loads(s1.execute("s1", "import json, os; print(json.dumps({**os.environ}))"))

    assert status["Uid"].split() == [uid] * 4 and set(status["Groups"].split()) == set(groups)
    assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0
    assert int(status["Umask"], 8) == 0o077
    assert os.readlink(server / "cwd") == environment["HOME"] == "/srv/ustod/homes/s1"
    assert environment["USER"] == environment["LOGNAME"] == "lab-s1"
    assert environment["MEM_LIMIT"] == str(600 << 20) and environment["CPU_LIMIT"] == "0.9"
    assert environment["HF_HOME"] == "/srv/hf"
    assert environment["USTOD_PROGRESS"] == "/srv/ustod/homes/s1/.ustod-progress.jsonl"
    assert not {"SECRET_OF_THE_HUB", "CONFIGPROXY_AUTH_TOKEN", "PYTHONDONTWRITEBYTECODE"} & environment.keys()
    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        assert s1.machine.run("stat", "-c", "%a %U", environment[name]) in ("700 lab-s1\n", "1700 lab-s1\n")
    assert int((server / "oom_score_adj").read_text()) > 0
    assert os.readlink(server / "fd/0") == "/dev/null"
    assert os.readlink(server / "fd/1") == os.readlink(server / "fd/2") == f"/srv/ustod/homes/s1/{LOG}"
    opened = [os.readlink(server / "fd" / fd) for fd in os.listdir(server / "fd")]
    assert not [path for path in opened if path.startswith("/srv/") and not path.startswith("/srv/ustod/homes/s1/")]
    session = (server / "stat").read_text().rpartition(") ")[2].split()[3]
    assert session == str(s1.state_of("s1")["pid"])


def test_a_warm_server_knows_of_the_daemon_only_what_may_be_known(s1: RealHub) -> None:
    """Linux shows the environment in which a process began, which for a warm one is the daemon's."""
    began = (server_of(s1, "s1") / "environ").read_text()
    is_warm = (server_of(s1, "s1") / "comm").read_text() == f"{SERVER}\n"
    assert is_warm == (s1.servers is not None)
    if is_warm:
        assert {pair.partition("=")[0] for pair in began.split("\0")} <= {*KEPT, *STEADY, *OFFLINE, "HOME", FONTS, ""}
        assert "Permission denied" in s1.machine.as_account("lab-s1", "python3", "-c", KNOCK, SERVERS, check=False)


def test_a_server_starts_cold_while_there_is_no_daemon() -> None:
    with real_hub(warm=True) as hub:
        hub.launch("s1")
        assert hub.servers is not None
        hub.machine.run("pkill", "-KILL", "-u", "root", "-f", "autograder.hub.warm")
        hub.servers.wait()
        assert hub.execute("s1", "print(1)") == "1\n"  # what runs goes on
        hub.launch("s2")
        assert hub.execute("s2", "print(2)") == "2\n"
        assert [(server_of(hub, name) / "comm").read_text().strip() == SERVER for name in ("s1", "s2")] == [True, False]
        hub.stop("s1")
        assert not hub.pids("s1")


def test_kernels_listen_where_no_other_account_can_knock(s1: RealHub) -> None:
    kernel = s1.kernel("s1")
    assert s1.execute("s1", "print(1)", kernel) == "1\n"
    folder = s1.machine.path("/run/ustod/user/s1")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert json.loads((folder / f"kernel-{kernel}.json").read_text())["transport"] == "ipc"
    assert len([path for path in folder.iterdir() if path.is_socket() and kernel in path.name]) == 5
    s1.server("s1", "DELETE", f"/kernels/{kernel}")


def test_limits_hold_for_kernels(s1: RealHub) -> None:
    code = """
import os, resource, subprocess, threading, time
print(resource.getrlimit(resource.RLIMIT_FSIZE)[1], resource.getrlimit(resource.RLIMIT_CORE)[1])
try:
    open("big", "wb").write(bytes(6 << 20))
except OSError as error:
    print("big", error.errno)
many = []
try:
    for _ in range(180): many.append(subprocess.Popen(["sleep", "60"]))
except OSError as error:
    print("many", error.errno, len(many) < 150)
for one in many: one.kill(); one.wait()
"""
    assert s1.execute("s1", code).splitlines() == [f"{5 << 20} 0", "big 27", "many 11 True"]
    assert "lab-s1" in s1.execute("s1", "print(open('/proc/self/cgroup').read())")


@pytest.mark.parametrize(
    "deed",
    [
        "os.listdir('/srv/ustod/homes/s2')",
        "os.listdir('/run/ustod/user/s2')",
        "open('/srv/ustod/hub/hub.sqlite').read()",
        "open(f'/proc/{neighbour}/environ').read()",
        "open(f'/proc/{neighbour}/mem').read(1)",
        "os.kill(neighbour, 9)",
        "open('/run/ustod/jupyter/en/jupyter_server_config.json', 'a')",
        "os.rename('/srv/ustod/homes/s1', '/srv/ustod/homes/s0')",
        "open('/proc/1/oom_score_adj', 'w').write('-1000')",
        "os.setuid(0)",
    ],
)
def test_a_student_cannot(s1: RealHub, deed: str) -> None:
    code = f"import os\nneighbour = {s1.state_of('s2')['pid']}\n{deed}"

    assert s1.execute("s1", code).startswith("PermissionError")


def test_a_memory_hog_is_ended_alone_and_told_why(s1: RealHub) -> None:
    before = s1.state_of("s1"), s1.state_of("s2")
    neighbour = s1.kernel("s2")
    s1.execute("s2", "kept = 1", neighbour)

    assert s1.execute("s1", HOG) == "DIED"

    assert s1.execute("s2", "print(kept)", neighbour) == "1\n"
    assert (s1.state_of("s1"), s1.state_of("s2")) == before
    assert s1.execute("s1", "print(2)") == "2\n"
    told = s1.machine.path(f"/srv/ustod/homes/s1/{LOG}")
    until(lambda: "more than 600 MiB of memory" in told.read_text())


def test_a_hub_that_was_killed_finds_the_servers_again(s1: RealHub) -> None:
    before = s1.state_of("s1")
    kernel = s1.kernel("s1")
    s1.execute("s1", "kept = 3", kernel)

    s1.kill()
    assert server_of_is_there(s1, before["pid"])
    s1.up()

    until(lambda: s1.runs("s1") and s1.is_ready("s1"))
    assert s1.state_of("s1") == before and "/user/s1/" in s1.routes()
    assert s1.execute("s1", "print(kept)", kernel) == "3\n"

    s1.execute("s1", DETACHED)
    assert sleeps(s1, "s1")
    s1.stop("s1")  # by a hub that is not its parent
    assert not s1.pids("s1") and "/user/s1/" not in s1.routes() and s1.pids("s2")


def server_of_is_there(hub: RealHub, pid: int) -> bool:
    return hub.machine.path(f"/proc/{pid}").is_dir()


def test_stop_ends_everything_of_the_student_and_keeps_what_was_saved(s1: RealHub) -> None:
    s1.server("s1", "PUT", "/contents/saved.txt", {"type": "file", "format": "text", "content": "мактаб"})
    s1.execute("s1", DETACHED)
    s1.execute("s2", DETACHED)
    assert len(s1.pids("s1")) >= 2 and sleeps(s1, "s1")

    s1.stop("s1")

    assert s1.pids("s1") == [] and sleeps(s1, "s2")
    assert s1.machine.path("/srv/ustod/homes/s1/saved.txt").read_text("utf-8") == "мактаб"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_server_that_dies_is_noticed_at_once_and_leaves_nothing(s1: RealHub, restarted: bool) -> None:
    s1.execute("s1", DETACHED)
    if restarted:
        s1.kill()
        s1.up()
        until(lambda: s1.runs("s1") and s1.is_ready("s1"))

    began = time.monotonic()
    s1.machine.run("kill", "-KILL", s1.state_of("s1")["pid"])
    until(lambda: "/user/s1/" not in s1.routes())

    assert time.monotonic() - began < 2.0  # the poll is every three seconds, at the first after six
    until(lambda: not s1.runs("s1"))
    assert s1.pids("s1") == []


def test_what_a_student_leaves_in_the_home_keeps_no_server_from_starting(s1: RealHub) -> None:
    s1.stop("s1")
    home = "/srv/ustod/homes/s1"
    traps = "echo 1/0 > tornado.py; mkdir -p .jupyter; echo 1/0 > .jupyter/jupyter_server_config.py; rm -rf .ustod-*; "
    s1.machine.as_account("lab-s1", "sh", "-c", f"cd {home}; {traps} ln -s /etc/passwd {LOG}")
    before = s1.machine.path("/etc/passwd").read_text()

    s1.launch("s1")

    assert s1.machine.path("/etc/passwd").read_text() == before
    assert s1.execute("s1", "print(4)") == "4\n"
    s1.machine.as_account("lab-s1", "sh", "-c", f"cd {home}; rm -rf tornado.py .jupyter")


def test_a_state_whose_pid_has_come_again_is_no_server(s1: RealHub) -> None:
    said = s1.machine.python(
        """
        import os
        from autograder.hub.student_process import runs
        from autograder.kernel.tree import start_time
        pid, began = os.getpid(), start_time(os.getpid())
        child = os.fork() or os._exit(0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        print(runs(pid, began), runs(pid, began - 1), runs(child, start_time(child)), runs(2**22, 0))
        """
    )
    assert said == "True False False False\n"


def test_who_takes_a_servers_port_is_found_out() -> None:
    port = free_port()
    squatter = f"""
import http.server
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("X-JupyterHub-Version", "6.1.1"); self.end_headers()
http.server.HTTPServer(("127.0.0.1", {port}), Server).serve_forever()
"""
    with real_hub(setup="useradd thief", config=f"\nc.LabSpawner.port = {port}\n") as hub:
        thief = hub.machine.start("setpriv", "--reuid=thief", "--clear-groups", sys.executable, "-c", squatter)
        until(lambda: f"{port:04X}" in Path("/proc/net/tcp").read_text())

        hub.ask("POST", "/users/s1", {})
        with pytest.raises(AssertionError, match="Another program stood where your server was to be"):
            hub.ask("POST", "/users/s1/server", {})

        assert "/user/s1/" not in hub.routes() and hub.pids("s1") == []
        assert "thief took the port" in hub.log()
        os.kill(thief.pid, signal.SIGTERM)


def test_without_control_groups_the_hub_itself_ends_a_memory_hog() -> None:
    with real_hub(setup="umount -R /sys/fs/cgroup") as hub:
        hub.launch("s1")
        before = hub.state_of("s1")

        assert hub.execute("s1", HOG + "\nimport time\ntime.sleep(60)") == "DIED"

        assert hub.state_of("s1") == before
        assert "more than 600 MiB" in hub.machine.path(f"/srv/ustod/homes/s1/{LOG}").read_text()
        assert hub.log().count("Linux gives the hub no control groups") == 1
        hub.execute("s1", DETACHED)
        hub.stop("s1")
        assert hub.pids("s1") == []


def test_control_groups_are_left_as_they_were_found(s1: RealHub) -> None:
    lab = "from autograder.hub.lab import read_lab; from pathlib import Path; lab = read_lab(Path('/srv/lab.toml'))"
    code = f"{lab}; from autograder.hub.reserve import Reserve; print(Reserve.of(lab).find('lab-s1') is not None)"
    assert s1.machine.python(code) == "True\n"
    s1.stop("s1")
    assert s1.machine.python(code) == "False\n"

"""What one student, or a stranger, tries against another's kernel and against the process that all come from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hub.warm.namespace import SOCKET, Daemon, Machine

from autograder.hub.warm.kernels import MOST

TOKEN = "token-of-the-other-student"

HOLD = """
import os, sys
from notebook import *
async def program():
    async with notebook() as n:
        await n.run("secret = 1")
        info = n.manager.get_connection_info()
        about = {"pid": n.pid, "warm": n.is_warm, "file": n.manager.connection_file}
        print(json.dumps(about | {name: info[name] for name in info if name.endswith("_port")}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
main(program)
"""

ATTACK = """
from notebook import *
import sys
async def program():
    async with notebook() as n:
        assert n.is_warm
        given = [[s.st_dev, s.st_ino] for s in map(os.fstat, (1, 2))]
        return await n.json(sys.argv[1].replace("GIVEN", repr(given)))
main(program)
"""

#: A client that says what it likes.
RAW = """
import json, os, socket, struct, sys, time
import msgpack
from autograder.hub.warm.client import Refused, WarmProcess
def order(**changed):
    path = "/home/" + os.environ["HOME"].rsplit("/", 1)[1]
    return {"argv": [], "env": dict(os.environ), "cwd": path} | changed
def ask(**changed):
    try:
        WarmProcess(os.environ["USTOD_WARM_SOCKET"], order(**changed)).kill()
        return "started"
    except Refused as error:
        return str(error)
def line():
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.connect(os.environ["USTOD_WARM_SOCKET"])
    return end
"""


@pytest.fixture(scope="module")
def theirs(machine: Machine, daemon: Daemon) -> Iterator[dict[str, Any]]:
    """A kernel of lab-a's, which has a secret in its environment."""
    holder = machine.start(
        "python", "-c", HOLD, user="lab-a", env={"TOKEN": TOKEN}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    about = json.loads(holder.stdout.readline())
    assert about["warm"]
    yield about
    holder.communicate("", timeout=60)


def attack(machine: Machine, code: str, user: str = "lab-b") -> Any:
    """What a cell in a warm kernel of another student's yields."""
    out = machine.run("python", "-c", ATTACK, f"from attacks import *\n{code}", user=user)
    return json.loads(out.splitlines()[-1])


def raw(machine: Machine, code: str, user: str = "lab-b") -> Any:
    out = machine.run("python", "-c", RAW + code, user=user)
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("whose", ["the other student's kernel", "the daemon"])
def test_no_process_of_others_can_be_touched(
    machine: Machine, daemon: Daemon, theirs: dict[str, Any], whose: str
) -> None:
    pid = daemon.pid if whose == "the daemon" else theirs["pid"]
    tried = attack(machine, f"on_process({pid})")
    assert len(tried) == 18
    assert {name: what for name, what in tried.items() if what != "PermissionError"} == {}


def test_the_same_attacks_work_on_ones_own_kernel(machine: Machine, daemon: Daemon) -> None:
    """So that refusals mean something; and a student may debug what is theirs."""
    code = "import subprocess, sys\nchild = subprocess.Popen(['sleep', '60'])\non_process(child.pid)"
    tried = attack(machine, code)
    worked = {name for name, what in tried.items() if what.startswith("got")}
    assert worked >= {"signal", "read memory", "steal file", "list files", "read environ", "set limits"} - {
        "read memory"
    }
    own = attack(machine, "import os\nlen(os.listdir('/proc/self/fd')) > 3 and open('/proc/self/environ').read() != ''")
    assert own is True


def test_no_right_can_be_had_back(machine: Machine, daemon: Daemon) -> None:
    machine.run("sh", "-c", "cp /usr/bin/id /home/suid-id && chmod 4755 /home/suid-id")
    tried = attack(machine, "on_rights('/home/suid-id')")
    assert tried.pop("set-user-id program") == "2002"
    assert set(tried.values()) == {"PermissionError"}, tried


def test_no_file_of_the_daemons_is_inherited(machine: Machine, daemon: Daemon, theirs: dict[str, Any]) -> None:
    assert attack(machine, "foreign_files(GIVEN)") == []


def test_nothing_of_root_or_of_others_is_in_the_copied_memory(
    machine: Machine, daemon: Daemon, theirs: dict[str, Any]
) -> None:
    """The daemon was started with a secret in its environment, and has served an order with another."""
    texts = [text[::-1] for text in ("the hub's own key", TOKEN)]
    assert attack(machine, f"find_in_memory({texts!r})") == []
    assert attack(machine, "mine = '-'.join(['here', 'it', 'is'])\nfind_in_memory(['si-ti-ereh'])")


def test_another_students_kernel_does_not_listen_to_who_has_no_key(machine: Machine, theirs: dict[str, Any]) -> None:
    ports = {name: number for name, number in theirs.items() if name.endswith("_port")}
    code = f"""
from jupyter_client.blocking import BlockingKernelClient
heard = []
for key in (b"", b"guess"):
    client = BlockingKernelClient()
    about = dict(ip="127.0.0.1", transport="tcp", key=key, signature_scheme="hmac-sha256")
    client.load_connection_info({ports!r} | about)
    client.start_channels()
    for channel in (client.shell_channel, client.control_channel):
        channel.send(client.session.msg("execute_request", dict(code="open('/home/lab-a/forged', 'w')", silent=False,
            store_history=False, user_expressions={{}}, allow_stdin=False)))
    try:
        client.get_shell_msg(timeout=2)
        heard.append(True)
    except Exception as error:
        heard.append(type(error).__name__)
print(json.dumps(heard))
"""
    assert raw(machine, code) == ["Empty", "Empty"]
    assert machine.run("ls", "/home/lab-a").count("forged") == 0
    refused = raw(machine, f"try: open({theirs['file']!r})\nexcept OSError as e: print(json.dumps(type(e).__name__))")
    assert refused == "PermissionError"


def test_who_one_is_linux_says(machine: Machine, daemon: Daemon) -> None:
    """Neither the order nor forged credentials make a kernel somebody else's."""
    code = """
said = {"order": ask(uid=2001, user="lab-a")}
end = line()
try:
    forged = struct.pack("3i", os.getpid(), 2001, 2001)
    end.sendmsg([msgpack.packb(order())], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, forged)])
    said["credentials"] = "sent"
except PermissionError:
    said["credentials"] = "not sent"
process = WarmProcess(os.environ["USTOD_WARM_SOCKET"], order(uid=2001))
said["uid"] = os.stat(f"/proc/{process.pid}").st_uid
process.kill()
print(json.dumps(said))
"""
    assert raw(machine, code) == {"order": "started", "credentials": "not sent", "uid": 2002}


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("visitor", "visitor is no account of the lab"),
        ("lab-system", "this user gets no kernels here"),
        ("root", "this user gets no kernels here"),
    ],
)
def test_strangers_and_the_system_get_no_kernel(machine: Machine, daemon: Daemon, user: str, why: str) -> None:
    assert raw(machine, 'print(json.dumps(ask(cwd="/")))', user=user) == why


def test_a_course_account_gets_one(machine: Machine, daemon: Daemon) -> None:
    assert raw(machine, "print(json.dumps(ask()))", user="grader-x") == "started"


def test_a_folder_of_others_is_refused(machine: Machine, daemon: Daemon) -> None:
    said = raw(machine, 'print(json.dumps([ask(cwd="/home/lab-a"), ask(cwd="/root/x"), ask(cwd="/home/lab-a/..")]))')
    assert "Permission denied" in said[0]
    assert "No such file" in said[1] or "Permission denied" in said[1]
    assert "Permission denied" in said[2]


def test_who_has_made_namespaces_or_filters_of_their_own_is_refused(machine: Machine, daemon: Daemon) -> None:
    """In a mount namespace of one's own /etc/passwd may say anything."""
    said = machine.run(
        "unshare", "-Urm", "python", "-c", RAW + 'print(json.dumps(ask(cwd="/")))', user="lab-b", check=False
    )
    if said:
        assert "user namespace of its own" in said
    filtered = (
        "from autograder.kernel import seccomp, linux; linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1); seccomp.install()"
    )
    assert "filter" in raw(machine, f"{filtered}\nprint(json.dumps(ask()))")


def test_a_private_mount_namespace_that_root_made_is_entered(machine: Machine, daemon: Daemon) -> None:
    """As a spawner makes one to hide what is none of a student's business."""
    program = HOLD.split("async def")[0] + (
        "async def program():\n    async with notebook() as n:\n        print(n.pid)\n"
        "        return [n.is_warm, await n.json('import os; os.listdir(\"/home/grader-x/..\")')]\nmain(program)"
    )
    shell = (
        "mkdir -p /home/.only/lab-a; mount --bind /home/lab-a /home/.only/lab-a; mount --rbind /home/.only /home; "
        'exec setpriv --reuid lab-a --regid lab-a --init-groups env HOME=/home/lab-a python -c "$0"'
    )
    program = program.replace("/home/grader-x/..", "/home")
    out = machine.run("unshare", "-m", "sh", "-c", shell, program)
    warm, seen = json.loads(out.splitlines()[-1])
    assert seen == ["lab-a"]
    assert warm


def test_nothing_that_an_order_names_is_run_by_root(machine: Machine, daemon: Daemon) -> None:
    """A module in the way of every import, in every place that the environment can name."""
    machine.run("sh", "-c", "mkdir -m 777 -p /home/traces")
    code = """
import pathlib
evil = pathlib.Path.home() / "evil"
evil.mkdir(exist_ok=True)
trace = "import os; open('/home/traces/%d-%d' % (os.getuid(), os.geteuid()), 'w')"
for name in ("sitecustomize", "usercustomize", "msgpack", "pwd", "ipykernel", "signal", "antigravity", "nss"):
    (evil / f"{name}.py").write_text(trace)
names = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "HOME", "IPYTHONDIR", "JUPYTER_PATH", "TMPDIR")
hostile = dict(os.environ) | {name: str(evil) for name in names}
hostile |= {name: str(evil) for name in ("LD_LIBRARY_PATH", "GCONV_PATH", "LOCPATH", "OPENSSL_CONF")}
hostile |= {"LD_PRELOAD": str(evil / "x.so"), "PYTHONSTARTUP": str(evil / "pwd.py")}
startup = evil / "profile_default" / "startup"
startup.mkdir(parents=True, exist_ok=True)
(startup / "x.py").write_text(trace)
process = WarmProcess(os.environ["USTOD_WARM_SOCKET"], order(env=hostile, argv=[]))
for _ in range(100):
    if os.listdir("/home/traces"): break
    time.sleep(.1)
process.kill()
print(json.dumps(os.listdir("/home/traces")))
"""
    assert raw(machine, code) == ["2002-2002"]


def test_orders_that_are_none_are_refused(machine: Machine, daemon: Daemon) -> None:
    code = """
said = []
deep = b"\\x91" * 100000
for data in (b"\\xff\\x00garbage", deep, msgpack.packb([]), msgpack.packb({}), msgpack.packb(order(cwd=7)),
             msgpack.packb(order(env=[1])), msgpack.packb(order(env={"a=b": "c"})),
             msgpack.packb(order(env={"a": "\\0"})), msgpack.packb(order(argv=3)),
             msgpack.packb({"say": "ended", "code": 0})):
    end = line()
    end.send(data)
    said.append(msgpack.unpackb(end.recv(65536))["say"])
end = line()
files = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
socket.send_fds(end, [msgpack.packb({})], files)
said.append(msgpack.unpackb(end.recv(65536))["say"])
print(json.dumps(said))
"""
    assert set(raw(machine, code, user="grader-x")) == {"refused"}
    assert raw(machine, "print(json.dumps(ask()))") == "started"


def test_connections_that_are_held_or_that_flood_keep_nobody_else_from_a_kernel(
    machine: Machine, daemon: Daemon
) -> None:
    before = _files_of(machine, daemon)
    code = """
held = [line() for _ in range(200)]
print(json.dumps(len(held)), flush=True)
sys.stdin.readline()
for _ in range(3000):
    line().close()
"""
    flood = machine.start("python", "-c", RAW + code, user="grader-x", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert flood.stdout is not None
        assert flood.stdin is not None
        assert flood.stdout.readline() == "200\n"
        children = machine.run("sh", "-c", f"sleep 3; ps -o uid= --ppid {daemon.pid} | grep -c 2003")
        assert 0 < int(children) <= MOST
        flood.communicate("\n", timeout=120)
        assert raw(machine, "print(json.dumps(ask()))") == "started"
    finally:
        flood.kill()
        flood.wait()
    assert _files_of(machine, daemon) <= before + 2


def _files_of(machine: Machine, daemon: Daemon) -> int:
    machine.run("sleep", "0.5")
    return len(machine.run("ls", f"/proc/{daemon.pid}/fd").split())


def test_the_socket_is_the_daemons_alone_to_replace(machine: Machine, daemon: Daemon) -> None:
    said = raw(
        machine,
        f"""
said = []
for attack in (lambda: os.unlink({SOCKET!r}), lambda: os.rename({SOCKET!r}, "/run/ustod/y"),
               lambda: os.mkdir("/run/ustod/x")):
    try: attack(); said.append("done")
    except OSError as error: said.append(type(error).__name__)
print(json.dumps(said))
""",
    )
    assert said == ["PermissionError"] * 3

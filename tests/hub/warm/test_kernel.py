"""A warm kernel is what the student's own would be: the same rights, limits, folder, environment, and behaviour."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hub.warm.namespace import Daemon, Machine

pytestmark = pytest.mark.usefixtures("daemon")

START = """
from notebook import *
import json, os, time, signal, asyncio, resource
"""


def in_notebook(machine: Machine, body: str, user: str = "lab-a", **more: Any) -> Any:
    """What the coroutine body returns, with a warm kernel `n`."""
    indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    program = f"{START}\nasync def program():\n    async with notebook() as n:\n        assert n.is_warm\n{indented}\n"
    return machine.python(f"{program}\nmain(program)", user=user, **more)


ABOUT = """
import os, resource, sys
about = {
    "uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(), "folder": os.getcwd(),
    "umask": os.umask(0o077), "home": os.path.expanduser("~"), "argv": sys.argv[0],
    "imported": sorted({"torch", "transformers", "datasets"} & set(sys.modules)),
    "environment": dict(os.environ), "session": os.getsid(0) == os.getpid(),
    "status": {k: v.strip() for k, _, v in (line.partition(":") for line in open("/proc/self/status"))},
}
"""


@pytest.fixture(scope="module")
def about(machine: Machine, daemon: Daemon) -> dict[str, Any]:
    return dict(in_notebook(machine, f"return await n.json({ABOUT + 'about'!r})", env={"COLOUR": "кабуд"}))


def test_a_kernel_is_the_students_and_cannot_be_more(about: dict[str, Any]) -> None:
    assert about["uid"] == [2001] * 3
    assert about["gid"] == [2001] * 3
    assert sorted(about["groups"]) == [2001, 5000]
    assert about["umask"] == 0o077
    assert about["session"]
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(about["status"][kind], 16) == 0, kind
    assert about["status"]["NoNewPrivs"] == "1"


def test_its_environment_is_the_students_and_nothing_of_the_daemons(about: dict[str, Any]) -> None:
    environment = about["environment"]
    assert environment["COLOUR"] == "кабуд"
    assert environment["HOME"] == about["home"] == "/home/lab-a"
    assert about["folder"] == "/home/lab-a"
    assert "LAB_SECRET" not in environment
    assert "OPENBLAS_NUM_THREADS" not in environment  # of the daemon
    assert "ipykernel_launcher" in about["argv"]
    assert about["imported"] == ["datasets", "torch", "transformers"]


def test_libraries_that_read_the_environment_when_they_were_imported_know_the_students(machine: Machine) -> None:
    said = in_notebook(
        machine,
        """
    return await n.json('''
import huggingface_hub.constants as hub, datasets, matplotlib, torch, transformers.utils.hub as t, sys
[hub.HF_HOME, hub.HF_HUB_CACHE, hub.HF_TOKEN_PATH, str(datasets.config.HF_DATASETS_CACHE), t.HF_MODULES_CACHE,
 hub.HF_HUB_OFFLINE, matplotlib.get_configdir(), torch.get_num_threads(), "/home/lab-a/more" in sys.path]
''')""",
        env={"HF_HUB_CACHE": "/srv/hub", "HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "3", "PYTHONPATH": _with("more")},
    )
    own = "/home/lab-a/.cache/huggingface"
    assert said[:5] == [own, "/srv/hub", f"{own}/token", f"{own}/datasets", f"{own}/modules"]
    assert said[5:] == [False, "/home/lab-a/.config/matplotlib", 3, True]


def _with(folder: str) -> str:
    return f"/home/lab-a/{folder}:" + ":".join(
        [str(Path(__file__).parents[3]), str(Path(__file__).parent / "inside"), "/run/entry"]
    )


def test_libraries_that_look_for_a_notebook_when_they_are_imported_have_found_one(machine: Machine) -> None:
    """Progress bars are widgets, and widgets can talk to the browser, as in a kernel that started cold."""
    code = """
import comm, ipywidgets, matplotlib, tqdm.auto, threading
[sorted(comm.get_comm_manager().targets), tqdm.auto.tqdm.__mro__[1].__module__, matplotlib.rcParams["backend"].lower(),
 sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith(("Thread-", "server-")))]
"""
    program = "async def program():\n    async with notebook(sys.argv[1]) as n: return await n.json(sys.argv[2])\n"
    both = [
        machine.run("python", "-c", f"import sys{START}{program}main(program)", kernel, code, user="lab-b")
        for kernel in ("ustod-ready", "python3")
    ]
    warm, cold = (json.loads(out.splitlines()[-1]) for out in both)
    assert warm[0] == ["jupyter.widget", "jupyter.widget.control"]
    assert warm[:2] == cold[:2]
    assert "inline" in warm[2]
    assert set(warm[3]) <= set(cold[3]) | {"Control", "IOPub"}


def test_two_kernels_draw_different_numbers_and_keys(machine: Machine) -> None:
    code = """
import random, numpy, torch, multiprocessing, multiprocess
[random.random(), numpy.random.rand(), torch.rand(1).item(),
 *(bytes(m.current_process().authkey).hex() for m in (multiprocessing, multiprocess))]
"""
    one, other = (in_notebook(machine, f"return await n.json({code!r})", user=user) for user in ("lab-a", "lab-b"))
    assert not set(one) & set(other)


def test_a_kernel_behaves_as_any(machine: Machine) -> None:
    said = in_notebook(
        machine,
        """
    said = {}
    said["input"] = await n.run("print(input('name? ') + '!')", answer="Зебо")
    said["program"] = await n.run("import subprocess as s; print(s.run(['id', '-u'], stdout=s.PIPE, text=True).stdout)")
    said["shell"] = await n.run("!echo $HOME")
    said["plot"] = await n.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()")
    said["inline"] = await n.run("%matplotlib inline\\nplt.plot([1, 2]);")
    said["error"] = await n.run("1 / 0")
    said["below"] = await n.run("import os; os.write(1, b'below Python\\\\n'); import time; time.sleep(.5)")
    said["threads"] = await n.run("import torch; print(torch.ones(500, 500).mm(torch.ones(500, 500))[0, 0].item())")
    await n.run("from concurrent.futures import ProcessPoolExecutor as P")
    said["pool"] = await n.run("with P(2) as p: print(sum(p.map(abs, [-1, -2])))")
    await n.run("open('mine.txt', 'w').close(); about = os.stat('mine.txt')")
    said["file"] = await n.run("print(oct(about.st_mode & 0o777), about.st_uid)")
    return said""",
    )
    assert said["input"] == "Зебо!"
    assert said["program"] == "2001"
    assert said["shell"] == "/home/lab-a"
    assert "image/png" in said["plot"]
    assert "image/png" in said["inline"]
    assert said["error"] == "ZeroDivisionError: division by zero"
    assert said["below"] == "below Python"
    assert said["threads"] == "500.0"
    assert said["pool"] == "3"
    assert said["file"] == "0o600 2001"


def test_interrupt_restart_and_shutdown(machine: Machine) -> None:
    said = in_notebook(
        machine,
        """
    said = {}
    running = asyncio.create_task(n.run("import time; time.sleep(60)"))
    await asyncio.sleep(1)
    await n.manager.interrupt_kernel()
    said["interrupted"] = await running
    said["after"] = await n.run("x = 1; print(x)")
    first = n.pid
    await n.manager.restart_kernel(now=True)
    await n.ready()
    said["forgotten"] = await n.run("x")
    said["another"] = n.pid != first and n.is_warm
    said["gone"] = not os.path.exists(f"/proc/{first}")
    await n.manager.shutdown_kernel()
    said["shut down"] = n.manager.has_kernel
    return said""",
    )
    assert said == {
        "interrupted": "KeyboardInterrupt:",
        "after": "1",
        "forgotten": "NameError: name 'x' is not defined",
        "another": True,
        "gone": True,
        "shut down": False,
    }


def test_exit_codes_come_back(machine: Machine) -> None:
    program = """
    codes = []
    for how in ("os._exit(7)", "os.kill(os.getpid(), 9)", "exit()", "import sys; sys.stdin.close(); os.abort()"):
        async with notebook() as n:
            n.client.execute("import os; " + how)
            process = n.manager.provisioner.process
            while process.poll() is None:
                await asyncio.sleep(.05)
            codes.append(process.poll())
    return codes
    """
    assert machine.python(f"{START}\nasync def program():{program}\nmain(program)", user="lab-a") == [7, -9, 0, -6]


def test_a_kernel_ends_with_its_server(machine: Machine) -> None:
    pid = machine.python(
        START
        + "async def program():\n    n = await notebook().__aenter__()\n"
        + "    print(n.pid, flush=True)\n    os._exit(0)\nmain(program)",
        user="lab-a",
    )
    gone = f"for i in $(seq 100); do [ -d /proc/{pid} ] || exit 0; sleep 0.1; done; exit 1"
    machine.run("sh", "-c", gone)


def test_limits_of_the_server_are_the_kernels(machine: Machine) -> None:
    """Resource limits, priority, and control groups of both versions; a bomb ends one kernel and no other."""
    name = f"ustod-test-{os.getpid()}"
    trees = {kind: Path(f"/sys/fs/cgroup/{kind}") for kind in ("memory", "pids", "unified")}
    folders = {kind: tree / name for kind, tree in trees.items() if tree.is_dir()}
    if "memory" not in folders:
        pytest.skip("no control groups of version 1 here")
    for folder in folders.values():
        folder.mkdir()
    try:
        (folders["memory"] / "memory.limit_in_bytes").write_text(str(600 << 20))
        enter = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in folders.values())
        program = (
            START
            + """
import resource
async def program():
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, 888))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    os.nice(3)
    async with notebook() as n, notebook("ustod-ready") as other:
        said = await n.json('''
import os, resource
[resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_FSIZE), os.nice(0),
 int(open("/proc/self/oom_score_adj").read()), open("/proc/self/cgroup").read()]
''')
        n.client.execute("x = bytearray(2 << 30); x[::4096] = bytes(len(x[::4096]))")
        process = n.manager.provisioner.process
        for _ in range(300):
            if process.poll() is not None:
                break
            await asyncio.sleep(.1)
        return [*said, process.poll(), await other.run("print('alive')"), n.is_warm]
main(program)
"""
        )
        become = f'{enter}; exec setpriv --reuid lab-a --regid lab-a --init-groups env HOME=/home/lab-a python -c "$0"'
        out = machine.run("sh", "-c", become, program)
        files, size, nice, badness, groups, code, other, warm = json.loads(out.splitlines()[-1])
    finally:
        for folder in folders.values():
            folder.rmdir()
    assert warm
    assert (files, size, nice) == ([777, 888], [1 << 30, 1 << 30], 3)
    assert badness >= 300
    assert groups.count(f"/{name}") == len(folders)
    assert (code, other) == (-9, "alive")


ANSWER = """
async def program():
    async with notebook() as n:
        return [n.is_warm, await n.run("print(6 * 7)")]
main(program)
"""


def test_without_a_daemon_kernels_start_cold_and_say_so(machine: Machine) -> None:
    process = machine.start(
        "python",
        "-c",
        f"{START}\nimport logging; logging.basicConfig()\n{ANSWER}",
        user="lab-a",
        env={"USTOD_WARM_SOCKET": "/run/ustod/nobody.sock"},
        stdout=-1,
        stderr=-1,
    )
    out, err = process.communicate(timeout=120)
    assert json.loads(out.splitlines()[-1]) == [False, "42"]
    assert "starts cold" in err
    assert "No such file" in err


def test_plain_kernels_stay(machine: Machine) -> None:
    program = START + ANSWER.replace("notebook()", "notebook('python3')")
    assert machine.python(program, user="lab-a") == [False, "42"]

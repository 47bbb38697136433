"""Others' programs, and the rights that a student's own have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest
from hub.island_attacks.attacker import Attacker
from hub.island_attacks.scene import HUB, MARKS, Scene
from shared import wait_for

pytestmark = pytest.mark.slow

TARGETS = [*MARKS, "the victim's kernel"]


@pytest.mark.parametrize("whose", TARGETS)
def test_no_process_of_others_is_read_stopped_or_traced(scene: Scene, whose: str) -> None:
    pid = scene.pid(whose)
    tried = scene.mallory.gets(f"on_process({pid})")
    assert len(tried) == 18
    assert {name: what for name, what in tried.items() if what != "PermissionError"} == {}
    assert psutil.pid_exists(pid)


def test_the_same_works_on_ones_own_process(scene: Scene) -> None:
    tried = scene.mallory.gets("on_process(subprocess.Popen(['sleep', '60']).pid)")
    worked = {name for name, what in tried.items() if what.startswith("got")}
    assert worked >= {"signal", "list files", "read environ", "set limits", "read maps"}


def test_no_right_can_be_had_back(scene: Scene) -> None:
    program = Path("/srv/suid-id")
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    uid = scene.mallory.gets("os.getuid()")
    plain = ["setpriv", f"--reuid={uid}", "--clear-groups", str(program), "-u"]
    assert subprocess.run(plain, capture_output=True, text=True).stdout == "0\n", "such a program does work"
    tried = scene.mallory.gets(f"on_rights({str(program)!r})")
    assert tried.pop("set-user-id program") == str(uid)
    assert set(tried.values()) == {"PermissionError"}, tried
    status = scene.mallory.gets("open('/proc/self/status').read()")
    assert re.search(r"NoNewPrivs:\s+1", status) and re.search(r"CapEff:\s+0{16}", status)


@pytest.mark.parametrize("kernel", ["python3", "ustod-ready"])
def test_a_kernel_hears_its_own_account_alone_and_that_with_its_key(scene: Scene, kernel: str) -> None:
    victim = scene.victim if kernel == "ustod-ready" else Attacker(scene.prey)
    file = victim.gets("__import__('ipykernel.connect').connect.get_connection_file()")
    told = json.loads(Path(file).read_text("utf-8"))
    assert scene.mallory.is_stopped(f"open({file!r}).read()")
    key = told.pop("key")
    scene.mallory.gets(f"knock({told!r}, {key!r}, 'knocked = 1')")  # not even with it: its sockets are its account's
    victim.gets(f"knock({told!r}, '0' * 32, 'knocked = 2')")
    victim.gets(f"knock({told!r}, '', 'knocked = 3')")
    assert victim.gets("globals().get('knocked')") is None
    victim.gets(f"knock({told!r}, {key!r}, 'knocked = 4')")
    assert victim.gets("globals().get('knocked')") == 4, "who has the key is heard"


def test_no_command_line_and_no_environment_holds_a_key_of_the_lab(scene: Scene) -> None:
    """Command lines are seen by everybody on a machine."""
    keys = [*json.loads((HUB / "secrets.json").read_text("utf-8")).values(), scene.victim.gets("TOKEN")]
    assert len(keys) > 5 and all(len(key) >= 32 for key in keys)
    seen = scene.mallory.gets("every_command_line()")
    assert any("configurable-http-proxy" in line for line in seen), "they are seen"
    told = scene.mallory.gets("list(os.environ.values())")
    assert scene.mallory.gets("TOKEN") in told
    assert [key for key in keys if any(key in text for text in [*seen, *told])] == []


def test_no_key_of_the_lab_is_in_the_memory_of_a_kernel(scene: Scene) -> None:
    keys = [key[::-1] for key in json.loads((HUB / "secrets.json").read_text("utf-8")).values()]
    warm = Attacker(scene.me, "ustod-ready")
    own = scene.mallory.gets("TOKEN[::-1]")
    assert warm.gets(f"find_in_memory([{own!r}])"), "one's own token is found"
    assert warm.gets(f"find_in_memory({keys!r})") == []
    scene.me.ask("DELETE", scene.me.path(f"api/kernels/{warm.kernel}"))


@pytest.mark.parametrize("what", ["shared memory", "a semaphore", "a message queue", "a file in /dev/shm", "a socket"])
def test_what_programs_share_with_each_other_is_the_accounts_own(scene: Scene, what: str) -> None:
    made = scene.victim.gets(f"make_shared({what!r})")
    assert scene.victim.gets(f"reach_shared({what!r}, {made!r})") == ["got"] * 2, "its owner reaches it, and changes it"
    assert scene.mallory.gets(f"reach_shared({what!r}, {made!r})") == ["PermissionError"] * 2
    assert scene.victim.gets(f"reach_shared({what!r}, {made!r})") == ["got"] * 2


def test_who_ends_all_that_they_can_ends_their_own(scene: Scene) -> None:
    """As `kill -9 -1`. Their own server goes with it, and starts again."""
    others = {what: scene.pid(what) for what in TARGETS}
    own = scene.mallory.gets("os.getpid()")
    scene.mallory.gets("subprocess.Popen(['setsid', 'sh', '-c', 'sleep 1; kill -9 -1']).pid")
    wait_for(lambda: not psutil.pid_exists(own) or psutil.Process(own).status() == psutil.STATUS_ZOMBIE)
    assert {what: scene.pid(what) for what in TARGETS} == others
    scene.restart_mallory()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/proc/sys/kernel/core_pattern", "|/tmp/evil"),
        ("/proc/sys/kernel/modprobe", "/tmp/evil"),
        ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "1"),
        ("/proc/sysrq-trigger", "h"),
        ("/proc/self/oom_score_adj", "-900"),
        ("/sys/fs/cgroup/cgroup.procs", "1"),
        ("/dev/mem", ""),
    ],
)
def test_no_setting_of_the_machine_is_changed(scene: Scene, path: str, text: str) -> None:
    got = scene.mallory.gets(f"write_to({path!r}, {text!r})")
    assert got in ("stopped by PermissionError", "stopped by FileNotFoundError", "stopped by OSError 30"), got
    assert scene.mallory.gets("write_to('/proc/self/oom_score_adj', '900')") == 3, "what makes it worse may be written"

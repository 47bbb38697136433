"""Kernels outlive the daemon; the daemon refuses places where others could stand in for it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hub.warm.namespace import SOCKET, Daemon, Machine

from autograder.errors import UstodError
from autograder.hub.warm.daemon import listen
from autograder.hub.warm.kernels import BURST, PAUSE, _User

#: Waits for a line before each step, so that the test can do something to the daemon meanwhile.
STEPS = """
import sys
from notebook import *
async def step(said):
    print(json.dumps(said), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
async def program():
    async with notebook() as n:
        await n.run("x = 42")
        await step(n.is_warm)
        await step([await n.run("print(x)"), n.manager.provisioner.process.poll()])
        n.client.execute("import os; os._exit(3)")
        process = n.manager.provisioner.process
        while process.poll() is None:
            await asyncio.sleep(.05)
        await step(process.poll())
        await n.manager.restart_kernel(now=True)
        await n.ready()
        await step([n.is_warm, await n.run("print(1)")])
        await n.manager.restart_kernel(now=True)
        await n.ready()
        return [n.is_warm, await n.run("print(2)")]
main(program)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_kernels_go_on_without_the_daemon_and_start_cold_until_it_is_back(number: int) -> None:
    machine = Machine()
    try:
        daemon = Daemon(machine)
        student = machine.start(
            "python",
            "-c",
            STEPS,
            user="lab-a",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert student.stdout is not None
        assert student.stdin is not None

        def next_said() -> object:
            return json.loads(student.stdout.readline())  # type: ignore[union-attr]

        def go_on() -> None:
            student.stdin.write("\n")  # type: ignore[union-attr]
            student.stdin.flush()  # type: ignore[union-attr]

        assert next_said() is True
        daemon.kill(number)
        go_on()
        assert next_said() == ["42", None]
        go_on()
        assert next_said() == -9  # nobody can tell how
        go_on()
        assert next_said() == [False, "1"]
        Daemon(machine)
        go_on()
        assert next_said() == [True, "2"]
        student.communicate()
    finally:
        machine.close()


def test_a_user_may_give_many_orders_at_once_and_then_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    user = _User(since=now)
    assert [user.may_order() for _ in range(BURST + 1)] == [True] * BURST + [False]
    now += PAUSE
    assert [user.may_order() for _ in range(2)] == [True, False]
    now += PAUSE * 10 * BURST
    assert sum(user.may_order() for _ in range(3 * BURST)) == BURST


def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UstodError, match="Others may write in"):
        listen(tmp_path / "warm.sock", 0o666)


def test_what_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        listener = listen(tmp_path / "warm.sock", 0o666)
        assert (tmp_path / "warm.sock").stat().st_mode & 0o777 == 0o666
        assert [path.name for path in tmp_path.iterdir()] == ["warm.sock"]
        listener.close()


def test_only_root_can_start_it(machine: Machine) -> None:
    process = machine.start(
        "python", "-m", "autograder.hub.warm", "kernels", "--socket", SOCKET, user="lab-a", stderr=-1
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "run this as root" in err

"""What systemd would be told. There is none here: a `systemd-run` that notes its arguments stands in for it, so this
says nothing about what systemd makes of them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hub.private import private_machine
from hub.real_hub import RealHub

LIMITS = """
[limits]
memory = "600 MiB"
cpu = 0.5
processes = 150
"""

#: Notes its arguments; runs the program in the account and environment that they name, as a unit of one pid file.
FAKE_RUN = """#!/bin/bash
printf '%s\\n' "$@" > /srv/argv
for word in "$@"; do
    shift
    case $word in
        --uid=*) uid=${word#*=} ;;
        --working-directory) cd "$1" ;;
        --property=EnvironmentFile=*) file=${word#--property=EnvironmentFile=} ;;
        --property=StandardError=*) last=1 ;;
    esac
    [[ $1 == /*python* ]] && break
done
set -a; . "$file"; set +a
setpriv --reuid=$uid --regid=$uid --clear-groups setsid "$@" &
echo $! > /srv/unit.pid
"""
FAKE_CTL = """#!/bin/bash
echo "$@" >> /srv/systemctl
case $1 in
    --version) echo systemd 252 ;;
    is-active) kill -0 "$(cat /srv/unit.pid)" 2>/dev/null ;;
    is-failed) false ;;
    stop) kill -KILL "$(cat /srv/unit.pid)"; sleep 0.2 ;;
esac
"""
CONFIG = """
from autograder.hub.systemd import systemd_config
systemd_config(c, read_lab(Path("/srv/lab.toml")))
"""


@pytest.fixture(scope="module")
def told() -> Any:
    """What was handed to the stand-ins when s1's server started, and the machine while it runs."""
    with private_machine() as machine:
        machine.run("mkdir", "-m", "755", "/srv/bin", "/run/systemd")
        for name, text in (("systemd-run", FAKE_RUN), ("systemctl", FAKE_CTL)):
            machine.path(f"/srv/bin/{name}").write_text(text)
            machine.run("chmod", "755", f"/srv/bin/{name}")
        machine.environment["PATH"] = f"/srv/bin:{machine.environment['PATH']}"
        hub = RealHub(machine, LIMITS, CONFIG)
        hub.up()
        try:
            hub.launch("s1")
            yield machine.path("/srv/argv").read_text().splitlines(), machine.path("/srv/systemctl").read_text(), hub
        finally:
            hub.down()


@pytest.mark.slow
def test_the_unit_has_the_account_and_the_limits_of_the_lab(told: Any) -> None:
    arguments, _, hub = told
    uid = hub.machine.run("id", "-u", "lab-s1").strip()
    properties = dict(word.removeprefix("--property=").split("=", 1) for word in arguments if "--property=" in word)

    assert {f"--uid={uid}", "--slice=ustod-students.slice"} <= set(arguments)
    assert arguments[arguments.index("--unit") + 1] == "ustod-student-s1"
    assert arguments[arguments.index("--working-directory") + 1] == "/srv/ustod/homes/s1"
    expected = {
        "MemoryMax": str(600 << 20),
        "MemorySwapMax": "0",
        "CPUQuota": "50%",
        "TasksMax": "150",
        "NoNewPrivileges": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "UMask": "0077",
        "LimitCORE": "0",
        "OOMPolicy": "continue",
        "StandardOutput": "journal",
    }
    assert expected.items() <= properties.items()
    assert "JUPYTERHUB_API_TOKEN" not in json.dumps(arguments)  # any student can read the arguments of a program


@pytest.mark.slow
def test_the_slice_of_all_students_leaves_the_reserve(told: Any) -> None:
    _, calls, hub = told
    code = """
        from pathlib import Path
        from autograder.hub.lab import read_lab
        from autograder.hub.reserve import memory_for_students
        print(memory_for_students(read_lab(Path("/srv/lab.toml"))))
    """
    limit = hub.machine.python(code).strip()

    assert f"set-property --runtime ustod-students.slice MemoryMax={limit} MemorySwapMax=0 CPUWeight=50" in calls

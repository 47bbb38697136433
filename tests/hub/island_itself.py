"""The island that other tests lean on."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path


def test_accounts_made_here_can_run_this_python_and_the_project():
    subprocess.run(["useradd", "--create-home", "lab-someone"], check=True)
    account = pwd.getpwnam("lab-someone")
    code = "import os, torch, autograder.hub.lab; print(os.getuid(), os.listdir(os.environ['HF_HOME']) is not None)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        user=account.pw_uid,
        group=account.pw_gid,
        cwd="/tmp",
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(account.pw_uid), "True"], done.stderr


def test_it_is_a_machine_of_its_own():
    assert os.getpid() < 50
    assert list(Path("/home").iterdir()) in ([], [Path("/home/lab-someone")])
    assert len(Path("/proc/net/dev").read_text().splitlines()) == 3

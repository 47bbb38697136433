"""The doctor tries, rather than believes; and names the mend."""

import json
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from kernel.keepers import GROUPS

from autograder.errors import UstodError
from autograder.kernel import doctor, life, trials
from autograder.kernel.client import Zygote

ROOT = Path(__file__).parents[2]


def fake_bubblewrap(tmp_path, monkeypatch):
    """A bubblewrap that is refused its namespaces, as where AppArmor or a container forbids them."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_every_guarantee_is_tried_here():
    names = [finding.guarantee for finding in doctor.findings()]
    assert names[0] == "sandbox"
    assert {"files", "network", "neighbours", "memory", "processes", "disk", "system calls"} <= set(names)


def test_who_keeps_the_limits_on_memory_and_processes_is_told():
    (finding,) = [finding for finding in doctor.findings() if finding.guarantee == "control groups"]
    assert finding.holds
    assert finding.words.startswith("Linux itself keeps" if GROUPS else "A watcher keeps")


@pytest.mark.parametrize(
    ("systemd", "uid", "way"),
    [
        (True, 1000, "For Linux itself to keep them: systemd-run --user --scope -p Delegate=yes ustod grade …"),
        (True, 0, "For Linux itself to keep them: systemd-run --scope -p Delegate=yes ustod grade …"),
        (
            False,
            1000,
            "Linux itself does where this user may make control groups with controllers memory and pids.",
        ),
    ],
)
def test_where_a_watcher_keeps_them_the_way_to_have_more_is_told(monkeypatch, tmp_path, systemd, uid, way):
    monkeypatch.setattr(trials, "SYSTEMD", tmp_path if systemd else tmp_path / "absent")
    monkeypatch.setattr(life, "new_group", lambda limits: None)
    with Zygote(None, []) as zygote:
        zygote.start()
        monkeypatch.setattr(trials.os, "getuid", lambda: uid)
        finding = trials._keeper(zygote)
    assert finding.holds
    assert finding.words.startswith("A watcher keeps the limits on memory and processes")
    assert finding.mend == way


@pytest.mark.parametrize(("system", "name"), [("Windows", "Windows"), ("Darwin", "macOS")])
def test_on_other_systems_there_is_a_plain_report(system, name):
    """As there, the modules that Linux alone has cannot be imported."""
    program = f"""
        import sys
        for module in ("fcntl", "resource", "termios", "pwd", "grp"):
            sys.modules[module] = None
        import platform
        platform.system = lambda: {system!r}
        sys.argv = ["ustod", "doctor", "--json"]
        from autograder.cli import main
        main()
    """
    line = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == "ustod: This machine does not give 1 of 1 guarantees: sandbox.\n"
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)
    assert finding["words"] == f"Learners' code cannot be shut in: the sandbox needs Linux, and this is {name}."
    assert "ustod lab and ustod check work here too" in finding["mend"]


def test_what_holds_needs_no_mend_and_what_does_not_has_one():
    for finding in doctor.findings():
        assert finding.holds or finding.mend
        assert not finding.mend or finding.guarantee == "control groups" or not finding.holds
        assert finding.words.endswith(".")


def test_a_missing_bubblewrap_is_told_from_a_forbidden_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = doctor.findings()
    assert not finding.holds
    assert "bwrap is missing" in finding.words
    assert "Install the package bubblewrap" in finding.mend


@pytest.mark.parametrize(
    ("setting", "value", "word", "mend"),
    [
        ("APPARMOR", "1", "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("DEBIAN", "0", "forbids user namespaces", "kernel.unprivileged_userns_clone=1"),
        ("NAMESPACES", "0", "no user namespaces", "user.max_user_namespaces"),
    ],
)
def test_who_forbids_namespaces_is_named(monkeypatch, tmp_path, setting, value, word, mend):
    fake_bubblewrap(tmp_path, monkeypatch)
    for name in ("APPARMOR", "DEBIAN", "NAMESPACES"):
        monkeypatch.setattr(doctor, name, tmp_path / "absent")
    (tmp_path / setting).write_text(value)
    monkeypatch.setattr(doctor, setting, tmp_path / setting)
    (finding,) = doctor.findings()
    assert not finding.holds
    assert word in finding.words
    assert mend in finding.mend


def test_a_container_that_forbids_them_is_named(monkeypatch, tmp_path):
    fake_bubblewrap(tmp_path, monkeypatch)
    for name in ("APPARMOR", "DEBIAN", "NAMESPACES"):
        monkeypatch.setattr(doctor, name, tmp_path / "absent")
    monkeypatch.setattr(doctor, "CONTAINERS", (tmp_path,))
    (finding,) = doctor.findings()
    assert "container" in finding.words
    assert "--security-opt" in finding.mend


def test_what_bubblewrap_says_is_passed_on_where_nothing_is_known(monkeypatch, tmp_path):
    fake_bubblewrap(tmp_path, monkeypatch)
    for name in ("APPARMOR", "DEBIAN", "NAMESPACES"):
        monkeypatch.setattr(doctor, name, tmp_path / "absent")
    monkeypatch.setattr(doctor, "CONTAINERS", ())
    (finding,) = doctor.findings()
    assert "setting up uid map: Permission denied" in finding.words


def test_who_needs_a_sandbox_learns_why_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UstodError, match=r"bwrap is missing\. Install the package bubblewrap, then try again\."):
        doctor.require_sandbox()


def test_who_needs_a_sandbox_has_one_here():
    doctor.require_sandbox()


@pytest.mark.parametrize("trial", ["_host_files", "_host_network", "_neighbours"])
def test_a_wall_that_is_not_there_is_noticed(trial):
    with Zygote(None, []) as zygote:
        finding = getattr(trials, trial)(zygote)
    assert not finding.holds
    assert "failed when it was tried" in finding.words

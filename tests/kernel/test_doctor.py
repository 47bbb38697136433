"""The doctor tries, rather than believes; and names the mend."""

import stat

import pytest

from autograder.kernel import doctor
from autograder.kernel.client import Zygote


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


def test_what_holds_needs_no_mend_and_what_does_not_has_one():
    for finding in doctor.findings():
        assert finding.holds == (not finding.mend)
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


@pytest.mark.parametrize("trial", ["_host_files", "_host_network", "_neighbours"])
def test_a_wall_that_is_not_there_is_noticed(trial):
    with Zygote(None, []) as zygote:
        finding = getattr(doctor, trial)(zygote)
    assert not finding.holds
    assert "failed when it was tried" in finding.words

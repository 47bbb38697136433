"""Each thing that `ustod hub doctor` finds can be provoked, and says how it is mended."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub.small import small_lab

from autograder.errors import UstodError
from autograder.hub import doctor, figures
from autograder.hub.authority import certificate_files
from autograder.hub.backup import backup
from autograder.hub.doctor import Finding, Grade
from autograder.hub.figures import Machine
from autograder.hub.lab import Lab
from autograder.hub.restore import restore
from autograder.hub.supervisor import on_record
from autograder.kernel import cgroup

OK, WARN, FAIL = Grade.OK, Grade.WARN, Grade.FAIL
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return small_lab(tmp_path)


def changed(lab: Lab, **sections: dict[str, Any]) -> Lab:
    """`lab` with other settings in the named sections."""
    new = {name: getattr(lab, name).model_copy(update=values) for name, values in sections.items()}
    copy = lab.model_copy(update=new)
    copy._path = lab.path
    return copy


def only(found: Finding | Iterator[Finding]) -> Finding:
    return found if isinstance(found, Finding) else next(found)


def test_every_finding_is_a_sentence_and_every_bad_one_has_its_mend(lab: Lab) -> None:
    found = doctor.examine(lab)
    assert len(found) >= 20
    for one in found:
        assert re.fullmatch(r"[A-Z].*\.", one.sentence, re.DOTALL), one
        assert "  " not in one.sentence + one.mend
        assert (one.mend == "") == (one.grade is OK), one
        assert not one.mend or one.mend.endswith("."), one


@needs_root
def test_it_tells_of_not_being_root() -> None:
    assert doctor.root().grade is OK
    code = "import os; os.setuid(65534); from autograder.hub.doctor import root; print(root().grade)"
    loaded = f"import autograder.hub.doctor; {code}"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True)
    assert done.stdout == "fail\n", done.stderr


def test_python_in_a_closed_home_cannot_be_read(tmp_path: Path) -> None:
    python = tmp_path / "home" / "venv"
    python.mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    assert doctor.readable("python", "Python", python).grade is OK
    python.parent.chmod(0o700)
    found = doctor.readable("python", "Python", python)
    assert found.grade is FAIL and f"may not enter {python.parent}." in found.sentence
    assert f"chmod o+x {python.parent}" in found.mend
    python.parent.chmod(0o711)
    assert doctor.readable("python", "Python", python).grade is OK
    python.chmod(0o711)  # can be entered, not listed
    assert doctor.readable("python", "Python", python).mend == f"Run chmod -R o+rX {python}."


def test_a_link_into_a_closed_folder_cannot_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "closed" / "python").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    (tmp_path / "venv").symlink_to(tmp_path / "closed" / "python")
    assert doctor.closed_on_way(tmp_path / "venv") in (tmp_path / "closed", *tmp_path.parents)


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path: None if name == "setpriv" else which("sh"))
    (found,) = doctor.programs()
    assert (found.grade, found.what, found.mend) == (FAIL, "setpriv", "Run sudo apt install util-linux.")


def test_a_proxy_that_is_not_installed(tmp_path: Path) -> None:
    def missing() -> object:
        raise UstodError("The proxy is not there.")

    assert doctor.proxy_program(tmp_path / "nothing").grade is FAIL
    assert doctor.proxy_program(missing).grade is FAIL
    assert doctor.proxy_program(tmp_path).grade is doctor.proxy_program(lambda: ["node"]).grade is OK


@needs_root
def test_ports_that_students_programs_can_take(lab: Lab) -> None:
    assert doctor.low_ports(lab).grade is OK
    code = """
import sys
from pathlib import Path
from autograder.hub import doctor
from autograder.hub.lab import read_lab
for start in ("911", "910", "0"):
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text(start)
    print(doctor.low_ports(read_lab(Path(sys.argv[1]))).grade)
"""
    command = ["unshare", "-n", sys.executable, "-c", code, str(lab.path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == ["ok", "fail", "fail"], done.stderr


def test_a_port_that_another_program_has(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        taken = changed(lab, server={"port": other.getsockname()[1]})
        found = doctor.ports(taken)
        assert found.grade is FAIL and f"has the port {taken.server.port}." in found.sentence
        taken.storage.run.mkdir()
        with on_record(taken):
            assert doctor.ports(taken).grade is OK
    nowhere = changed(lab, server={"host": "203.0.113.7", "port": 50000})
    assert "no address 203.0.113.7" in doctor.ports(nowhere).sentence


def test_neither_systemd_nor_control_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cgroup, "SYSTEMD", tmp_path / "nothing")
    monkeypatch.setattr(cgroup, "groups", lambda: None)
    assert doctor.groups().grade is WARN
    monkeypatch.setattr(cgroup, "SYSTEMD", tmp_path)
    assert doctor.groups().grade is OK


def test_memory_for_everybody(lab: Lab) -> None:
    total = doctor.psutil.virtual_memory().total
    assert doctor.memory(changed(lab, limits={"reserve_memory": total - (1 << 30)})).grade is OK
    assert doctor.memory(changed(lab, limits={"reserve_memory": total})).grade is FAIL
    many = changed(lab, limits={"reserve_memory": total - (1 << 30)})
    many.__dict__["rosters"] = {"ml": [type("P", (), {"id": f"s{n}"}) for n in range(40)]}
    assert doctor.memory(many).grade is WARN and "40 students" in doctor.memory(many).sentence


@pytest.mark.parametrize(("free", "grade"), [(1 << 30, FAIL), (5 << 30, WARN), (50 << 30, OK)])
def test_room_on_the_disk(lab: Lab, monkeypatch: pytest.MonkeyPatch, free: int, grade: Grade) -> None:
    monkeypatch.setattr(figures, "machine", lambda lab: Machine(8 << 30, 8 << 30, 100 << 30, free, 0, 2))
    assert doctor.disk(lab).grade is grade


def test_a_clock_behind_the_labs_own_files(lab: Lab) -> None:
    assert doctor.clock(lab).grade is OK
    tomorrow = time.time() + 86400
    os.utime(lab.storage.hub / "jupyterhub.sqlite", (tomorrow, tomorrow))
    assert doctor.clock(lab).grade is FAIL


@pytest.mark.parametrize(("zone", "grade"), [("UTC", WARN), ("Asia/Dushanbe", OK)])
def test_the_time_zone(monkeypatch: pytest.MonkeyPatch, zone: str, grade: Grade) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert doctor.timezone().grade is grade
    finally:
        monkeypatch.undo()
        time.tzset()


def _open(path: Callable[[Lab], Path], mode: int) -> Callable[[Lab], Path]:
    def change(lab: Lab) -> Path:
        path(lab).chmod(mode)
        return path(lab)

    return change


def _give(path: Callable[[Lab], Path]) -> Callable[[Lab], Path]:
    def change(lab: Lab) -> Path:
        os.chown(path(lab), 65534, 65534)
        return path(lab)

    return change


AMISS = {
    "the hub's folder can be read": _open(lambda lab: lab.storage.hub, 0o755),
    "homes can be listed": _open(lambda lab: lab.storage.homes, 0o755),
    "others can write into the storage": _open(lambda lab: lab.storage.root, 0o777),
    "others own the hub's folder": _give(lambda lab: lab.storage.hub),
    "others own the hub's database": _give(lambda lab: lab.storage.hub / "jupyterhub.sqlite"),
    "others can change lab.toml": _open(lambda lab: lab.path, 0o666),
    "others can change a folder above": _open(lambda lab: lab.storage.root.parent, 0o777),
}


@needs_root
@pytest.mark.parametrize("what", AMISS)
def test_folders_that_belong_to_others_or_are_open(lab: Lab, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts of people and of services are left out here: there are none."""
    for folder, mode in ((lab.storage.hub, 0o700), (lab.storage.homes, 0o711), (lab.storage.courses, 0o711)):
        folder.chmod(mode)
    for gone in (lab.storage.homes / "s1", lab.storage.courses / "ml", lab.storage.exchange):
        shutil.rmtree(gone)
    assert [one.grade for one in doctor.storage(lab)] == [OK]
    path = AMISS[what](lab)
    found = list(doctor.storage(lab))
    assert found[0].grade is FAIL and str(path) in found[0].sentence and str(path) in found[0].mend


def test_accounts_that_are_missing_are_told(lab: Lab) -> None:
    assert any("There is no account lab-s1" in one.mend for one in doctor.storage(lab))


def test_the_certificate(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.certificate(lab).grade is WARN  # no encryption
    own = changed(lab, tls={"mode": "local-ca"})
    assert "will make its own" in doctor.certificate(own).sentence
    files = certificate_files(own)
    assert files and doctor.certificate(own).grade is OK
    named = changed(lab, tls={"mode": "files", "certificate": files[0], "key": files[1]})
    assert doctor.certificate(named).grade is OK
    other = changed(lab, tls={"mode": "files", "certificate": files[0], "key": files[0].with_name("ca.key")})
    assert "is not that of" in doctor.certificate(other).sentence
    nothing = changed(lab, tls={"mode": "files", "certificate": tmp_path / "no.crt", "key": files[1]})
    assert "is not there" in doctor.certificate(nothing).sentence
    text = changed(lab, tls={"mode": "files", "certificate": lab.path, "key": files[1]})
    assert "is no certificate" in doctor.certificate(text).sentence
    monkeypatch.setattr(figures, "certificate_end", lambda lab: datetime.now(UTC) + timedelta(days=3))
    assert (doctor.certificate(named).grade, doctor.certificate(own).grade) == (WARN, WARN)
    monkeypatch.setattr(figures, "certificate_end", lambda lab: datetime.now(UTC) - timedelta(days=3))
    assert (doctor.certificate(named).grade, doctor.certificate(own).grade) == (FAIL, WARN)


def test_a_name_that_leads_nowhere(lab: Lab) -> None:
    assert "leads nowhere" in doctor.host_name(changed(lab, server={"name": "lab.invalid"})).sentence
    assert "itself alone" in doctor.host_name(changed(lab, server={"name": "localhost"})).sentence
    assert doctor.host_name(changed(lab, server={"name": "localhost", "host": "127.0.0.1"})).grade is OK


@pytest.mark.parametrize(
    ("setting", "check"),
    [
        ("fs/protected_hardlinks", doctor.links),
        ("fs/protected_symlinks", lambda: iter(list(doctor.links())[1:])),
        ("kernel/yama/ptrace_scope", doctor.ptrace),
    ],
)
def test_settings_of_linux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, check: Callable[[], Any]
) -> None:
    monkeypatch.setattr(doctor, "SETTINGS", tmp_path)
    (tmp_path / setting).parent.mkdir(parents=True)
    for value, grade in (("1\n", OK), ("0\n", WARN)):
        (tmp_path / setting).write_text(value)
        assert only(check()).grade is grade
    assert f"sysctl -w {setting.replace('/', '.')}=1" in only(check()).mend


def test_whether_students_see_others_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MOUNTS", tmp_path / "mounts")
    for options, grade in (("rw", WARN), ("rw,hidepid=2", OK), ("rw,hidepid=invisible", OK), ("rw,hidepid=1", WARN)):
        (tmp_path / "mounts").write_text(f"sysfs /sys sysfs rw 0 0\nproc /proc proc {options} 0 0\n")
        assert doctor.processes().grade is grade


def test_data_that_was_not_fetched(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.assets(lab).grade is OK
    course = lab.courses[0].model_copy(update={"units": ["u04_tokenization"]})
    needy = changed(lab.model_copy(update={"courses": [course]}))
    empty = doctor.Roots(tmp_path / "hf", tmp_path / "hf" / "hub", tmp_path / "hf" / "datasets")
    monkeypatch.setattr(doctor.Roots, "of_user", lambda: empty)
    assert doctor.assets(needy).grade is FAIL and doctor.assets(needy).mend == "Run ustod assets fetch."


def test_empty_class_lists_and_no_course(lab: Lab) -> None:
    assert doctor.class_lists(lab).grade is OK
    (lab.path.parent / "lists" / "ml.csv").write_text("id;name\n")
    from autograder.hub.lab import read_lab

    assert "Nobody is on the class list of ml." in doctor.class_lists(read_lab(lab.path)).sentence
    assert doctor.class_lists(changed(lab.model_copy(update={"courses": []}))).grade is WARN


def test_the_folder_for_backups(lab: Lab, tmp_path: Path) -> None:
    assert "are on the disk of the lab itself" in doctor.backups(lab).sentence
    assert "is not there" in doctor.backups(changed(lab, backup={"folder": tmp_path / "stick 2"})).sentence
    assert "no nightly backup" in doctor.backups(changed(lab, backup={"folder": None})).sentence
    if os.stat("/dev/shm").st_dev != os.stat(tmp_path).st_dev:
        assert doctor.backups(changed(lab, backup={"folder": Path("/dev/shm")})).grade is OK


def test_a_restored_lab_is_as_safe_as_before(lab: Lab) -> None:
    lab.storage.hub.chmod(0o700)
    file = backup(lab)
    shutil.rmtree(lab.storage.root)
    restore(file, lab.path)
    assert not [one for one in doctor.storage(lab) if str(lab.storage.hub) in one.sentence]

"""Accounts are made once, are the lab's own, and never somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hub.private import PrivateMachine, private_machine

MAKE = """
    import sys
    from pathlib import Path
    from autograder.errors import UstodError
    from autograder.hub import machine
    try:
        account = machine.ensure_account(sys.argv[1], Path(sys.argv[2]))
        print(account.pw_name, account.pw_uid, account.pw_gid, account.pw_dir)
    except UstodError as error:
        print("REFUSED", error)
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[PrivateMachine]:
    with private_machine() as machine:
        machine.run("mkdir", "-m", "755", "/srv/homes")
        yield machine


def make(machine: PrivateMachine, name: str, home: str = "") -> str:
    return machine.python(MAKE, name, home or f"/srv/homes/{name}").strip()


def test_an_account_has_a_group_and_an_empty_home_of_its_own(machine: PrivateMachine) -> None:
    name, uid, gid, home = make(machine, "lab-own").split()

    assert int(uid) >= 1000
    assert machine.run("getent", "group", gid).startswith("lab-own:")
    assert machine.run("stat", "-c", "%a %U %G %F", home).strip() == "700 lab-own lab-own directory"
    assert machine.run("ls", "-A", home) == ""
    assert machine.run("passwd", "--status", name).split()[1] == "L"  # no password lets anybody in


def test_made_twice_is_made_once_and_files_stay(machine: PrivateMachine) -> None:
    first = make(machine, "lab-twice")
    machine.as_account("lab-twice", "touch", "/srv/homes/lab-twice/work")
    machine.run("chmod", "755", "/srv/homes/lab-twice")

    assert make(machine, "lab-twice") == first
    assert machine.run("ls", "/srv/homes/lab-twice") == "work\n"
    assert machine.run("stat", "-c", "%a", "/srv/homes/lab-twice") == "700\n"


def test_ten_at_once_do_not_get_in_each_others_way(machine: PrivateMachine) -> None:
    said = machine.python(
        """
        import subprocess, sys
        code = "import sys; from pathlib import Path; from autograder.hub.machine import ensure_account as e;" \\
            "print(e(sys.argv[1], Path('/srv/homes', sys.argv[1])).pw_uid)"
        names = [f"lab-many{number // 2}" for number in range(10)]
        all = [subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE) for name in names]
        print(*[one.communicate()[0].decode().strip() for one in all])
        """
    ).split()

    assert len(said) == 10 and len(set(said)) == 5 and said[::2] == said[1::2]


def test_an_account_that_was_there_before_is_not_taken_over(machine: PrivateMachine) -> None:
    machine.run("useradd", "--create-home", "lab-stranger")
    before = machine.run("getent", "passwd", "lab-stranger")

    assert make(machine, "lab-stranger").startswith("REFUSED This machine already has an account lab-stranger")
    assert "REFUSED" in make(machine, "root")
    assert machine.run("getent", "passwd", "lab-stranger") == before
    assert machine.run("sh", "-c", "ls -A /srv/homes | grep stranger", check=False) == ""


def test_a_link_in_the_place_of_a_home_is_refused_and_what_it_shows_stays_roots(machine: PrivateMachine) -> None:
    machine.run(
        "sh", "-c", "mkdir /srv/secret; ln -s /srv/secret /srv/homes/lab-link; ln -s /nowhere /srv/homes/lab-gone"
    )

    assert "is no folder" in make(machine, "lab-link")
    assert "is no folder" in make(machine, "lab-gone")
    assert machine.run("stat", "-c", "%U", "/srv/secret") == "root\n"


def test_homes_where_others_can_write_are_refused(machine: PrivateMachine) -> None:
    machine.run("sh", "-c", "mkdir -p /srv/open/homes /srv/theirs; chmod 777 /srv/open; chown nobody /srv/theirs")

    assert "Others than root can change /srv/open" in make(machine, "lab-open", "/srv/open/homes/lab-open")
    assert "Others than root can change /srv/theirs" in make(machine, "lab-theirs", "/srv/theirs/lab-theirs")


def test_a_home_that_belongs_to_another_is_refused(machine: PrivateMachine) -> None:
    make(machine, "lab-first")
    machine.run("cp", "-a", "/srv/homes/lab-first", "/srv/homes/lab-second")

    assert "belongs to lab-first; if the files are theirs, run chown -R lab-second:" in make(machine, "lab-second")


def test_a_retired_account_is_shut_keeps_its_files_and_can_come_back(machine: PrivateMachine) -> None:
    make(machine, "lab-leaver")
    machine.as_account("lab-leaver", "touch", "/srv/homes/lab-leaver/work")
    machine.python("from autograder.hub import machine; machine.retire('lab-leaver')")

    assert machine.run("getent", "shadow", "lab-leaver").split(":")[7] == "1"
    assert machine.run("ls", "/srv/homes/lab-leaver") == "work\n"

    make(machine, "lab-leaver")
    assert machine.run("getent", "shadow", "lab-leaver").split(":")[7] == ""


def test_only_the_labs_own_accounts_are_listed_and_retired(machine: PrivateMachine) -> None:
    machine.run("useradd", "lab-other")
    make(machine, "lab-listed")
    said = machine.python(
        """
        from autograder.errors import UstodError
        from autograder.hub import machine
        print(machine.ensure_system_account("ustod-exchange").pw_uid < 1000)
        print(*[account.pw_name for account in machine.list_accounts()])
        try:
            machine.retire("lab-other")
        except UstodError as error:
            print(error)
        """
    ).splitlines()

    assert said[0] == "True"
    assert {"lab-listed", "ustod-exchange"} <= set(said[1].split()) and "lab-other" not in said[1].split()
    assert "not one that the lab made" in said[2]
    assert machine.run("getent", "shadow", "lab-other").split(":")[7] == ""

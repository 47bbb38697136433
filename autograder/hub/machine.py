"""Unix accounts of this machine: one for each person, one for each course, one for the exchange.

The lab's accounts are the members of the group `GROUP`. Any other account was there before us, belongs to somebody
else, and is never taken over, whatever its name.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder.errors import UstodError

#: Its members are the lab's accounts.
GROUP = "ustod-lab"
FIRST_UID = 1000
SHELL, NO_SHELL = "/bin/bash", "/usr/sbin/nologin"

#: Programs of shadow-utils lock this with another kind of lock, and give up after a while where ours waits.
_LOCK = Path("/etc/.pwd.lock")


def ensure_account(name: str, home: Path, *, shell: str = SHELL) -> pwd.struct_passwd:
    """The account `name`, made if there is none, with its home, which only it can read.

    It has a group of its own, no password, and a uid from `FIRST_UID` on. Nothing is copied into the home. A retired
    account is let in again. Two that call this at once do no harm.

    Raises:
        UstodError: if the name is taken by an account that is not the lab's, or Linux refuses.
    """
    with _one_at_a_time():
        account = _find(name)
        if account is None:
            _run("groupadd", "--force", "--system", GROUP)
            options = ["--user-group", "--groups", GROUP, "--no-create-home", "--home-dir", str(home), "--shell", shell]
            _run("useradd", *options, "--key", f"UID_MIN={FIRST_UID}", "--key", f"GID_MIN={FIRST_UID}", name)
            account = pwd.getpwnam(name)
        elif not is_ours(name):
            raise UstodError(
                f"This machine already has an account {name} that the lab did not make; rename it, or the person's id."
            )
        elif Path(account.pw_dir) != home:
            raise UstodError(
                f"The home of the account {name} is {account.pw_dir}, not {home}; move its files there and run "
                f"usermod --home {home} {name}."
            )
        elif _is_retired(name):
            _run("usermod", "--expiredate", "", name)
        ensure_home(account, home)
        return account


def ensure_system_account(name: str) -> pwd.struct_passwd:
    """The account `name` for one of the lab's own services: no home, no shell.

    Raises:
        UstodError: if the name is taken by an account that is not the lab's, or Linux refuses.
    """
    with _one_at_a_time():
        if _find(name) is None:
            _run("groupadd", "--force", "--system", GROUP)
            options = ["--system", "--user-group", "--groups", GROUP, "--no-create-home", "--home-dir", "/nonexistent"]
            _run("useradd", *options, "--shell", NO_SHELL, name)
        elif not is_ours(name):
            raise UstodError(f"This machine already has an account {name} that the lab did not make; rename it.")
        return pwd.getpwnam(name)


def ensure_home(account: pwd.struct_passwd, home: Path) -> None:
    """A folder that `account` owns and only it can read; there at once with its owner, or not at all.

    Raises:
        UstodError: if something else is there, or if anybody but root could put something else there.
    """
    _check_parents(home)
    try:
        found = os.lstat(home)
    except FileNotFoundError:
        unfinished = tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent)
        try:
            os.chown(unfinished, account.pw_uid, account.pw_gid)
            os.rename(unfinished, home)
        except BaseException:
            os.rmdir(unfinished)
            raise
        return
    if not stat.S_ISDIR(found.st_mode):
        raise UstodError(f"{home} is to be the home of {account.pw_name} and is no folder; move it away.")
    if found.st_uid != account.pw_uid:
        raise UstodError(
            f"The folder {home} is to be the home of {account.pw_name} and belongs to {name_of(found.st_uid)}; if the "
            f"files are theirs, run chown -R {account.pw_name}: {home}."
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        os.chmod(home, 0o700)  # only root can put something else in its place


def list_accounts() -> list[pwd.struct_passwd]:
    """The lab's accounts, by name."""
    return [account for name in sorted(_members()) if (account := _find(name))]


def retire(name: str) -> None:
    """Lock the account of a person who has left: it expires. Its files stay.

    Raises:
        UstodError: if it is not the lab's, or Linux refuses.
    """
    with _one_at_a_time():
        if not is_ours(name):
            raise UstodError(f"The account {name} is not one that the lab made; it stays as it is.")
        _run("usermod", "--lock", "--expiredate", "1", name)


def is_ours(name: str) -> bool:
    """Whether the lab made the account `name`."""
    return name in _members()


def _members() -> list[str]:
    try:
        return grp.getgrnam(GROUP).gr_mem
    except KeyError:
        return []


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def name_of(uid: int) -> str:
    """The name of the account `uid`, for a message."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _is_retired(name: str) -> bool:
    for line in Path("/etc/shadow").read_text("utf-8").splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return fields[7] != ""
    return False


def _check_parents(home: Path) -> None:
    """Whoever could replace a folder above `home` could lead a change of owner astray.

    Raises:
        UstodError: if anybody but root could.
    """
    for above in [home.parent, *home.parent.resolve().parents]:
        try:
            status = above.stat()
        except OSError as error:
            raise UstodError(f"The folder {above} for homes cannot be used: {error.strerror}.") from None
        others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        sticky = status.st_mode & stat.S_ISVTX and above != home.parent
        if status.st_uid != 0 or (others_write and not sticky):
            raise UstodError(
                f"Others than root can change {above}, where homes are; run chown root: and chmod go-w on it."
            )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if os.geteuid() != 0:
        raise UstodError("Accounts are made by root alone; run this with sudo.")
    lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _run(*command: str) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise UstodError(f"{command[0]} is missing; install the package passwd.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"{command[0]} ended with {done.returncode}"]
        raise UstodError(f"The account {command[-1]} could not be made or changed: {said[-1]}.")

"""Root becomes a user, for good."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence

from autograder.hub.warm.peer import NotServed
from autograder.kernel import linux

#: The first number of an ordinary user, and the one that stands for users that cannot be named.
FIRST, NOBODY = 1000, 65534

#: How the accounts of a lab begin. See `autograder.hub.lab`.
PREFIXES = ("lab-", "grader-")


def account(uid: int, prefixes: Sequence[str]) -> pwd.struct_passwd:
    """The account of the user `uid`.

    Args:
        prefixes: how its name must begin, one of them; none for any name.

    Raises:
        NotServed: if it is not one that gets kernels.
    """
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        raise NotServed(f"there is no account with the number {uid}") from None
    if not is_ordinary(uid) or not found.pw_name.startswith(tuple(prefixes) or ""):
        raise NotServed(f"{found.pw_name} is no account of the lab")
    return found


def is_ordinary(uid: int) -> bool:
    """Whether `uid` is a person, and not of the system."""
    return uid >= FIRST and uid != NOBODY


def groups_of(account: pwd.struct_passwd) -> list[int]:
    """The numbers of all its groups. Root's group is never among them."""
    return [group for group in os.getgrouplist(account.pw_name, account.pw_gid) if group != 0]


def become(account: pwd.struct_passwd, groups: list[int]) -> None:
    """Let this process be the account's, without any way back: it gains no right even by running sudo.

    Nobody but root can look into it until it says so; see PR_SET_DUMPABLE.

    Raises:
        NotServed: if some way back is left.
    """
    linux.leave_keyring()
    linux.bound_capabilities()
    os.setgroups(groups)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    linux.drop_capabilities()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    if {*os.getresuid()} != {account.pw_uid} or {*os.getresgid()} != {account.pw_gid} or account.pw_uid == 0:
        raise NotServed("its account could not be taken")
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise NotServed("root could not be given up")

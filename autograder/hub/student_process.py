"""Students' processes: how one becomes a student's, and what root does about them afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from autograder.hub.reserve import Student, account_pids
from autograder.kernel import linux, tree

#: Linux ends students' programs before the lab's own when the machine itself has no memory left.
OOM_SCORE = 500
#: Where there is no control group, the lab's own programs go first by this much.
NICENESS = 5
OPEN_FILES = 4096


@dataclass(frozen=True)
class Descent:
    """From root to a student, called after the fork, before anything of the student's runs.

    Attributes:
        account: whose process it becomes.
        home: its working directory; a link in its place is not followed.
        temporary: a folder in `home` for temporary files, made if there is none.
        log: a file in `home` to which its console goes, made anew; what was there is kept with ``.old`` after its name.
        group: the control group to join; None where there is none.
        processes: processes and threads of the account at one time.
        file_size: bytes of one file.
    """

    account: pwd.struct_passwd
    home: Path
    temporary: str
    log: str
    group: Student | None
    processes: int
    file_size: int

    @classmethod
    def of(cls, order: dict[str, Any]) -> Self:
        """What `as_order` was called for.

        Raises:
            KeyError: if the account is not there any more.
        """
        group = order["group"] and Student({name: Path(folder) for name, folder in order["group"].items()})
        account, home = pwd.getpwnam(order["account"]), Path(order["home"])
        return cls(**{**order, "account": account, "home": home, "group": group})

    def as_order(self) -> dict[str, Any]:
        """The same as plain data, for the process that warm servers are forked from."""
        group = self.group and {name: str(folder) for name, folder in self.group.folders.items()}
        return {**vars(self), "account": self.account.pw_name, "home": str(self.home), "group": group}

    def __call__(self) -> None:
        """Raises OSError if a step fails; then nothing is run."""
        if self.group is not None:
            self.group.enter()
        else:
            os.nice(NICENESS)
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), "ascii")
        for kind, most in (
            (resource.RLIMIT_NPROC, self.processes),
            (resource.RLIMIT_FSIZE, self.file_size),
            (resource.RLIMIT_NOFILE, OPEN_FILES),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(kind, (most, most))
        os.setgroups(os.getgrouplist(self.account.pw_name, self.account.pw_gid))
        os.setresgid(*[self.account.pw_gid] * 3)
        os.setresuid(*[self.account.pw_uid] * 3)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        os.umask(0o077)
        os.chdir(self.home)  # from here on a link is the student's own matter
        os.makedirs(self.temporary, exist_ok=True)
        if os.path.lexists(self.log):
            os.replace(self.log, f"{self.log}.old")
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)


def end_largest(uid: int, limit: int, spared: int) -> bool:
    """End the largest process of an account but `spared`, if together they use more than `limit` bytes of memory."""
    everything = tree.processes()
    own = [everything[pid] for pid in account_pids(uid) if pid in everything]
    if sum(one.resident for one in own) <= limit or tree.proportional_memory(one.pid for one in own) <= limit:
        return False
    others = [one for one in own if one.pid != spared] or own
    with contextlib.suppress(ProcessLookupError):
        os.kill(max(others, key=lambda one: one.resident).pid, signal.SIGKILL)
    return True


def append_to_log(home: Path, name: str, text: str, uid: int) -> None:
    """Add `text` to a file that its owner could have replaced by anything: only to a plain file, and theirs alone."""
    with contextlib.suppress(OSError):
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, dir_fd=folder), "wb") as file:
                status = os.fstat(file.fileno())
                if status.st_uid == uid and status.st_nlink == 1 and os.path.isfile(file.fileno()):
                    file.write(text.encode("utf-8"))
        finally:
            os.close(folder)


def runs(pid: int, started: int) -> bool:
    """Whether `pid` is still the process that began then, and has not ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("latin-1")
    except OSError:
        return False
    return text[text.rindex(")") + 2] not in "ZX" and tree.start_time(pid) == started

"""What every student's server is told and may use, whoever starts it."""

from __future__ import annotations

import asyncio
import math
import os
import pwd
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import SpawnException
from traitlets import Callable as CallableTrait
from traitlets import default
from traitlets.config import LoggingConfigurable

from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.hub import machine, sentences
from autograder.hub.lab import Lab
from autograder.hub.reserve import room_for_one
from autograder.hub.roster import ID
from autograder.hub.server_config import language_of, write_server_config
from autograder.lab.extension import LANGUAGE
from autograder.lab.progress import PROGRESS
from autograder.student.progress import VARIABLE

#: In a student's home: what their server says, and their temporary files.
LOG, TEMPORARY = ".ustod-server.log", ".ustod-tmp"
#: Of the hub's own environment a student's server gets no more than these.
KEPT = ["LANG", "LC_ALL", "TZ", "HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE"]
PATH = ("/usr/local/bin", "/usr/bin", "/bin")


#: Servers that start at a time: more would only take the processors from each other.
AT_ONCE = max(2, 2 * (os.cpu_count() or 1))


class StudentServer(LoggingConfigurable):
    """What a spawner of students' servers is besides one of jupyterhub's; to be named before that among the bases."""

    user: Any
    authenticator: Any
    mem_limit: int | None
    cpu_limit: float | None

    lab_now = CallableTrait(help="Returns the `Lab` as it is now; asked at each start.").tag(config=True)

    _starting: ClassVar[int] = 0
    _turns: ClassVar[asyncio.Semaphore] = asyncio.Semaphore(AT_ONCE)

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        # Neither a module in the student's home nor one in their .local stands in for one of the server's.
        return [sys.executable, "-sP", "-m", "autograder.hub.single_user"]

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        return list(KEPT)

    @default("mem_limit")
    def _default_mem_limit(self) -> int:
        return int(self.lab.limits.memory)

    @default("cpu_limit")
    def _default_cpu_limit(self) -> float:
        return self.lab.limits.cpu

    @default("disable_user_config")
    def _default_disable_user_config(self) -> bool:
        return True  # a mistake in it would keep the student from the only tool to mend it

    @default("notebook_dir")
    def _default_notebook_dir(self) -> str:
        return str(self.home)

    @default("start_timeout")
    def _default_start_timeout(self) -> int:
        return 120

    @property
    def lab(self) -> Lab:
        """The lab as it is now."""
        lab = self.lab_now()
        assert isinstance(lab, Lab)
        return lab

    @property
    def home(self) -> Path:
        """The student's folder."""
        return self.lab.storage.homes / str(self.user.name)

    @property
    def language(self) -> str:
        """In which the student last read the lab's own pages; before that, their course's."""
        read = getattr(self.authenticator, "reads", {}).get(self.user.name)
        return read or language_of(self.lab, self.user.name)

    @property
    def account(self) -> pwd.struct_passwd:
        """In which the server runs.

        Raises:
            KeyError: if there is none yet.
        """
        return pwd.getpwnam(self.lab.account(self.user.name))

    def get_env(self) -> dict[str, str]:
        """The whole environment of the server."""
        account, home = self.account, str(self.home)
        threads = str(max(1, math.ceil(self.cpu_limit or 1)))  # more would only wait for each other
        return {
            **OFFLINE,
            **super().get_env(),  # type: ignore[misc]
            "PATH": os.pathsep.join([sysconfig.get_path("scripts"), *PATH]),
            "HOME": home,
            "USER": account.pw_name,
            "LOGNAME": account.pw_name,
            "SHELL": account.pw_shell or machine.SHELL,
            "TMPDIR": os.path.join(home, TEMPORARY),
            "XDG_RUNTIME_DIR": str(self._runtime(account)),
            "JUPYTER_CONFIG_PATH": str(write_server_config(self.lab, self.language)),
            VARIABLE: str(self.home / PROGRESS),
            LANGUAGE: self.language,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Leave the rest to `get_env`: hub names are not names of accounts."""
        return env

    async def start(self) -> tuple[str, int]:
        """Start the server, and wait until it, and nobody else, listens on its port.

        Raises:
            SpawnException: with a sentence for the student.
        """
        if not ID.fullmatch(self.user.name):
            raise SpawnException(f"{self.user.name} is no id of this lab.", reason="unknown id", status_code=403)
        if reason := room_for_one(self.lab, StudentServer._starting):
            self.log.warning("No server for %s: %s", self.user.name, reason)
            raise self.failure(sentences.FULL, "no memory", 503)
        StudentServer._starting += 1
        try:
            async with StudentServer._turns:
                return await self.start_for(await aside(self._ensure_account))
        except UstodError as error:
            self.log.error("No server for %s: %s", self.user.name, error)
            raise SpawnException(str(error), reason="account", status_code=500) from None
        finally:
            StudentServer._starting -= 1

    async def start_for(self, account: pwd.struct_passwd) -> tuple[str, int]:
        """Start the server in the account: its address and port.

        Raises:
            SpawnException: with a sentence for the student.
        """
        raise NotImplementedError

    def failure(self, texts: dict[str, str], reason: str, status: int, **values: object) -> SpawnException:
        """What the student is told, in the lab's languages."""
        return SpawnException(
            sentences.lines(texts, self.lab.languages, **values),
            reason=reason,
            message_html=sentences.paragraphs(texts, self.lab.languages, **values),
            log_message=texts["en"].format(**values),
            status_code=status,
        )

    def _ensure_account(self) -> pwd.struct_passwd:
        if self.lab.login.kind != "pam":
            return machine.ensure_account(self.lab.account(self.user.name), self.home)
        try:
            account = self.account
        except KeyError:
            raise UstodError(f"This machine has no account {self.user.name}; make one with adduser.") from None
        if account.pw_uid < machine.FIRST_UID:
            raise UstodError(f"{self.user.name} is an account of the system and gets no server; use another one.")
        machine.ensure_home(account, self.home)
        return account

    def _runtime(self, account: pwd.struct_passwd) -> Path:
        """A folder for sockets and the like, gone when the machine starts anew."""
        folder = self.lab.storage.run / "user"
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder.chmod(0o711)
        machine.ensure_home(account, folder / str(self.user.name))
        return folder / str(self.user.name)


async def aside(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run what takes a while in a thread, and let the hub answer others meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

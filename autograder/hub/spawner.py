"""Students' servers: each in its student's own account and control group, started by the hub itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
from typing import Any, ClassVar

from jupyterhub.spawner import LocalProcessSpawner, SpawnException
from jupyterhub.utils import random_port
from tornado.ioloop import IOLoop
from traitlets import Instance, Integer, Unicode, default

from autograder.hub import machine, sentences
from autograder.hub.reserve import Reserve, Student, account_pids, kill_account
from autograder.hub.sockets import listeners
from autograder.hub.student_process import Descent, append_to_log, end_largest, runs
from autograder.hub.student_server import LOG, TEMPORARY, StudentServer, aside
from autograder.hub.warm.client import Refused, WarmProcess
from autograder.kernel import tree
from autograder.kernel.limits import MIB

#: Seconds between two looks at whether a server that is being started listens yet.
LOOK = 0.05
#: Ports to try: another program may take one between our choice and the server's start.
PORTS_TO_TRY = 3


class LabSpawner(StudentServer, LocalProcessSpawner):  # type: ignore[misc]
    """Starts the server of a student of the lab, and ends it with all that was started in it."""

    warm_socket = Unicode(help="Of the process that warm servers are forked from; none without.").tag(config=True)
    proc: Any = Instance(object, allow_none=True)  # of `subprocess.Popen`'s methods, whatever it is
    started = Integer(0, help="When the server began, in clock ticks since the machine did: pids come again.")

    _said_no_groups: ClassVar[bool] = False

    port: int
    _exit = 0
    _killed = 0
    _pidfd: int | None = None

    @default("poll_interval")
    def _default_poll_interval(self) -> int:
        return 3

    @default("interrupt_timeout")
    def _default_interrupt_timeout(self) -> int:
        return 10

    @default("term_timeout")
    def _default_term_timeout(self) -> int:
        return 5

    async def start_for(self, account: pwd.struct_passwd) -> tuple[str, int]:
        """Start the server in the account. Another port is tried where somebody else took the one that was chosen."""
        chosen: int = self.port  # 0: whichever is free
        for left in reversed(range(PORTS_TO_TRY)):
            await self._end_everything()  # what a hub that was killed while it started a server knows nothing of
            self.port = chosen or random_port()
            await aside(self._run, account)
            try:
                await self._is_listening(account)
            except SpawnException as error:
                taker = ", ".join(machine.name_of(uid) for uid in sorted(listeners(self.port) - {account.pw_uid}))
                await self._end_everything()
                if not left or error.reason != "port taken":
                    raise
                self.log.warning("%s took the port %i meant for %s", taker, self.port, self.user.name)
            else:
                break
        return self.ip or "127.0.0.1", self.port

    def _run(self, account: pwd.struct_passwd) -> None:
        group = self._group(account.pw_name)
        self._exit = 0
        self._killed = group.killed() if group else 0
        descent = Descent(
            account=account,
            home=self.home,
            temporary=TEMPORARY,
            log=LOG,
            group=group,
            processes=self.lab.limits.processes,
            file_size=int(self.lab.limits.file_size),
        )
        env = self.get_env()
        self.proc = self._run_warm(descent, env) or subprocess.Popen(
            [*self.cmd, *self.get_args()],
            env=env,
            preexec_fn=descent,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        self.pid = self.proc.pid
        self.started = tree.start_time(self.pid) or 0

    def _run_warm(self, descent: Descent, env: dict[str, str]) -> WarmProcess | None:
        if not self.warm_socket:
            return None
        try:
            order = {"descent": descent.as_order(), "env": env, "argv": self.get_args()}
            return WarmProcess(self.warm_socket, order)
        except Refused as error:
            self.log.warning("The server of %s starts cold, since no warm one can be had: %s.", self.user.name, error)
            return None

    async def _is_listening(self, account: pwd.struct_passwd) -> None:
        while not (uids := listeners(self.port)):
            if self._status() is not None:
                raise self.failure(sentences.ENDED, "ended", 500, log=LOG)
            await asyncio.sleep(LOOK)
        if uids != {account.pw_uid}:
            raise self.failure(sentences.TAKEN, "port taken", 500)

    async def poll(self) -> int | None:
        """None while the server runs, afterwards the number with which it ended; nothing of it runs any more then."""
        if not self.pid:
            self.clear_state()
            return self._exit
        status = self._status()
        if status is None:
            await self._look_at_memory()
            return None
        self._exit = status
        await self._end_everything()
        self.clear_state()
        return status

    async def stop(self, now: bool = False) -> None:
        """End the server, at first in a friendly way, and then everything that was started in it."""
        friendly = [(signal.SIGINT, self.interrupt_timeout), (signal.SIGTERM, self.term_timeout)]
        for number, patience in [] if now else friendly:
            if await self._signal(number) and await self.wait_for_death(patience):
                return
        await self._end_everything()
        await self.poll()

    async def _signal(self, number: int) -> bool:
        if self._status() is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return True

    def load_state(self, state: dict[str, Any]) -> None:
        """What an earlier hub knew."""
        super().load_state(state)
        self.started = state.get("started", 0)

    def get_state(self) -> dict[str, Any]:
        """What a later hub must know."""
        state: dict[str, Any] = super().get_state()
        return {**state, "started": self.started} if self.pid else state

    def clear_state(self) -> None:
        """Know of no server."""
        super().clear_state()
        self.started = 0
        self.proc = None

    def start_polling(self) -> None:
        """Hear of the server's end at once where Linux tells; look for it now and then in any case."""
        super().start_polling()
        with contextlib.suppress(OSError, AttributeError):  # it has ended; or there are no pidfds
            self._pidfd = os.pidfd_open(self.pid)
            _loop().add_reader(self._pidfd, self._has_ended)

    def stop_polling(self) -> None:
        """Hear no more of it."""
        super().stop_polling()
        if self._pidfd is not None:
            _loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _has_ended(self) -> None:
        if self._pidfd is not None:
            _loop().remove_reader(self._pidfd)
        IOLoop.current().add_callback(self.poll_and_notify)

    def _status(self) -> int | None:
        """None while the server runs; 0 if an earlier hub started it, whose children's ends are not told to us."""
        if self.proc is not None:
            code: int | None = self.proc.poll()
            return code
        return None if self.pid and runs(self.pid, self.started) else 0

    async def _end_everything(self) -> None:
        """End what still runs of the student's, such as kernels that are no children of the server."""
        with contextlib.suppress(KeyError):
            await aside(self._end_all_of, self.account)

    def _end_all_of(self, account: pwd.struct_passwd) -> None:
        found = Reserve.of(self.lab)
        group = found.find(account.pw_name) if found else None
        if group is not None:
            if not group.kill():
                self.log.error("Programs of %s do not end", account.pw_name)
            group.remove()
        elif self.lab.login.kind == "pam":  # they may be logged in elsewhere too
            if self._status() is None:
                tree.kill(self.pid)
        elif account_pids(account.pw_uid):
            kill_account(account.pw_uid)

    async def _look_at_memory(self) -> None:
        """Tell the student of what Linux ended for want of memory; where there is no group, do it in Linux's stead."""
        account = self.account
        found = Reserve.of(self.lab)
        group = found.find(account.pw_name) if found else None
        if group is not None:
            ended = group.killed() > self._killed
            self._killed = group.killed()
        else:
            ended = await aside(end_largest, account.pw_uid, self.mem_limit, self.pid) if self.mem_limit else False
        if ended:
            said = sentences.lines(sentences.MEMORY, self.lab.languages, memory=(self.mem_limit or 0) // MIB)
            append_to_log(self.home, LOG, said + "\n", account.pw_uid)

    def _group(self, account: str) -> Student | None:
        found = Reserve.of(self.lab)
        if found is None:
            if not LabSpawner._said_no_groups:
                self.log.warning("Linux gives the hub no control groups; students' memory is watched instead.")
            LabSpawner._said_no_groups = True
            return None
        cpu = self.cpu_limit or os.cpu_count() or 1
        memory = self.mem_limit or self.lab.limits.memory
        return found.student(account, memory=memory, cpu=cpu, processes=self.lab.limits.processes)


def _loop() -> asyncio.AbstractEventLoop:
    loop = IOLoop.current().asyncio_loop  # type: ignore[attr-defined]
    assert isinstance(loop, asyncio.AbstractEventLoop)
    return loop

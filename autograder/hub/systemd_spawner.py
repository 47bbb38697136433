"""Students' servers, started by systemd. Only a hub that is told so imports this, and jupyterhub-systemdspawner."""

from __future__ import annotations

import asyncio
import pwd
import subprocess

from systemdspawner import SystemdSpawner

from autograder.errors import UstodError
from autograder.hub import sentences
from autograder.hub.sockets import listeners
from autograder.hub.spawner import LOOK
from autograder.hub.student_server import StudentServer, aside
from autograder.hub.systemd import SLICE, slice_properties


class LabSystemdSpawner(StudentServer, SystemdSpawner):  # type: ignore[misc]
    """Lets systemd start the server of a student of the lab, and looks whether it is that which listens."""

    def get_env(self) -> dict[str, str]:
        """The whole environment of the server, whose /tmp is its own."""
        return {**super().get_env(), "TMPDIR": "/tmp"}

    async def start_for(self, account: pwd.struct_passwd) -> tuple[str, int]:
        """Start the server's unit, in the slice of all students."""
        await aside(self._limit_slice)
        await SystemdSpawner.start(self)
        while not (uids := listeners(self.port)):
            if await self.poll() is not None:
                raise self.failure(sentences.ENDED, "ended", 500, log=f"journalctl -u {self.unit_name}")
            await asyncio.sleep(LOOK)
        if uids != {account.pw_uid}:
            await self.stop()
            raise self.failure(sentences.TAKEN, "port taken", 500)
        return self.ip or "127.0.0.1", self.port

    def _limit_slice(self) -> None:
        settings = [f"{name}={value}" for name, value in slice_properties(self.lab).items()]
        command = ["systemctl", "set-property", "--runtime", SLICE, *settings]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise UstodError(f"systemd does not keep the lab's reserve: {done.stderr.strip()}.")

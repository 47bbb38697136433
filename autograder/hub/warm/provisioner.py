"""The side of the student's JupyterLab: a kernel comes from the daemon, or, if that cannot be had, starts by itself."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from autograder.hub.warm.client import Refused, WarmProcess
from autograder.hub.warm.kernelspec import SOCKET

#: The module whose arguments the kernelspec names.
LAUNCHER = "ipykernel_launcher"


class LabProvisioner(LocalProvisioner):
    """Starts kernels from the daemon whose socket the environment variable USTOD_WARM_SOCKET names."""

    process: Any = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        path = os.environ.get(SOCKET, "")
        env = dict(os.environ if kwargs.get("env") is None else kwargs["env"])
        cwd = str(kwargs.get("cwd") or os.getcwd())
        order = {"argv": cmd[cmd.index(LAUNCHER) + 1 :], "env": env, "cwd": os.path.abspath(cwd)}
        try:
            if not path:
                raise Refused(f"{SOCKET} is not set")
            self.process = await asyncio.to_thread(WarmProcess, path, order)
        except Refused as error:
            self.log.warning("This kernel starts cold, since no warm one can be had: %s.", error)
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info

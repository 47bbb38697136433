"""Warm kernels for everything that speaks Jupyter: nbgrader, nbclient, formgrader's button, JupyterLab.

A kernelspec selects it: see `install`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import socket
import stat
import sys
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Bool, Dict, List, Unicode

from autograder.kernel.archive import unpack_results
from autograder.kernel.client import STACK, Child, Zygote
from autograder.kernel.kernelspec import KERNEL, SPEC
from autograder.kernel.limits import Limits
from autograder.kernel.sandbox import Cache, Sandbox

#: The name of the entry point in the group ``jupyter_client.kernel_provisioners``.
NAME = "ustod-warm"

#: The channels of a Jupyter kernel, in the order in which a child expects their listening sockets.
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")

#: What makes a kernel start at once, besides what learners import.
KERNEL_MODULES = (
    "autograder.kernel.ipython",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "tornado.platform.asyncio",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
)

_zygotes: dict[tuple[tuple[str, ...], bool], Zygote] = {}
_lock = threading.Lock()


class WarmProvisioner(KernelProvisionerBase):
    """Makes each kernel a child of one zygote per process of the host.

    The kernel works in a copy of its working folder, notebooks left out. When it ends, the files come back. Its limits
    are those of the course's configuration, ``c.UstodLimits``, where the kernelspec does not set others.
    """

    modules = List(Unicode(), list(STACK), help="what to import once, before the first kernel").tag(config=True)
    limits = Dict(help="settings of autograder.kernel.limits.Limits that differ; null for no limit").tag(config=True)
    sandboxed = Bool(True, help="whether to shut kernels in; turn it off only for code that you trust").tag(config=True)

    _listeners: Sequence[socket.socket] = ()
    _child: Child | None = None
    _folder: str | None = None
    _results: Any = None
    _cwd: Path | None = None

    @property
    def has_process(self) -> bool:
        return self._child is not None

    async def poll(self) -> int | None:
        if self._child is None:
            return 0
        ending = self._child.ending
        return None if ending is None else ending.code

    async def wait(self) -> int | None:
        while (code := await self.poll()) is None:
            await asyncio.sleep(0.01)
        self._take_results()
        self._child = None
        return code

    async def send_signal(self, signum: int) -> None:
        if self._child is not None:
            if signum in (15, 9):  # the first process of a namespace ignores what it does not handle
                self._child.kill()
            else:
                self._child.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        if self._child is not None:
            self._child.kill()

    async def terminate(self, restart: bool = False) -> None:
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = ()
        if not restart and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        self._bind()
        manager: Any = self.parent
        manager.transport = "ipc"
        manager.ip = f"{self._folder}/k"
        for port, channel in enumerate(CHANNELS, 1):
            setattr(manager, f"{channel}_port", port)
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        extra = kwargs.pop("extra_arguments", [])
        return await super().pre_launch(cmd=manager.format_kernel_cmd(extra_arguments=extra), **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        self._cwd = Path(kwargs.get("cwd") or os.getcwd())
        self._results = tempfile.TemporaryFile()  # noqa: SIM115 closed by _take_results
        variables = {name: text for name, text in kwargs.get("env", {}).items() if name.startswith("NBGRADER_")}
        self._child = await asyncio.to_thread(self._fork, variables)
        return self.connection_info

    def _fork(self, variables: dict[str, str]) -> Child:
        info: dict[str, Any] = dict(self.connection_info)
        limits = Limits.of({**self.config.get("UstodLimits", {}), **self.limits})
        return _zygote(tuple(self.modules), self.sandboxed).fork(
            "autograder.kernel.ipython:serve",
            info["key"].decode(),
            info["signature_scheme"],
            variables,
            limits.output,
            fds=[listener.fileno() for listener in self._listeners],
            limits=limits,
            files=self._cwd,
            ignore=_is_notebook,
            results=self._results,
        )

    def _bind(self) -> None:
        """Listen in a folder with a short name: the path of a unix socket has at most 107 bytes.

        After a restart the paths are the same, so clients come back by themselves.
        """
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="ustod-", dir="/tmp")
        self._listeners = [_listen(f"{self._folder}/k-{port}") for port, _ in enumerate(CHANNELS, 1)]

    def _take_results(self) -> None:
        if self._results is not None and self._cwd is not None:
            try:
                with self._results as results:
                    unpack_results(results, self._cwd, _is_notebook)
            except (OSError, tarfile.TarError) as error:
                self.log.warning("The files that a notebook made could not be written to %s: %s", self._cwd, error)
        self._results = None


def _listen(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    return listener


def _zygote(modules: tuple[str, ...], sandboxed: bool) -> Zygote:
    """The zygote of this process for these modules."""
    with _lock:
        if (modules, sandboxed) not in _zygotes:
            sandbox = Sandbox(cache=Cache.of_user()) if sandboxed else None
            zygote = _zygotes[modules, sandboxed] = Zygote(sandbox, [*modules, *KERNEL_MODULES])
            atexit.register(zygote.close)
        return _zygotes[modules, sandboxed]


def _is_notebook(path: Path) -> bool:
    """Notebooks stay outside: the one that is graded may hold hidden tests."""
    return path.suffix == ".ipynb" or ".ipynb_checkpoints" in path.parts


def install(
    name: str = KERNEL, display_name: str = "Python 3 (Ustod)", prefix: str | None = None, **config: Any
) -> str:
    """Install a kernelspec whose kernels are warm and sandboxed, and return its folder.

    Args:
        name: of the kernelspec; ``python3`` puts it in place of the usual kernel.
        display_name: what people choose in JupyterLab.
        prefix: where to install it; None for this Python's own environment.
        config: settings of `WarmProvisioner`; `limits` by the names of `autograder.kernel.limits.Limits`.

    Raises:
        ValueError: if there is no such limit, or a value is not one that it can have.
    """
    Limits.of(config.get("limits", {}))
    spec = json.loads(SPEC.read_text(encoding="utf-8"))
    spec["argv"][0], spec["display_name"] = sys.executable, display_name
    spec["metadata"]["kernel_provisioner"]["config"] = config
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        Path(folder, "kernel.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
        return str(KernelSpecManager().install_kernel_spec(folder, name, prefix=prefix or sys.prefix))

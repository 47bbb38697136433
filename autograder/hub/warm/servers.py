"""Warm servers: students' JupyterLabs, forked from one process that has imported what all of them need.

The hub alone, which is root, gets them; a child follows the order's steps down to the student before it runs anything.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from autograder.hub import single_user
from autograder.hub.student_process import Descent
from autograder.hub.warm import child
from autograder.hub.warm.peer import NotServed
from autograder.kernel import wire
from autograder.kernel.child import close_all_but, reseed

#: What `ps` shows: the command line is that of the daemon.
NAME = "ustod-server"

#: What a server of JupyterLab's has imported by the time that its page is there. What stands before a colon may be
#: missing: it is imported only once a server starts, from where its version has it.
MODULES = (
    "jupyterhub.singleuser",
    "jupyterlab.labapp",
    "jupyter_server_terminals.app",
    "nbgrader.server_extensions.assignment_list",
    "nbgrader.server_extensions.validate_assignment",
    "autograder.hub.contents",
    "autograder.lab.extension",
    "jupyterlab_jupytext:",
    "jupytext.jupytext:",
    "jinja2.ext:",
    "tornado.platform.asyncio:",
    "jupyter_core.migrate:",
    "jupyter_server.kernelspecs.handlers:",
    "jupyter_server.nbconvert.handlers:",
    "jupyter_server.view.handlers:",
    "jupyter_server.services.api.handlers:",
    "jupyter_server.services.config.handlers:",
    "jupyter_server.services.contents.handlers:",
    "jupyter_server.services.events.handlers:",
    "jupyter_server.services.kernels.handlers:",
    "jupyter_server.services.kernelspecs.handlers:",
    "jupyter_server.services.nbconvert.handlers:",
    "jupyter_server.services.security.handlers:",
    "jupyter_server.services.sessions.handlers:",
    "jupyter_server.services.shutdown:",
    "ipykernel.connect:",
    "ipykernel.kernelspec:",
    "anyio._backends._asyncio:",
    "anyio.streams.tls:",
    "psutil:",
    "IPython:",
    "send2trash.plat_other",
)


class Servers:
    """A `daemon.Service`, once `MODULES` are imported."""

    def admit(self, uid: int, children: int) -> None:
        """Raises NotServed for anybody but root."""
        if uid != 0:
            raise NotServed("only the hub gets servers here")

    def run(self, line: socket.socket) -> NoReturn:
        """Become the server of a student."""
        line.setblocking(True)
        try:
            order, _ = wire.receive(line)
            _prepare(order)
        except Exception as error:  # of any step down to the student
            child.refuse(line, error)
        close_all_but([line.fileno()])
        child.start(line)
        child.run(_serve)


def _prepare(order: dict[str, Any]) -> None:
    """Be the student, as the order says."""
    Path("/proc/self/comm").write_text(NAME)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    Descent.of(order["descent"])()
    os.environ.clear()
    os.environ.update(order["env"])
    tempfile.tempdir = None
    importlib.reload(sys.modules["send2trash.plat_other"])
    sys.argv = ["jupyterhub-singleuser", *order["argv"], *late_arguments()]


def late_arguments() -> list[str]:
    """What modules read from the environment when they are imported, told by arguments as it is now."""
    from jupyterlab.commands import get_user_settings_dir, get_workspaces_dir

    return [
        f"--HubOAuth.base_url={os.environ['JUPYTERHUB_SERVICE_PREFIX']}",
        f"--Session.username={os.environ['USER']}",
        f"--LabApp.user_settings_dir={get_user_settings_dir()}",
        f"--LabApp.workspaces_dir={get_workspaces_dir()}",
    ]


def _serve() -> None:
    reseed()
    gc.enable()
    single_user.main()

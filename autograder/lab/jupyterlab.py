"""Start JupyterLab on a learner's folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.files import write_text
from autograder.lab.extension import LABEXTENSIONS

FIRST_PORT, PORTS = 8888, 50

Ready = Callable[[], None]

#: Kept in the learner's folder; JupyterLab reads it beside the learner's own settings, which win.
SETTINGS = ".ustod-jupyterlab"
#: Of the interface's languages, those that JupyterLab itself is translated into, with its names for them.
LOCALES = {"ru": "ru_RU"}
#: nbgrader's extensions of the server. They want a course directory, and say so as an error where there is none.
INSTRUCTORS = [
    f"nbgrader.server_extensions.{name}"
    for name in ("formgrader", "validate_assignment", "assignment_list", "course_list")
]
#: Ours of the server: the Course page.
COURSE_PAGE = "autograder.lab.extension"
#: Under this name the page of JupyterLab knows our language: Tajik is none of its own.
LANGUAGE_OPTION = "ustodLanguage"
AUTOSAVE_SECONDS = 20  # a power cut takes no more than this


def write_settings(folder: Path, language: str) -> Path:
    """Settings that suit a learner: frequent saving, no question about news, none of the instructor's panels.

    Returns:
        The folder to be named in JUPYTER_CONFIG_PATH.
    """
    labconfig = folder / SETTINGS / "labconfig"
    labconfig.mkdir(parents=True, exist_ok=True)
    hidden = {"@jupyterlab/apputils-extension:announcements": True, "@jupyter/nbgrader": True}
    defaults: dict[str, dict[str, object]] = {
        "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": AUTOSAVE_SECONDS},
        "@jupyterlab/translation-extension:plugin": {"locale": LOCALES.get(language, "en")},
    }
    extensions = dict.fromkeys(INSTRUCTORS, False) | {COURSE_PAGE: True}
    server = {
        "ServerApp": {"jpserver_extensions": extensions},
        "LabApp": {"extra_labextensions_path": [LABEXTENSIONS]},
    }
    write_text(folder / SETTINGS / "jupyter_server_config.json", json.dumps(server, indent=1) + "\n")
    write_text(
        labconfig / "page_config.json",
        json.dumps({"disabledExtensions": hidden, LANGUAGE_OPTION: language}, indent=1) + "\n",
    )
    write_text(labconfig / "default_setting_overrides.json", json.dumps(defaults, indent=1) + "\n")
    return labconfig.parent


def free_port(wanted: int | None) -> int:
    """`wanted`, or the first free port from `FIRST_PORT` on.

    Raises:
        UstodError: if `wanted` is taken, or none is free.
    """
    for port in [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    taken = f"Port {wanted} is" if wanted else f"The ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are"
    raise UstodError(f"{taken} in use by another program; choose another with --port.")


def start(
    folder: Path,
    settings: Path,
    first: Path,
    port: int,
    token: str,
    *,
    browser: bool,
    ready: Ready,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run JupyterLab on `folder` until it is stopped; returns its exit code. It listens on this machine only.

    Args:
        settings: from `write_settings`.
        first: the notebook to show first.
        token: what the address must carry to be let in.
        browser: whether to open a browser window.
        ready: called once the server answers.
        variables: of the server's environment, and so of the kernels'.
    """
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        f"--IdentityProvider.token={token}",
        f"--LabApp.default_url=/lab/tree/{first.relative_to(folder).as_posix()}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--ServerApp.log_level=WARN",
    ]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container or a rescue disk: there is no other user
    config = os.pathsep.join(filter(None, [str(settings), os.environ.get("JUPYTER_CONFIG_PATH", "")]))
    environment = {**OFFLINE, **os.environ, **(variables or {}), "JUPYTER_CONFIG_PATH": config}
    server = subprocess.Popen(command, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    while server.poll() is None and not _answers(port):
        time.sleep(0.1)
    if server.poll() is None:
        ready()
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:
            continue  # JupyterLab has the same signal, and asks before it stops


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

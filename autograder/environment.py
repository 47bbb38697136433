"""The process environment in which learners' code and nbgrader run."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import sysconfig

#: For the Hugging Face libraries (which read it when they are imported), and for processes that fork.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def work_offline() -> None:
    """Let this process and its children use what is in the cache and never wait for a network.

    Call it before a Hugging Face library is imported.
    """
    os.environ.update(OFFLINE)


def put_own_programs_on_path() -> None:
    """Let child processes find the programs installed beside this Python, without the environment being activated.

    nbgrader calls ``alembic`` by its bare name when it creates a gradebook.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", "").split(os.pathsep)
    if scripts not in path:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])


def die_with_parent() -> None:
    """Let Linux end this process when its parent ends, however it ends; elsewhere do nothing."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def spare_slow_imports() -> None:
    """Keep jsonschema from importing a checker of IRIs, which takes over a second and which no notebook needs."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

"""Programs that came with this Python."""

from __future__ import annotations

import os
import sysconfig


def put_own_programs_on_path() -> None:
    """Let child processes find the programs installed beside this Python, without the environment being activated.

    nbgrader calls ``alembic`` by its bare name when it creates a gradebook.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", "").split(os.pathsep)
    if scripts not in path:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])

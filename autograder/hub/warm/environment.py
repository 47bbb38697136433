"""What libraries read from the environment when they are imported, put right for the user who came after that.

The daemon imports them in a home that does not exist. A path that begins with it shows what has to be put right.
"""

from __future__ import annotations

import functools
import importlib
import os
import site
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.environment import OFFLINE
from autograder.kernel.sandbox import STEADY

#: The home in which the stack is imported.
NO_HOME = "/nonexistent/ustod"

#: What the daemon keeps of the environment in which it is started; the rest may hold the lab's keys.
KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")

#: Modules that turn environment variables into names when they are imported.
SETTINGS = ("huggingface_hub.constants", "datasets.config")

Copy = tuple[dict[str, Any], str, str, str]


def clean(environment: Mapping[str, str], fonts: str) -> dict[str, str]:
    """The environment in which the stack is imported. `fonts` is a folder for what matplotlib finds out about fonts."""
    kept = {name: environment[name] for name in KEPT if name in environment}
    return {**kept, **STEADY, **OFFLINE, "HOME": NO_HOME, "MPLCONFIGDIR": fonts}


def find_copies() -> list[Copy]:
    """Where else a path of `SETTINGS` has been copied to: a module's names, one of them; a setting's module, name."""
    settings = {}
    for source in SETTINGS:
        for name, value in vars(sys.modules[source]).items():
            if _is_path(value):
                settings[str(value)] = (source, name)
    copies = []
    for module_name, module in list(sys.modules.items()):
        names = getattr(module, "__dict__", None)
        if module_name not in SETTINGS and isinstance(names, dict):
            copies += [
                (names, key, *settings[str(v)]) for key, v in names.items() if _is_path(v) and str(v) in settings
            ]
    return copies


def _is_path(value: object) -> bool:
    # Some objects in modules warn when they are asked for their class.
    return issubclass(type(value), (str, Path)) and str(value).startswith(NO_HOME)


def take_over(environment: dict[str, str], copies: Sequence[Copy]) -> None:
    """Make `environment` that of this process, as if it had been started in it."""
    os.environ.clear()
    os.environ.update(environment)
    _find_users_modules(environment)
    for name in SETTINGS:
        importlib.reload(sys.modules[name])
    for names, key, source, name in copies:
        value = getattr(sys.modules[source], name)
        names[key] = type(names[key])(value)
    matplotlib: Any = sys.modules["matplotlib"]
    for name in ("get_configdir", "get_cachedir"):  # which remember what they say at first
        setattr(matplotlib, name, functools.cache(getattr(matplotlib, name).__wrapped__))
    os.environ.setdefault("MPLBACKEND", STEADY["MPLBACKEND"])  # as ipykernel does before matplotlib is imported
    if os.environ["MPLBACKEND"] != STEADY["MPLBACKEND"]:
        matplotlib.rcParams["backend"] = os.environ["MPLBACKEND"]
    threads = environment.get("OMP_NUM_THREADS", "")
    sys.modules["torch"].set_num_threads(int(threads) if threads.isdigit() else len(os.sched_getaffinity(0)))


def _find_users_modules(environment: Mapping[str, str]) -> None:
    """The folders of PYTHONPATH, and what the user has installed, where this Python looks there at all."""
    own = [os.path.abspath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [path for path in own if path not in sys.path]
    if site.ENABLE_USER_SITE:
        site.USER_BASE = site.USER_SITE = None
        sys.path[:] = [path for path in sys.path if not path.startswith(NO_HOME)]
        site.addusersitepackages(set())

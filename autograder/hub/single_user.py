"""A student's server: jupyterhub's own, without an import that would cost each of them a second and 17 MB."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from autograder.environment import spare_slow_imports
from autograder.hub.warm.shared import link_datasets


def main() -> None:
    """Run it until it is stopped."""
    spare_slow_imports()
    _find_shared_data()
    from jupyterhub.singleuser import main as run

    from autograder.hub.door import open_door

    open_door()

    run()


def _find_shared_data() -> None:
    """Models are read where all read them; data sets are linked, since their library writes beside what it reads."""
    hub, home = os.environ.get("HF_HUB_CACHE"), os.environ.get("HOME")
    if hub and home and os.path.isdir(os.path.join(os.path.dirname(hub), "datasets")):
        own = os.environ.get("HF_DATASETS_CACHE", os.path.join(home, ".cache", "huggingface", "datasets"))
        with contextlib.suppress(OSError):  # a full disk is told of by what needs room, and is no reason for no server
            link_datasets(Path(hub).parent, Path(own))


if __name__ == "__main__":
    main()

"""The configuration that JupyterHub reads. All it says comes from ``lab.toml``, which the environment names."""

import os
from pathlib import Path

from autograder.hub.config import configure
from autograder.hub.door import SMALL, open_door
from autograder.hub.lab import read_lab

open_door(**SMALL)
configure(get_config(), read_lab(Path(os.environ["USTOD_LAB"])))  # type: ignore[name-defined]  # noqa: F821

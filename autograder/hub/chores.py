"""What the supervisor does beside keeping programs running: a nightly backup, and figures for those who watch."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

from autograder.hub.backup import nightly
from autograder.hub.lab import Lab
from autograder.hub.metrics import write_metrics
from autograder.hub.programs import base_environment

_backups: list[subprocess.Popen[bytes]] = []


def do_chores(lab: Lab) -> None:
    """Called about once a minute. A backup is made by a process of its own: a stick that hangs holds up nothing."""
    write_metrics(lab, lab.storage.run / "metrics.prom")
    _backups[:] = [one for one in _backups if one.poll() is None]
    if lab.backup.folder is not None and not _backups and nightly(lab, datetime.now()):
        command = [sys.executable, "-P", "-m", "autograder.cli", "hub", "backup", "--lab", str(lab.path)]
        _backups.append(subprocess.Popen(command, env=base_environment(), stdin=subprocess.DEVNULL))

"""What the supervisor does beside keeping programs running: a nightly backup, and figures for those who watch."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import datetime

from autograder.hub.backup import nightly
from autograder.hub.lab import Lab
from autograder.hub.metrics import write_metrics
from autograder.hub.programs import base_environment

_backups: list[subprocess.Popen[bytes]] = []
_tried: datetime | None = None
_figures: threading.Thread | None = None


def do_chores(lab: Lab) -> None:
    """Called about once a minute. A hub that does not answer, or a stick that hangs, holds up nothing."""
    global _tried, _figures
    if _figures is None or not _figures.is_alive():
        _figures = threading.Thread(target=write_metrics, args=(lab, lab.storage.run / "metrics.prom"), daemon=True)
        _figures.start()
    _backups[:] = [one for one in _backups if one.poll() is None]
    now = datetime.now().astimezone()
    if lab.backup.folder is not None and not _backups and nightly(lab, now, _tried):
        _tried = now
        command = [sys.executable, "-P", "-m", "autograder.cli", "hub", "backup", "--lab", str(lab.path)]
        _backups.append(subprocess.Popen(command, env=base_environment(), stdin=subprocess.DEVNULL))

"""A student's request to look at a grade again: a small file that travels as their work does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

#: Beside the notebook.
FILE = "regrade.json"
#: Letters of a reason.
LONGEST = 2000


def write_request(folder: Path, assignment: str, exercise: str, reason: str, language: str) -> Path:
    """Add a request to the file in `folder`; another one for the same exercise is replaced by it.

    Raises:
        OSError: if the file cannot be written.
    """
    path = folder / FILE
    kept = [one for one in _requests(path) if one.get("exercise") != exercise]
    asked = datetime.now(UTC).isoformat(timespec="seconds")
    kept.append({"exercise": exercise, "reason": reason[:LONGEST], "asked": asked, "language": language})
    text = json.dumps({"assignment": assignment, "requests": kept}, ensure_ascii=False, indent=1) + "\n"
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".regrade-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _requests(path: Path) -> list[dict[str, str]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["requests"]
        return [one for one in found if isinstance(one, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def is_in_a_lab() -> bool:
    """Whether there is an exchange to which the request can be sent at once."""
    return bool(os.environ.get("USTOD_EXCHANGE_URL"))


def send(path: Path) -> str:
    """Send the file `path` through the lab's exchange; empty if it arrived, else why not, in a sentence."""
    command = [sys.executable, "-P", "-m", "autograder.cli", "regrade", "send", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"{done.returncode}"])[-1]

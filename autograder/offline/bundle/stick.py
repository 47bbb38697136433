"""What lies at the top of a stick for people: the installer, what is double-clicked to start it, and a first page."""

from __future__ import annotations

from pathlib import Path

from autograder.offline.bundle import installer
from autograder.offline.bundle.contents import Content

#: Below the checkout's top.
RECIPE = Path("environments") / "bundle"
LAUNCHERS = ("Install on Windows.bat", "Install on macOS.command", "install-on-linux.sh", "README.txt")


def stick_files(top: Path) -> list[Content]:
    """The installer, its launchers and the first page."""
    program = Content.of_file(installer.INSTALLER, "stick", Path(installer.__file__))
    return [program, *(Content.of_file(name, "stick", top / RECIPE / name) for name in LAUNCHERS)]

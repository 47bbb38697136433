"""What this machine can guarantee about learners' code: what can be said at once, and what has to be tried.

This module can be imported on any system, so that there is somebody to say what is missing.
"""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import UstodError

#: Ubuntu since 23.10 lets AppArmor decide who may make user namespaces.
APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
DEBIAN = Path("/proc/sys/kernel/unprivileged_userns_clone")

#: Left by Docker and by Podman in their containers.
CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))


@dataclass(frozen=True)
class Finding:
    """One guarantee.

    Attributes:
        guarantee: a short name.
        holds: whether it holds here.
        words: what that means, in a sentence.
        mend: what to do about it, or how to have more than that; empty if there is nothing to do.
    """

    guarantee: str
    holds: bool
    words: str
    mend: str = ""


def findings() -> list[Finding]:
    """Try each guarantee. Takes a second or two."""
    shut_in = sandbox()
    if not shut_in.holds:
        return [shut_in]
    from autograder.kernel import trials

    return [shut_in, *trials.run()]


def require_sandbox() -> None:
    """Find out in a moment whether learners' code can be shut in.

    Raises:
        UstodError: if not; it says why and what to do.
    """
    finding = sandbox()
    if not finding.holds:
        raise UstodError(f"{finding.words} {finding.mend}")


def sandbox() -> Finding:
    """Have a process shut in, in the way in which learners' code will be."""
    obstacle = _obstacle()
    if obstacle is not None:
        return obstacle
    from autograder.kernel.client import Zygote
    from autograder.kernel.sandbox import Sandbox

    with Zygote(Sandbox(), []) as zygote:
        try:
            zygote.fork("autograder.kernel.probes:nothing").wait()
        except UstodError as error:
            return _no_sandbox(str(error).removesuffix("; see ustod doctor."))
    return Finding("sandbox", True, "Learners' code is shut in by bubblewrap, each notebook by itself.")


def _obstacle() -> Finding | None:
    """What can be said without starting anything."""
    words = "Learners' code cannot be shut in: "
    if platform.system() != "Linux":
        here = {"Darwin": "macOS", "": "another system"}.get(platform.system(), platform.system())
        mend = "Grade a class on Linux, or in a virtual machine with it; ustod lab and ustod check work here too."
        return Finding("sandbox", False, f"{words}the sandbox needs Linux, and this is {here}.", mend)
    if shutil.which("bwrap") is None:
        return Finding(
            "sandbox", False, f"{words}the program bwrap is missing.", "Install the package bubblewrap, then try again."
        )
    return None


def _no_sandbox(error: str) -> Finding:
    """Why namespaces cannot be made, from what the system says about them."""
    words = "Learners' code cannot be shut in: "
    if _setting(DEBIAN) == 0:
        why, mend = "this system forbids user namespaces", "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    elif _setting(NAMESPACES) == 0:
        why, mend = "this system allows no user namespaces", "sudo sysctl -w user.max_user_namespaces=15000"
    elif _setting(APPARMOR) == 1:
        why = "AppArmor, as Ubuntu sets it up, keeps bubblewrap from making user namespaces"
        mend = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    elif any(path.exists() for path in CONTAINERS):
        why = "this is a container that may not make namespaces of its own"
        mend = "Start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined."
        return Finding("sandbox", False, f"{words}{why}.", mend)
    else:
        return Finding("sandbox", False, f"{words}{error}.", "Run bwrap --ro-bind / / --unshare-all true to see more.")
    return Finding("sandbox", False, f"{words}{why}.", f"Run {mend} and write the setting to /etc/sysctl.d to keep it.")


def _setting(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None

"""Make `.venv` at the top of this checkout, with the locked packages and the `ustod` command in it.

usage: python3 environments/setup.py student|server|development

Run by `make`. Only the standard library is used. A second run finds everything in place and ends at once; a run that
was cut short is taken up again by the next one. Nothing outside the checkout is changed, except that root on Debian or
Ubuntu gets the system packages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
VENV = TOP / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST = (3, 11)
#: Each holds everything that those before it need.
PROFILES = ("student", "server", "development")

#: What npm installs below `.venv/share/ustod`, by profile: the proxy between the lab server and browsers; and what asks
#: in tests whether everybody can read a page.
NPM: dict[str, dict[str, Path]] = {
    "student": {},
    "server": {"proxy": TOP / "environments" / "jupyterhub" / "proxy"},
    "development": {
        "proxy": TOP / "environments" / "jupyterhub" / "proxy",
        "axe": TOP / "environments" / "axe",
    },
}
LOCK = "package-lock.json"

#: PyTorch's own index of builds without CUDA: 200 MB instead of several GB. Asked only if it answers quickly.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
INDEX_SECONDS = 3

#: Debian's packages, by the program that shows they are there: a sandbox, a client for assets; for tests a browser, a
#: database and a wrong clock.
SYSTEM = {"bwrap": "bubblewrap", "npm": "npm"}
SYSTEM_FOR_TESTS = {
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "faketime": "faketime",
    "pg_createcluster": "postgresql",
}


def main() -> None:
    """Bring the environment of the profile named on the command line up to date."""
    profile = sys.argv[1] if len(sys.argv) == 2 else ""
    if profile not in PROFILES:
        sys.exit("usage: python3 environments/setup.py student|server|development")
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"Ustod needs Python 3.11 or newer, not {have}. Install one, then run: make PYTHON=/path/to/python3")
    install_system_packages(SYSTEM | (SYSTEM_FOR_TESTS if profile == "development" else {}))
    if PYTHON.exists() and any(map(is_installed, PROFILES[PROFILES.index(profile) :])):
        return
    make_venv()
    install(requirements(profile))
    for name, locked in NPM[profile].items():
        install_with_npm(name, locked)
    stamp(profile).write_text(fingerprint_of(profile))


def requirements(profile: str) -> Path:
    """The locked requirements of `profile`."""
    return TOP / "environments" / "requirements" / f"{profile}.txt"


def stamp(profile: str) -> Path:
    """Where the fingerprint of what was installed for `profile` is kept."""
    return VENV / f".ustod-{profile}"


def is_installed(profile: str) -> bool:
    """Whether everything that `profile` needs was installed, and nothing has changed since."""
    return stamp(profile).is_file() and stamp(profile).read_text() == fingerprint_of(profile)


def fingerprint_of(profile: str) -> str:
    """Changes whenever the environment must be brought up to date, or the checkout has moved."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {TOP}".encode())
    locks = [folder / LOCK for folder in NPM[profile].values()]
    for path in (requirements(profile), TOP / "pyproject.toml", *locks):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_venv() -> None:
    """A virtual environment that runs; one that was cut short, or whose Python is gone, is made anew."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return
    print(f"Making the virtual environment {VENV}", flush=True)
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (subprocess.CalledProcessError, OSError) as error:
        command = "apt-get install python3-venv"
        sys.exit(f"No virtual environment could be made in {VENV} ({error}); on Debian or Ubuntu run: {command}")


def install(locked: Path) -> None:
    """Install the locked packages and this checkout itself."""
    print("Installing the locked packages; the first time this takes some minutes", flush=True)
    index = ["--extra-index-url", TORCH_CPU_INDEX] if sys.platform == "linux" and answers(TORCH_CPU_INDEX) else []
    pip("install", *index, "-r", str(locked))
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(TOP))


def install_with_npm(name: str, locked: Path) -> None:
    """Install what `locked` locks where the programs that need it look for it; nothing of it is fetched later."""
    folder = VENV / "share" / "ustod" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", LOCK):
        shutil.copy(locked / file, folder / file)
    npm = shutil.which("npm")
    if npm is None:
        print(f"npm is missing, so {name} is not installed; install npm and run this again to have it.")
        return
    command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stderr[-500:]}\nThe package {name} could not be installed. Run the same command to go on.")


def answers(url: str) -> bool:
    """Whether `url` answers within `INDEX_SECONDS`."""
    try:
        with urllib.request.urlopen(f"{url}/torch/", timeout=INDEX_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def pip(*arguments: str) -> None:
    """Run pip; on failure show what it said and stop."""
    command = [str(PYTHON), "-m", "pip", *arguments, "--disable-pip-version-check"]
    log = VENV / "setup.log"
    with log.open("ab") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT)
    if done.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        sys.exit(f"{last}\nInstalling failed; the whole account is in {log}. Run the same command to go on.")


def install_system_packages(wanted: dict[str, str]) -> None:
    """Install the packages of programs that are missing, where we may; say how to where we may not."""
    missing = sorted({package for program, package in wanted.items() if not shutil.which(program)})
    if not missing or sys.platform != "linux":
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if not shutil.which("apt-get"):
        print(f"Not found: {', '.join(missing)}. Install them with your system's package manager; going on without.")
    elif os.geteuid() != 0:
        print(f"Not found: {', '.join(missing)}. Going on without; to install them run:\n  sudo {' '.join(command)}")
    else:
        print(f"Installing system packages: {', '.join(missing)}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": environment}
        subprocess.run(["apt-get", "update"], **quiet)
        done = subprocess.run(command, **quiet)
        if done.returncode:
            print(f"{done.stderr[-500:]}\nThey could not be installed; going on without.")


if __name__ == "__main__":
    main()

"""What must be on the machine before a lab can run: folders, accounts, certificates, courses, first-login codes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from traitlets.config import Config

from autograder.errors import UstodError
from autograder.files import write_bytes, write_text
from autograder.hub.authority import certificate_files
from autograder.hub.coursework import order_for
from autograder.hub.lab import Course, Lab
from autograder.hub.machine import ensure_account, ensure_system_account
from autograder.hub.nbgrader import configure_instructor
from autograder.hub.programs import EXCHANGE_ACCOUNT, PROXY_ACCOUNT, Program, base_environment, proxy_folder
from autograder.hub.server_config import behind_a_poor_link
from autograder.hub.slips import enrol_with_slips

#: Bytes of the path ``storage.run``: a socket's path has 107, of which a kernel's needs the rest. See unix(7).
LONGEST_RUN = 107 - len("/user/") - 25 - len("/kernel-00000000-0000-0000-0000-000000000000-ipc-5")


@dataclass
class Prepared:
    """What `prepare` did that people should hear of: a page of slips for those who are new, courses that are new."""

    slips: Path | None = None
    newcomers: list[str] = field(default_factory=list)
    courses: list[str] = field(default_factory=list)


def prepare(lab: Lab) -> Prepared:
    """Bring the machine in line with `lab`. What is there already stays as it is; a second run changes nothing.

    Raises:
        UstodError: if something cannot be made, such as an account whose name is taken.
    """
    if os.geteuid() != 0:
        raise UstodError(
            "A lab is run by root, since every student's programs run in an account of their own; use sudo."
        )
    _close_lists(lab)
    _make_folders(lab)
    _make_proxy_certificate(lab)
    _share_models(lab)
    _write_grader_settings(lab)
    done = Prepared()
    for course in lab.courses:
        if _make_course(lab, course):
            done.courses.append(course.name)
    if lab.login.kind != "pam":
        for person in lab.people:
            ensure_account(lab.account(person), lab.storage.homes / person)
    if lab.login.kind == "roster":
        done.slips, done.newcomers = enrol_with_slips(lab, lab.storage.hub)
    return done


def _close_lists(lab: Lab) -> None:
    """Keep students from lab.toml, which may hold a provider's keys, and class lists with everybody's addresses."""
    for path in [lab.path, *(lab.path.parent / course.roster for course in lab.courses if course.roster)]:
        with contextlib.suppress(OSError):  # a disk that cannot keep it, such as a stick with FAT
            path.chmod(path.stat().st_mode & 0o770)


def _make_folders(lab: Lab) -> None:
    storage = lab.storage
    if (length := len(os.fsencode(storage.run))) > LONGEST_RUN:
        raise UstodError(
            f"The path {storage.run} of the folder for sockets has {length} bytes, and Linux takes no more than "
            f"{LONGEST_RUN} here; name a shorter one as run under [storage] in {lab.path}."
        )
    for folder, mode in (
        (storage.root, 0o711),
        (storage.hub, 0o700),
        (storage.logs, 0o700),
        (storage.homes, 0o711),
        (storage.courses, 0o711),
        (storage.run, 0o711),
        (storage.run / "jupyter", 0o755),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    for account, folder in ((EXCHANGE_ACCOUNT, storage.exchange), (PROXY_ACCOUNT, proxy_folder(lab))):
        owner = ensure_system_account(account)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        os.chown(folder, owner.pw_uid, owner.pw_gid)


def _make_proxy_certificate(lab: Lab) -> None:
    files = certificate_files(lab)
    if files is None:
        return
    owner = ensure_system_account(PROXY_ACCOUNT)
    for source, name in zip(files, ("server.crt", "server.key"), strict=True):
        copy = proxy_folder(lab) / name
        write_bytes(copy, source.read_bytes(), mode=0o400)
        os.chown(copy, owner.pw_uid, owner.pw_gid)


def _write_grader_settings(lab: Lab) -> None:
    """For the servers of courses and commands run in them; each course's own nbgrader_config.py is read after it."""
    folder = lab.storage.run / "jupyter" / "instructor"
    folder.mkdir(exist_ok=True)
    settings, server = Config(), Config()
    configure_instructor(settings)
    behind_a_poor_link(server)
    write_text(folder / "nbgrader_config.json", json.dumps(settings, indent=1) + "\n")
    write_text(folder / "jupyter_server_config.json", json.dumps(server, indent=1) + "\n")


def _share_models(lab: Lab) -> None:
    """Fill the lab's own cache from that of whoever runs this; what is there already is not copied again."""
    if lab.storage.cache is not None:
        return
    own = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    for part in ("hub", "datasets"):
        for place, folders, files in os.walk(own / part):
            target = lab.storage.models / Path(place).relative_to(own)
            target.mkdir(mode=0o755, parents=True, exist_ok=True)
            target.chmod(0o755)
            for name in [*files, *(folder for folder in folders if Path(place, folder).is_symlink())]:
                _share(Path(place, name), target / name)


def _share(original: Path, shared: Path) -> None:
    if original.is_symlink():  # within the cache, from a revision to its files
        if not shared.is_symlink():
            shared.symlink_to(os.readlink(original))
    elif original.suffix != ".lock" and not (shared.exists() and shared.stat().st_size == original.stat().st_size):
        unfinished = shared.with_name(f".{shared.name}.unfinished")
        shutil.copyfile(original, unfinished)
        unfinished.chmod(0o644)
        unfinished.rename(shared)


def _make_course(lab: Lab, course: Course) -> bool:
    """Whether the course was not there before. Its students are entered in its gradebook in any case."""
    folder = lab.storage.courses / course.name
    new = not (folder / "nbgrader_config.py").exists()
    account = ensure_account(course.account, folder)
    order = order_for(lab, course, folder)
    build = Program("coursework", [sys.executable, "-P", "-m", "autograder.hub.coursework"], account=account.pw_name)
    environment = {**base_environment(), "HOME": str(folder), "USER": course.account}
    done = subprocess.run(
        build.started_as,
        input=json.dumps(order),
        env=environment,
        cwd=folder,
        text=True,
        capture_output=True,
        umask=0o077,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise UstodError(f"The course {course.name} could not be made in {folder}: {last}")
    return new

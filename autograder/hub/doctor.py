"""What a machine lacks for a lab, in plain words, with the mend. Nothing is changed."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import psutil

import autograder
from autograder.errors import UstodError
from autograder.hub import figures
from autograder.hub.lab import Lab
from autograder.hub.supervisor import running
from autograder.kernel import cgroup
from autograder.kernel.doctor import sandbox
from autograder.offline import manifest, store
from autograder.offline.store import Roots, State

#: Where Linux tells its settings.
SETTINGS = Path("/proc/sys")
MOUNTS = Path("/proc/self/mounts")
LOCALTIME = Path("/etc/localtime")
#: Programs of the system that the lab calls.
PROGRAMS = {"useradd": "passwd", "setpriv": "util-linux", "node": "nodejs"}
#: Bytes of disk without which a lab is not started, and under which it is soon full.
LEAST_DISK, LITTLE_DISK = 2 << 30, 10 << 30
#: What one student takes at the least, in bytes: a server, and a notebook that does little.
ONE_STUDENT = 300 << 20
#: A certificate that ends so soon needs attention.
LAST_DAYS = timedelta(days=14)


class Grade(StrEnum):
    """`FAIL`: the lab cannot run, or not safely; `WARN`: it runs, and somebody will be sorry."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What was found about one thing.

    Attributes:
        grade: how it is.
        what: a short name.
        sentence: what that means.
        mend: what to do about it; empty if there is nothing to do.
    """

    grade: Grade
    what: str
    sentence: str
    mend: str = ""


def examine(lab: Lab, proxy: Path | Callable[[], object] | None = None) -> list[Finding]:
    """Everything that can be found out about this machine for `lab`, in a second or two.

    Args:
        lab: the lab that is to run here.
        proxy: the proxy's program, or what raises `UstodError` if it is not there.
    """
    checks: list[Callable[[], Finding | Iterator[Finding]]] = [
        root,
        lambda: readable("python", "Python", Path(sys.prefix), Path(sys.base_prefix)),
        lambda: readable("programs", "Ustod's programs", Path(autograder.__file__).parent),
        programs,
        lambda: proxy_program(proxy),
        lambda: low_ports(lab),
        lambda: ports(lab),
        groups,
        lambda: memory(lab),
        lambda: disk(lab),
        lambda: clock(lab),
        timezone,
        lambda: storage(lab),
        lambda: certificate(lab),
        lambda: host_name(lab),
        links,
        ptrace,
        processes,
        grading,
        lambda: assets(lab),
        lambda: class_lists(lab),
        lambda: backups(lab),
    ]
    found: list[Finding] = []
    for check in checks:
        result = check()
        found.extend([result] if isinstance(result, Finding) else result)
    return found


def _ok(what: str, sentence: str) -> Finding:
    return Finding(Grade.OK, what, sentence)


def _warn(what: str, sentence: str, mend: str) -> Finding:
    return Finding(Grade.WARN, what, sentence, mend)


def _fail(what: str, sentence: str, mend: str) -> Finding:
    return Finding(Grade.FAIL, what, sentence, mend)


def root() -> Finding:
    """Whether this is root, who alone can give every student an account."""
    if os.geteuid() == 0:
        return _ok("root", "Every student's programs can run in an account of their own.")
    return _fail("root", "This is not root, who alone can start programs in students' accounts.", "Use sudo.")


def readable(what: str, shown: str, *folders: Path) -> Finding:
    """Whether students' accounts can read `folders`: not if they are below somebody's home that is closed."""
    for folder in folders:
        if closed := closed_on_way(folder):
            mend = "Install Ustod in /opt/ustod instead" if Path("/root") in (closed, *closed.parents) else "Open it"
            return _fail(
                what,
                f"{shown} is in {folder}, and students' accounts may not enter {closed}.",
                f"{mend}, or run chmod o+x {closed}." if closed != folder else f"Run chmod -R o+rX {folder}.",
            )
    return _ok(what, f"{shown} can be read by students' accounts.")


def closed_on_way(path: Path) -> Path | None:
    """The first folder on the way to `path`, links followed, that others may not enter; or `path`, if not list."""
    for one in dict.fromkeys((path.absolute(), path.resolve())):
        for folder in (*reversed(one.parents), one):
            needed = stat.S_IXOTH | (stat.S_IROTH if folder == one else 0)
            try:
                mode = folder.stat().st_mode
            except OSError:
                return folder
            if stat.S_ISDIR(mode) and mode & needed != needed:
                return folder
    return None


def programs() -> Iterator[Finding]:
    """Programs of the system that the lab calls."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = {name: package for name, package in PROGRAMS.items() if shutil.which(name, path=path) is None}
    for name, package in missing.items():
        yield _fail(name, f"The program {name} is missing.", f"Run sudo apt install {package}.")
    if not missing:
        yield _ok("programs", f"The programs {', '.join(PROGRAMS)} are there.")


def proxy_program(proxy: Path | Callable[[], object] | None) -> Finding:
    """Whether configurable-http-proxy is installed."""
    try:
        there = proxy.exists() if isinstance(proxy, Path) else proxy is None or proxy() is not None
    except UstodError:
        there = False
    if there:
        return _ok("proxy", "The proxy, through which browsers reach the lab, is installed.")
    return _fail("proxy", "The proxy, through which browsers reach the lab, is not installed.", "Run make server.")


def inner_ports(lab: Lab) -> list[int]:
    """Of the lab's own programs, which no student's program may stand in for."""
    first = lab.server.first_port
    return [first + 1, first + 2, first + 3, *(first + 10 + number for number in range(len(lab.courses)))]


def low_ports(lab: Lab) -> Finding:
    """Whether students' programs are kept from the ports of the lab's own programs."""
    start, last = _setting("net/ipv4/ip_unprivileged_port_start"), max(inner_ports(lab))
    if start is None or last < start:
        return _ok("low ports", f"No student's program can take a port of the lab, {min(inner_ports(lab))} to {last}.")
    return _fail(
        "low ports",
        f"Every program may take ports from {start} on, so a student's could stand in for the lab's at {last}.",
        _sysctl("net.ipv4.ip_unprivileged_port_start", 1024),
    )


def ports(lab: Lab) -> Finding:
    """Whether the lab's ports are free, unless it is the lab that has them."""
    if running(lab):
        return _ok("ports", "The lab is up and has its ports.")
    for host, port in [(lab.server.host, lab.server.port), *(("127.0.0.1", port) for port in inner_ports(lab))]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EACCES:
                    continue  # that this is not root is told already
                if error.errno != errno.EADDRINUSE:
                    return _fail("ports", f"This machine has no address {host}.", "Set host in [server] of lab.toml.")
                return _fail(
                    "ports",
                    f"Another program has the port {port}.",
                    f"Stop it; sudo ss -ltnp 'sport = :{port}' says which. Or set another port in [server].",
                )
    return _ok("ports", "The lab's ports are free.")


def groups() -> Finding:
    """Whether limits on memory hold for all programs of a student together."""
    if cgroup.SYSTEMD.exists():
        return _ok("limits", "Systemd keeps each student's programs within their limits.")
    if cgroup.groups() is not None:
        return _ok("limits", "Control groups keep each student's programs within their limits.")
    return _warn(
        "limits",
        "There is neither systemd nor a control group to be had: limits hold for each process alone, and one student "
        "can use up the memory with many.",
        "Run the lab under systemd, or start the container with --cgroupns=private and a cgroup that can be written.",
    )


def memory(lab: Lab) -> Finding:
    """Whether there is memory for everybody on the class lists."""
    total, reserve, limit = psutil.virtual_memory().total, lab.limits.reserve_memory, lab.limits.memory
    students = len({person.id for roster in lab.rosters.values() for person in roster})
    room = total - reserve
    if room < ONE_STUDENT:
        sentence = f"Of {total >> 20} MB, {reserve >> 20} MB are kept for the lab itself, and no student fits beside."
        return _fail("memory", sentence, "Set a smaller reserve_memory in [limits], or add memory.")
    fits, at_once = room // ONE_STUDENT, room // limit
    sentence = (
        f"Memory is here for {at_once} students at their limit of {limit >> 20} MB, or about {fits} who do little."
    )
    if students and fits < students:
        mend = f"Let groups of at most {fits} work at one time, or add memory."
        return _warn("memory", f"The class lists have {students} students. {sentence}", mend)
    return _ok("memory", sentence)


def disk(lab: Lab) -> Finding:
    """Whether there is room for what students make."""
    free = figures.machine(lab).disk_free
    sentence = f"The disk that holds {lab.storage.root} has {free / (1 << 30):.1f} GB free."
    mend = "Make room, or set root in [storage] to a folder on another disk."
    if free < LITTLE_DISK:
        return (_fail if free < LEAST_DISK else _warn)("disk", sentence, mend)
    return _ok("disk", sentence)


def clock(lab: Lab) -> Finding:
    """Whether deadlines and certificates can be trusted to the clock."""
    now = datetime.now(UTC)
    if figures.clock_is_sane(lab, now):
        return _ok("clock", f"The clock says {now:%Y-%m-%d %H:%M} UTC.")
    return _fail(
        "clock",
        f"The clock says {now:%Y-%m-%d %H:%M} UTC, before files of the lab were written.",
        "Set it with timedatectl set-time, and change the battery of the main board if it is wrong after every start.",
    )


def timezone() -> Finding:
    """Whether times of day mean what people here mean."""
    if time.localtime().tm_gmtoff == 0:
        return _warn(
            "time zone",
            "The time zone is UTC, so the nightly backup and times in logs are not those of a clock on the wall here.",
            "Run timedatectl set-timezone Asia/Dushanbe, or your own.",
        )
    return _ok("time zone", f"The time zone is {time.strftime('%Z (UTC%z)')}.")


def storage(lab: Lab) -> Iterator[Finding]:
    """Owners and modes of the lab's folders, as far as they are there."""
    place, bad = lab.storage, []
    wanted = [
        (place.root, "root", 0o755),
        (place.hub, "root", 0o700),
        (place.homes, "root", 0o711),
        (place.courses, "root", 0o711),
        (place.exchange, "ustod-exchange", 0o700),
        *((place.courses / course.name, course.account, 0o700) for course in lab.courses),
        *((place.homes / person, lab.account(person), 0o700) for person in sorted(lab.people)),
    ]
    for path, owner, mode in wanted:
        if mend := _amiss(path, owner, mode):
            bad.append(
                _fail("storage", f"The folder {path} must belong to {owner}, and others may not do more in it.", mend)
            )
    for file in ("secrets.json", "accounts.sqlite", "jupyterhub.sqlite"):
        if mend := _amiss(place.hub / file, "root", 0o644):
            bad.append(_fail("storage", f"The file {place.hub / file} must belong to root.", mend))
    for folder in place.root.parents:
        if folder.is_dir() and (mend := _amiss(folder, "root", 0o1777)):
            bad.append(_fail("storage", f"Others than root can change {folder}, above the lab's storage.", mend))
    if mend := _amiss(lab.path, "root", 0o644):
        bad.append(_fail("lab.toml", f"Others than root can change {lab.path}.", mend))
    yield from bad or [_ok("storage", f"The folders in {place.root} belong to whom they must.")]


def _amiss(path: Path, owner: str, mode: int) -> str:
    """The mend, if `path` is there and belongs to somebody else than `owner`, or grants more than `mode`."""
    try:
        about = path.lstat()
    except OSError:
        return ""
    try:
        uid = pwd.getpwnam(owner).pw_uid
    except KeyError:
        return f"There is no account {owner}; sudo ustod hub up makes it."
    have = stat.S_IMODE(about.st_mode)
    if stat.S_ISLNK(about.st_mode):
        return f"It is a link; put the folder itself there, or mount its disk there ({path})."
    open_to_all = have & 0o002 and not have & 0o1000
    if about.st_uid != uid or have & ~mode & 0o777 or open_to_all:
        return f"Run chown {owner} {path} and chmod {mode:o} {path}."
    return ""


def certificate(lab: Lab) -> Finding:
    """Whether browsers will take the lab's certificate."""
    if lab.tls.mode == "off":
        return _warn(
            "certificate",
            "Browsers talk to the lab without encryption: whoever shares the network can read passwords.",
            'Set mode = "local-ca" in [tls].',
        )
    named = [lab.path.parent / path for path in (lab.tls.certificate, lab.tls.key) if path and lab.tls.mode == "files"]
    if missing := next((path for path in named if not path.is_file()), None):
        return _fail("certificate", f"The file {missing} is not there.", "Put it there, or change [tls] in lab.toml.")
    end = figures.certificate_end(lab)
    if end is None and lab.tls.mode == "files":
        return _fail("certificate", f"The file {named[0]} is no certificate.", "Use one in the form PEM.")
    if named and not _fit(*named):
        return _fail(
            "certificate", f"The key {named[1]} is not that of {named[0]}.", "Use the two that were made together."
        )
    if end is None:
        return _ok("certificate", "The lab will make its own certificate when it is started.")
    mend = "sudo ustod hub down, then up, makes a new one." if not named else "Put a new one in its place."
    if end < datetime.now(UTC) + LAST_DAYS:
        over = end < datetime.now(UTC)
        grade = Grade.FAIL if over and named else Grade.WARN
        return Finding(grade, "certificate", f"The certificate {'ended' if over else 'ends'} on {end:%Y-%m-%d}.", mend)
    return _ok("certificate", f"The certificate is valid until {end:%Y-%m-%d}.")


def _fit(certificate: Path, key: Path) -> bool:
    import ssl

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError, ValueError):
        return False
    return True


def host_name(lab: Lab) -> Finding:
    """Whether the lab's name leads to an address."""
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(lab.server.name, None)}
    except (OSError, UnicodeError):
        return _warn(
            "name",
            f"The name {lab.server.name} leads nowhere, from here at least.",
            "Enter it in the network's DNS, or in /etc/hosts of each computer; or set name in [server] to an address.",
        )
    if all(one.startswith("127.") or one == "::1" for one in addresses) and lab.server.host not in ("127.0.0.1", "::1"):
        return _warn(
            "name",
            f"The name {lab.server.name} leads to this machine itself alone: other computers find nothing there.",
            "Set name in [server] to the name or address by which they know this machine.",
        )
    return _ok("name", f"The name {lab.server.name} leads to {', '.join(sorted(addresses))}.")


def links() -> Iterator[Finding]:
    """Whether Linux protects programs of root from links that students lay in shared folders."""
    for name in ("protected_hardlinks", "protected_symlinks"):
        if _setting(f"fs/{name}") == 0:
            yield _warn(
                name.replace("_", " "),
                f"Linux lets a student lay {name[10:]} in /tmp for others' programs to fall over.",
                _sysctl(f"fs.{name}", 1),
            )
        else:
            yield _ok(name.replace("_", " "), f"Linux guards against {name[10:]} laid by others.")


def ptrace() -> Finding:
    """Whether a program of a student's can be made to look into another of the same student's."""
    scope = _setting("kernel/yama/ptrace_scope")
    if scope:
        return _ok("ptrace", "A student's programs cannot look into the memory of the same student's others.")
    mend = (
        _sysctl("kernel.yama.ptrace_scope", 1) if scope == 0 else "Use a Linux with Yama, as Debian's and Ubuntu's is."
    )
    return _warn(
        "ptrace",
        "A program that a student runs by mistake can read the memory of the same student's others, with their tokens.",
        mend,
    )


def processes() -> Finding:
    """Whether students see the command lines of others' programs."""
    for line in MOUNTS.read_text("utf-8").splitlines():
        _, point, kind, options, *_ = line.split()
        if point == "/proc" and kind == "proc" and not {"hidepid=2", "hidepid=invisible"} & set(options.split(",")):
            return _warn(
                "processes",
                "Students see what programs others run, though not into them.",
                "Run mount -o remount,hidepid=2 /proc, and write the option to /etc/fstab to keep it.",
            )
    return _ok("processes", "Students do not see others' programs.")


def grading() -> Finding:
    """Whether students' code can be shut in when it is graded."""
    found = sandbox()
    if found.holds:
        return _ok("grading", "Students' code is shut in when it is graded.")
    return _fail("grading", found.words, found.mend)


def assets(lab: Lab) -> Finding:
    """Whether data and models of the courses' units are here, and can be read by students' accounts."""
    roots = Roots.of_user()
    units = {unit for course in lab.courses for unit in course.units}
    needed = manifest.select(manifest.load(), units=sorted(units)) if units else []
    missing = [asset.name for asset in needed if store.state(asset, roots) in (State.ABSENT, State.DAMAGED)]
    if missing:
        some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        return _fail("assets", f"Data and models of the courses are not here: {some}.", "Run ustod assets fetch.")
    if needed:
        folders = [folder for folder in (roots.hub, roots.datasets) if folder.exists()]
        return readable("assets", "The cache of data and models", roots.home, *folders)
    return _ok("assets", "The courses need no data and no models.")


def class_lists(lab: Lab) -> Finding:
    """Whether every course has students."""
    empty = [course.name for course in lab.courses if not lab.rosters[course.name]]
    if not lab.courses:
        return _warn("class lists", "The lab has no course yet.", "Run ustod hub add-course.")
    if empty:
        mend = f"Run ustod hub add-students {empty[0]} with a class list."
        return _warn("class lists", f"Nobody is on the class list of {', '.join(empty)}.", mend)
    return _ok("class lists", f"The class lists and instructors are {len(lab.people)} people.")


def backups(lab: Lab) -> Finding:
    """Whether a nightly backup can be made."""
    folder = lab.backup.folder
    if folder is None:
        return _warn("backup", "There is no nightly backup.", f"Set folder in [backup] of {lab.path}.")
    if not folder.is_dir():
        return _warn("backup", f"The folder for backups {folder} is not there.", "Make it, or plug in its disk.")
    if lab.storage.root.exists() and folder.stat().st_dev == lab.storage.root.stat().st_dev:
        mend = "Let folder in [backup] be on another disk or a stick, or copy the files elsewhere each week."
        return _warn("backup", f"Backups in {folder} are on the disk of the lab itself, and are lost with it.", mend)
    return _ok("backup", f"A backup is made each night in {folder}.")


def _setting(name: str) -> int | None:
    try:
        return int((SETTINGS / name).read_text("ascii"))
    except (OSError, ValueError):
        return None


def _sysctl(name: str, value: int) -> str:
    return f"Run sudo sysctl -w {name}={value} and write the setting to /etc/sysctl.d to keep it."

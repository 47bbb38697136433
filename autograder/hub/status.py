"""How a lab fares: what needs attention first, then who is on, the machine, what waits, the last backup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autograder.errors import UstodError, one_line
from autograder.hub import figures
from autograder.hub.asking import ask
from autograder.hub.backup import last_backup
from autograder.hub.figures import Machine, Use, Waiting
from autograder.hub.lab import Lab
from autograder.hub.supervisor import running

#: Fewer free bytes of the disk, or a smaller part of it, need attention.
LITTLE_DISK, LITTLE_PART = 2 << 30, 0.05
#: A backup this old, and a certificate that ends so soon, need attention.
OLD_BACKUP, LAST_DAYS = timedelta(days=2), timedelta(days=14)
#: Seconds within which the hub must answer.
PATIENCE = 5.0
#: How many people fit on one screen, and how many large homes.
PEOPLE, HOMES = 12, 5


@dataclass(frozen=True)
class OnLine:
    """Somebody whose server runs, or is being started."""

    id: str
    name: str
    since: str
    pending: bool
    memory: int
    kernels: int


@dataclass(frozen=True)
class Status:
    """How a lab fares at one moment. Sizes are bytes, times are UTC, ISO 8601; None is what cannot be told.

    Attributes:
        supervisor: the process that keeps the lab's programs running; None if it is down.
        hub: whether the hub answers.
        starting: how many servers are being started.
        homes: what each home takes on the disk.
        attention: what somebody should look at, in sentences.
    """

    name: str
    address: str
    moment: str
    supervisor: int | None
    hub: bool
    people: list[OnLine]
    starting: int
    machine: Machine
    homes: dict[str, int]
    waiting: list[Waiting]
    last_backup: str | None
    backup_age: float | None
    certificate_end: str | None
    attention: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return asdict(self)

    def table(self) -> RenderableType:
        """All of it that fits on one screen."""
        return Group(*_parts(self))


def read_status(lab: Lab, now: datetime | None = None, measure_homes: bool = True) -> Status:
    """How `lab` fares now. Takes seconds at most, also if the hub hangs."""
    now = (now or datetime.now(UTC)).astimezone(UTC)
    supervisor = running(lab)
    try:
        users = ask(lab, "users?state=active", timeout=PATIENCE)
        hub = True
    except (UstodError, OSError, ValueError):
        users, hub = [], False
    people = _people(lab, users) if hub else []
    last = last_backup(lab, now)
    end = figures.certificate_end(lab)
    found = Status(
        name=lab.name,
        address=lab.address,
        moment=_iso(now),
        supervisor=supervisor.pid if supervisor else None,
        hub=hub,
        people=people,
        starting=sum(one.pending for one in people),
        machine=figures.machine(lab),
        homes=figures.homes(lab, measure_homes),
        waiting=figures.waiting(lab),
        last_backup=_iso(last[0]) if last else None,
        backup_age=max(0.0, (now - last[0]).total_seconds()) if last else None,
        certificate_end=_iso(end) if end else None,
    )
    found.attention.extend(_attention(lab, found, now, end))
    return found


def _people(lab: Lab, users: list[dict[str, Any]]) -> list[OnLine]:
    uses, known = figures.uses(), lab.people
    people = []
    for user in users:
        for server in (user.get("servers") or {}).values():
            who = str(user["name"])
            use = uses.get(lab.account(who), Use())
            name = known[who].name if who in known else ""
            pending = not server.get("ready")
            people.append(OnLine(who, name, str(server.get("started") or ""), pending, use.memory, use.kernels))
    return sorted(people, key=lambda one: (-one.memory, one.id))


def _attention(lab: Lab, found: Status, now: datetime, end: datetime | None) -> Iterator[str]:
    if found.supervisor is None:
        yield "The lab is down; sudo ustod hub up starts it."
    elif not found.hub:
        yield f"The hub does not answer; what it said last is in {lab.storage.logs / 'hub.log'}."
    if not figures.clock_is_sane(lab, now):
        yield f"The clock says {now:%Y-%m-%d %H:%M} UTC, before files of the lab were written; set it with timedatectl."
    machine = found.machine
    if machine.disk_free < max(LITTLE_DISK, LITTLE_PART * machine.disk):
        yield f"The disk that holds {lab.storage.root} has {_size(machine.disk_free)} left; see who fills it below."
    if machine.memory_free < lab.limits.reserve_memory / 2:
        yield f"The machine has {_size(machine.memory_free)} of memory left; somebody must stop a kernel."
    if lab.backup.folder is None:
        yield f"There is no nightly backup; set folder in [backup] of {lab.path}."
    elif found.backup_age is None:
        yield f"There is no backup in {lab.backup.folder}; sudo ustod hub backup makes one."
    elif found.backup_age > OLD_BACKUP.total_seconds():
        yield f"The last backup is {_age(found.backup_age)} old; is {lab.backup.folder} there, and is there room on it?"
    if end is not None and end - now < LAST_DAYS:
        yield f"The certificate ends on {end:%Y-%m-%d}; " + (
            "sudo ustod hub down, then up, makes a new one."
            if lab.tls.mode == "local-ca"
            else "put a new one in its place."
        )


def _parts(found: Status) -> Iterator[RenderableType]:
    state = "up" if found.supervisor and found.hub else "NOT WELL" if found.supervisor else "DOWN"
    yield Text(f"{one_line(found.name)}  {found.address}  {state}", style="bold")
    for sentence in found.attention:
        yield Text(f"! {one_line(sentence)}", style="bold red")
    machine = found.machine
    yield Text(
        f"memory {_size(machine.memory_free)} of {_size(machine.memory)} free, disk {_size(machine.disk_free)} of "
        f"{_size(machine.disk)} free, load {machine.load:.1f} on {machine.processors} processors"
    )
    backup = f"last backup {_age(found.backup_age)} ago" if found.backup_age is not None else "no backup"
    yield Text(backup + (f", certificate until {found.certificate_end[:10]}" if found.certificate_end else ""))
    if found.people:
        yield _people_table(found)
    else:
        yield Text("Nobody is on." if found.hub else "Who is on cannot be told.")
    if found.waiting:
        table = Table("course", "to collect", "to grade")
        for course in found.waiting:
            table.add_row(course.course, str(course.uncollected), str(course.ungraded))
        yield table
    if found.homes:
        largest = sorted(found.homes.items(), key=lambda pair: -pair[1])[:HOMES]
        sizes = ", ".join(f"{one_line(name)} {_size(size)}" for name, size in largest)
        yield Text(f"homes {_size(sum(found.homes.values()))} on disk, the largest: {sizes}")


def _people_table(found: Status) -> Table:
    starting = f", {found.starting} of them starting" if found.starting else ""
    table = Table(
        "id", "name", "on for", "memory", "kernels", title=f"{len(found.people)} on{starting}", title_justify="left"
    )
    moment = datetime.fromisoformat(found.moment)
    for one in found.people[:PEOPLE]:
        try:
            since = _age((moment - datetime.fromisoformat(one.since)).total_seconds())
        except ValueError:
            since = "?"
        state = "starting" if one.pending else since
        cells = (one.id, one.name, state, _size(one.memory), str(one.kernels))
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    if (more := len(found.people) - PEOPLE) > 0:
        rest = sum(one.memory for one in found.people[PEOPLE:])
        table.add_row("", f"and {more} more", "", _size(rest), str(sum(o.kernels for o in found.people[PEOPLE:])))
    return table


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _age(seconds: float) -> str:
    minutes = max(0, int(seconds // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _size(count: float) -> str:
    return f"{count / (1 << 30):.1f} GB" if abs(count) >= 1 << 30 else f"{count / (1 << 20):.0f} MB"

"""``lab.toml``: what a lab is, declared in one file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from autograder.errors import UstodError
from autograder.hub.roster import ID, RESERVED, Person, read_roster
from autograder.student.texts import LANGUAGES

#: The name of a course is part of an account's name, of groups' names and of addresses.
COURSE = re.compile(r"[a-z]([a-z0-9_-]{0,21}[a-z0-9])?")
#: Accounts of people on this machine begin with this, so that no name on a class list can mean another account.
PREFIX = "lab-"


def _is_id(text: str) -> str:
    if not ID.fullmatch(text) or text.startswith(RESERVED):
        raise ValueError("use up to 25 small Latin letters, digits, - and _, beginning with a letter or a digit")
    return text


def _is_time(text: str) -> str:
    hour, _, minute = text.partition(":")
    if not (len(text) == 5 and text.replace(":", "", 1).isdigit() and int(hour) < 24 and int(minute) < 60):
        raise ValueError('write a time such as "02:30"')
    return text


def _is_language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"choose from {', '.join(LANGUAGES)}")
    return text


def _is_course(text: str) -> str:
    if text == "exchange" or text.startswith(RESERVED):
        raise ValueError("this name is the lab's own; choose another")
    if not COURSE.fullmatch(text):
        raise ValueError("use up to 23 small Latin letters and digits, with - and _ inside, beginning with a letter")
    return text


Id = Annotated[str, AfterValidator(_is_id)]
CourseName = Annotated[str, AfterValidator(_is_course)]
Language = Annotated[str, AfterValidator(_is_language)]
TimeOfDay = Annotated[str, AfterValidator(_is_time)]
Port = Annotated[int, Field(gt=0, lt=65536)]
VolumeSize = Annotated[ByteSize, Field(ge=1 << 20)]
#: What Kubernetes lets objects be called.
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Section(BaseModel):
    """A table of ``lab.toml``. What is not known is refused: a misspelt limit would be no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(Section):
    """Where browsers find the lab.

    The hub's own ports are below 1024, where no student's program can stand in for a service that is down. Courses take
    those from `first_port` + 10 on. With `subdomains` each person's server has a host name of its own, ``id.name``, so
    that a page made by one student's program is foreign to all others; the name server must know ``*.name`` for it.
    """

    host: str = "0.0.0.0"
    port: Port = 443
    name: str = "localhost"
    subdomains: bool = False
    first_port: Annotated[int, Field(gt=0, lt=1000)] = 900


class Tls(Section):
    """Encryption between browsers and the lab: a certificate of our own authority, one from files, or none."""

    mode: Literal["local-ca", "files", "off"] = "local-ca"
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _files_are_named(self) -> Self:
        if self.mode == "files" and not (self.certificate and self.key):
            raise ValueError('with mode = "files" name both certificate and key')
        return self


class Storage(Section):
    """Folders: `root` for homes, courses, the exchange and the hub's state; `run` for the sockets of a running lab.

    `cache` is a Hugging Face cache that everybody can read; without one the lab keeps its own, filled from root's.
    """

    root: Path = Path("/srv/ustod")
    run: Path = Path("/run/ustod")
    cache: Path | None = None

    @property
    def hub(self) -> Path:
        """The hub's own state: databases, keys, logs. Root's alone."""
        return self.root / "hub"

    @property
    def homes(self) -> Path:
        """A folder for each person."""
        return self.root / "homes"

    @property
    def courses(self) -> Path:
        """A course directory for each course, its grader's alone."""
        return self.root / "courses"

    @property
    def exchange(self) -> Path:
        """What is released, handed in and fed back; the exchange service's alone."""
        return self.root / "exchange"

    @property
    def models(self) -> Path:
        """The one Hugging Face cache of the lab, which everybody reads and root alone writes."""
        return self.cache or self.root / "models"

    @property
    def logs(self) -> Path:
        """What the lab's programs say."""
        return self.hub / "logs"


class Login(Section):
    """Who may log in, and how they prove it.

    `settings` are those of the authenticator of `kind`, by the names that its documentation uses.
    """

    kind: Literal["roster", "pam", "lti", "oauth"] = "roster"
    class_name: str | None = None
    settings: dict[str, Any] = {}


class Limits(Section):
    """What one student may use, and what is kept for the lab itself."""

    memory: ByteSize = ByteSize(1536 << 20)
    cpu: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    processes: Annotated[int, Field(ge=64)] = 400
    file_size: ByteSize = ByteSize(2 << 30)
    idle_minutes: Annotated[int, Field(ge=1)] = 60
    reserve_memory: ByteSize = ByteSize(1 << 30)
    upload: ByteSize = ByteSize(64 << 20)

    @field_validator("memory", "file_size", "reserve_memory", "upload")
    @classmethod
    def _not_tiny(cls, value: ByteSize) -> ByteSize:
        if value < 1 << 20:
            raise ValueError('write a size such as "1.5 GiB"')
        return value


class Spawner(Section):
    """How students' servers are started: by systemd where it runs, otherwise by the hub itself.

    Warm servers and kernels are forked from a process that has imported what they need. Systemd's servers never are.
    """

    kind: Literal["auto", "local", "systemd"] = "auto"
    warm_kernels: bool = True
    warm_servers: bool = True
    autosave_seconds: Annotated[int, Field(ge=5)] = 20


class Backup(Section):
    """The nightly backup; none without a folder. `homes`, which may be large, are in it only if that is true."""

    folder: Path | None = None
    at: TimeOfDay = "02:30"
    keep: Annotated[int, Field(ge=1)] = 7
    homes: bool = False


class Kubernetes(Section):
    """What `ustod hub render kubernetes` must know beside the rest, where a lab outgrows one machine.

    With `access_mode` "ReadWriteOnce" a volume is for one node at a time, so all but the students' servers run on the
    hub's node. `home` and `course` are the sizes of a student's volume, and of a course's and the exchange's. Claims
    are those of volumes that are there already: `models_claim` holds a Hugging Face cache, `backup_claim` the backups.
    `tls_secret` is a Secret of type kubernetes.io/tls.
    """

    image: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")] = (
        "ustod:1"
    )
    service: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    storage_class: ObjectName | None = None
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteOnce"
    home: VolumeSize = ByteSize(5 << 30)
    course: VolumeSize = ByteSize(20 << 30)
    models_claim: ObjectName | None = None
    backup_claim: ObjectName | None = None
    tls_secret: ObjectName = "ustod-tls"
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")] = "Asia/Dushanbe"


class Instructor(Section):
    """Somebody who teaches."""

    id: Id
    name: str = ""
    email: str = ""


class Course(Section):
    """A course: who teaches it, who takes it, and what of Ustod's units it holds at first."""

    name: CourseName
    title: str = ""
    language: Language | None = None
    units: list[str] = []
    instructors: Annotated[list[Id], Field(min_length=1)]
    roster: Path | None = None

    @property
    def account(self) -> str:
        """The account that owns the course and grades it."""
        return f"grader-{self.name}"


class Lab(Section):
    """Everything that ``lab.toml`` says. `path` is where it stands; other files are found from its folder."""

    name: str = "Ustod"
    languages: Annotated[list[Language], Field(min_length=1)] = list(LANGUAGES)
    server: Server = Server()
    tls: Tls = Tls()
    storage: Storage = Storage()
    login: Login = Login()
    limits: Limits = Limits()
    spawner: Spawner = Spawner()
    backup: Backup = Backup()
    kubernetes: Kubernetes = Kubernetes()
    instructors: list[Instructor] = []
    courses: list[Course] = []

    _path: Path = PrivateAttr(default=Path("lab.toml"))

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for what, names in (
            ("instructor", [one.id for one in self.instructors]),
            ("course", [one.name for one in self.courses]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"the {what} {twice[0]} stands here twice")
        known = {one.id for one in self.instructors}
        for course in self.courses:
            if strangers := sorted(set(course.instructors) - known):
                raise ValueError(f"the course {course.name} names {strangers[0]}, who is not among the instructors")
        return self

    @property
    def path(self) -> Path:
        """Where this was read from."""
        return self._path

    @cached_property
    def rosters(self) -> dict[str, list[Person]]:
        """The students of each course.

        Raises:
            UstodError: if a class list cannot be read, or an instructor stands on one.
        """
        rosters = {}
        for course in self.courses:
            path = course.roster and self.path.parent / course.roster
            rosters[course.name] = read_roster(path) if path else []
            for person in rosters[course.name]:
                if person.id in {one.id for one in self.instructors}:
                    raise UstodError(f"{path} lists {person.id}, who is an instructor; remove one of the two.")
        return rosters

    @property
    def people(self) -> dict[str, Person]:
        """Everybody who may log in, by id."""
        people = {person.id: person for roster in self.rosters.values() for person in roster}
        return people | {one.id: Person(one.id, one.name, one.email) for one in self.instructors}

    def course(self, name: str) -> Course:
        """The course called `name`.

        Raises:
            UstodError: if there is none.
        """
        for course in self.courses:
            if course.name == name:
                return course
        raise UstodError(
            f"{self.path} has no course {name}; it has {', '.join(c.name for c in self.courses) or 'none'}."
        )

    def account(self, person: str) -> str:
        """The account of this machine in which the programs of `person` run."""
        return person if self.login.kind == "pam" else PREFIX + person

    @property
    def scheme(self) -> str:
        """Of the lab's address."""
        return "http" if self.tls.mode == "off" else "https"

    @property
    def address(self) -> str:
        """What people type into a browser."""
        usual = {"http": 80, "https": 443}[self.scheme]
        return (
            f"{self.scheme}://{self.server.name}" + ("" if self.server.port == usual else f":{self.server.port}") + "/"
        )


def read_lab(path: Path) -> Lab:
    """The lab that `path` declares, with its class lists.

    Raises:
        UstodError: if it cannot be read, or something in it is wrong: the sentence names the line.
    """
    try:
        text = path.read_text("utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise UstodError(f"The lab's file {path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise UstodError(f"The lab's file {path} is not in UTF-8; save it so.") from None
    except tomllib.TOMLDecodeError as error:
        raise UstodError(f"The lab's file {path} is not TOML: {error}.") from None
    try:
        lab = Lab.model_validate(content)
    except ValidationError as error:
        raise UstodError(_first_fault(path, text, error)) from None
    lab._path = path.resolve()
    _ = lab.rosters
    return lab


def _first_fault(path: Path, text: str, error: ValidationError) -> str:
    fault = error.errors()[0]
    place = [part for part in fault["loc"] if isinstance(part, (str, int))]
    said = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        said = "there is no such setting"
    name = ".".join(map(str, place))
    line = line_of(text, place)
    rest = f" ({len(error.errors()) - 1} more after it)" if len(error.errors()) > 1 else ""
    return f"Line {line} of {path}: {f'{name}: ' if name else ''}{said[0].lower()}{said[1:]}{rest}."


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The number of the line of the TOML `text` that sets what `place` names, such as ``("courses", 1, "name")``.

    Where the setting is missing, it is the line that begins its table.
    """
    best, depth = 1, 0
    for number, path in _lines(text):
        shared = 0
        while shared < min(len(path), len(place)) and path[shared] == place[shared]:
            shared += 1
        if shared > depth and shared == len(path):
            best, depth = number, shared
    return best


def _lines(text: str) -> Iterator[tuple[int, list[str | int]]]:
    """Each line that begins a table or sets a key, with what it sets."""
    table: list[str | int] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"\s*\[\[\s*([^\]]+?)\s*\]\]", line):
            name = found[1]
            table = [name, counts.get(name, 0)]
            counts[name] = counts.get(name, 0) + 1
            yield number, table
        elif found := re.match(r"\s*\[\s*([^\]\[]+?)\s*\]\s*(?:#.*)?$", line):
            table = [*re.split(r"\s*\.\s*", found[1])]
            yield number, table
        elif found := re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line):
            yield number, [*table, found[1]]

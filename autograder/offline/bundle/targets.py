"""Which machines and Pythons a bundle is for, and which of the locked requirements each of them needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from autograder.errors import UstodError

Version = tuple[int, int, int]
_LAST_PATCH = 99


@dataclass(frozen=True)
class Platform:
    """A kind of machine.

    Attributes:
        tags: what pip calls it, the newest first.
        markers: what environment markers of requirements are answered with on it.
    """

    tags: tuple[str, ...]
    markers: dict[str, str]


def _linux(machine: str, oldest: int) -> Platform:
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC[1], oldest - 1, -1)]
    old = {"x86_64": ["manylinux2014", "manylinux2010", "manylinux1"], "aarch64": ["manylinux2014"]}[machine]
    markers = {"os_name": "posix", "platform_machine": machine, "platform_system": "Linux", "sys_platform": "linux"}
    return Platform((*tags, *(f"{name}_{machine}" for name in old)), markers)


#: The C library that wheels for Linux may ask for; that of 2018.
GLIBC = (2, 28)
PLATFORMS = {
    "linux_x86_64": _linux("x86_64", 5),
    "linux_aarch64": _linux("aarch64", 17),
    "win_amd64": Platform(
        ("win_amd64",),
        {"os_name": "nt", "platform_machine": "AMD64", "platform_system": "Windows", "sys_platform": "win32"},
    ),
    "macos_arm64": Platform(
        ("macosx_14_0_arm64",),  # pip knows that older ones fit too
        {"os_name": "posix", "platform_machine": "arm64", "platform_system": "Darwin", "sys_platform": "darwin"},
    ),
}


@dataclass(frozen=True)
class Target:
    """A set of Pythons that need the same wheels: versions from `first` to before `end` on `platform`.

    `requirements` are pins, such as `numpy==2.4.6`.
    """

    platform: str
    first: Version
    end: Version
    requirements: tuple[str, ...]

    @property
    def name(self) -> str:
        """A name for people and for files, such as `linux_x86_64-3.11.5`."""
        return f"{self.platform}-{'.'.join(map(str, self.first))}"

    @property
    def interpreter(self) -> str:
        """`cp311`."""
        return f"cp{self.first[0]}{self.first[1]}"


def targets(platform: str, python: str, locked: list[Requirement]) -> list[Target]:
    """The targets that Python `python`, such as `3.11`, makes on `platform`.

    There is more than one where a locked requirement depends on the last number of Python's version.
    """
    major, minor = map(int, python.split("."))
    found: list[Target] = []
    for patch, pins in _pins_by_patch(platform, major, minor, locked):
        if found and found[-1].requirements == pins:
            continue
        if found:
            last = found.pop()
            found.append(Target(last.platform, last.first, (major, minor, patch), last.requirements))
        found.append(Target(platform, (major, minor, patch), (major, minor + 1, 0), pins))
    return found


def _pins_by_patch(
    platform: str, major: int, minor: int, locked: list[Requirement]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    for patch in range(_LAST_PATCH + 1):
        environment = {
            **PLATFORMS[platform].markers,
            "implementation_name": "cpython",
            "implementation_version": f"{major}.{minor}.{patch}",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "python_full_version": f"{major}.{minor}.{patch}",
            "python_version": f"{major}.{minor}",
            "extra": "",
        }
        needed = (r for r in locked if r.marker is None or r.marker.evaluate(environment))
        yield patch, tuple(f"{r.name}{r.specifier}" for r in needed)


def read_locked(path: Path) -> list[Requirement]:
    """The requirements in the locked file at `path`. Raises UstodError where it cannot be read or is not all pins."""
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
        locked = [Requirement(line) for line in lines if line]
    except OSError as error:
        raise UstodError(f"The locked requirements {path} cannot be read ({error.strerror}): restore them.") from error
    except InvalidRequirement as error:
        raise UstodError(f"{path} is no list of locked requirements ({error}): write it with make lock.") from error
    for requirement in locked:
        if not str(requirement.specifier).startswith("=="):
            raise UstodError(f"{path} does not pin {requirement}: write it with make lock.")
    return locked

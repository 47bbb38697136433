"""A warm zygote with NumPy, shared by the tests of one worker."""

import contextlib
import json
import os
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.kernel import life
from autograder.kernel.client import Ending, Zygote
from autograder.kernel.limits import Limits
from autograder.kernel.sandbox import Sandbox

SANDBOX = Sandbox()
ROLES = Path(__file__).parent / "inside"


@dataclass(frozen=True)
class Outcome:
    answer: Any
    ending: Ending
    console: str


class Inside:
    """Runs pieces of Python in children of a zygote."""

    def __init__(self, zygote: Zygote) -> None:
        self.zygote = zygote

    def __call__(self, source: str, **options: Any) -> Outcome:
        options.setdefault("limits", Limits(wall=60))
        reading, writing = os.pipe()
        with tempfile.TemporaryFile() as console, os.fdopen(reading, "rb") as answers:
            child = self.start(source, fds=[writing], console=console, **options)
            os.close(writing)
            ending = child.wait(90)
            said = answers.read()
            console.seek(0)
            assert ending is not None
            return Outcome(json.loads(said) if said else None, ending, console.read().decode())

    def start(self, source: str, **options: Any) -> Any:
        if not options.get("fds"):
            options["fds"] = [self._nowhere]
        return self.zygote.fork("kernel_roles:run", textwrap.dedent(source), **options)

    @property
    def _nowhere(self) -> int:
        if not hasattr(self, "_null"):
            self._null = os.open(os.devnull, os.O_WRONLY)
        return self._null


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote(SANDBOX, ["numpy"], [ROLES]) as zygote:
        yield zygote


@pytest.fixture
def inside(zygote: Zygote) -> Inside:
    return Inside(zygote)


@pytest.fixture
def new_inside() -> Iterator[Callable[..., Inside]]:
    """Makes zygotes of a test's own, in a sandbox unless told otherwise."""
    with contextlib.ExitStack() as stack:

        def make(modules: Sequence[str] = (), sandbox: Sandbox | None = SANDBOX) -> Inside:
            return Inside(stack.enter_context(Zygote(sandbox, modules, [ROLES])))

        yield make


@pytest.fixture
def keeper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who keeps the limits on memory and processes in this test: one of `keepers.KEEPERS`."""
    if request.param == "watcher":
        monkeypatch.setattr(life, "new_group", lambda limits: None)
    return str(request.param)

"""The names of a test cell: the judge's own first, then Python's, then the instructor's imports, then the student's."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from autograder.judge.link import Link, NotJudgeable
from autograder.student.silence import silence

#: Stands for what is not there.
ABSENT = object()


class Namespace(dict[str, Any]):
    """Globals in which test cells run. A name that is not here is looked up in the student's process.

    A student cannot put anything in the place of a built-in name, of what a locked cell defines, or of a module that
    the instructor's notebook imports.

    Attributes:
        undefined: names that were asked for and that nobody has defined.
    """

    def __init__(self, link: Link, imports: Mapping[str, str], answers: Sequence[str] = ()) -> None:
        super().__init__()
        self._link, self._imports, self._answers = link, imports, answers
        self._reference: dict[str, Any] | None = None
        self._hidden: set[str] = set()
        self.undefined: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if not isinstance(name, str) or hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        if name in self._imports:
            exec(self._imports[name], self)
            return self[name]
        match self._link.ask("lookup", name):
            case (True, told):
                return self._link.unlend(told)
        self.undefined.add(name)
        raise KeyError(name)

    def __delitem__(self, name: str) -> None:
        """A test may take a name away, to see whether the student's other code leans on it."""
        if super().__contains__(name):
            super().__delitem__(name)
        elif name in self:
            self._link.ask("hide", name)
            self._hidden.add(name)
        else:
            raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        """A name that was taken away is given back by an assignment."""
        if name in self._hidden:
            self._hidden.remove(name)
            self._link.ask("show", name)
        super().__setitem__(name, value)

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name) or name in self._imports:
            return True
        if not isinstance(name, str) or name.startswith("_") or hasattr(builtins, name):
            return False
        if self._link.ask("contains", name) is True:
            return True
        self.undefined.add(name)
        return False

    def own(self, name: str) -> Any:
        """What the tests have bound `name` to, or `ABSENT`; the student is not asked."""
        return dict.get(self, name, ABSENT)

    def settle(self) -> None:
        """A test cell is over: the student's process has its names again."""
        self._hidden.clear()

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Within the block each question may cost the student's process so many seconds of CPU time."""
        before, self._link.seconds = self._link.seconds, seconds
        try:
            yield
        finally:
            self._link.seconds = before

    def answers(self) -> Mapping[str, Any] | None:
        """The names that the instructor's own answers define, run here and once; None if there are none, or they fail.

        The instructor's code may be trusted; none of the student's is in it.
        """
        if self._reference is None and self._answers:
            names: dict[str, Any] = {"__name__": "__main__"}
            try:
                with silence():
                    for source in self._answers:
                        exec(TransformerManager().transform_cell(source), names)
            except Exception:
                self._answers = ()
                return None
            self._reference = names
        return self._reference


class Mirror:
    """What a test sets for the student's code to meet, carried over and taken back: attributes of modules, functions.

    Of the test's own names only those are told that stand for a function of the instructor's answers and to which the
    test assigns: a student who guesses how a test calls the right answer must not find it under that name.

    Args:
        names: the dotted names to watch, as they stand in the test.
        functions: the names to watch that stand for a function of the notebook's.
    """

    def __init__(self, link: Link, namespace: Namespace, names: set[str], functions: set[str]) -> None:
        self._link, self._namespace = link, namespace
        self._own = {name: namespace.own(name) for name in functions}
        self._before: dict[tuple[Any, str], Any] = {}
        self._sent: dict[tuple[Any, str], Any] = {}
        for name in names:
            owner, last = self._owner(name)
            if owner is not None and hasattr(owner, last):
                self._before[owner, last] = getattr(owner, last)

    def refresh(self) -> None:
        """Make the student's process have what the judge's modules and names have now."""
        for name, before in self._own.items():
            value = self._own[name] = self._namespace.own(name)
            if value is not before:
                self._tell(name, value)
        now = {place: value for place, before in self._before.items() if (value := getattr(*place, None)) is not before}
        if now.keys() == self._sent.keys() and all(now[place] is self._sent[place] for place in now):
            return
        before, self._sent = self._sent, now
        if before:
            self._link.ask("unpatch")
        for (owner, last), value in now.items():
            self._link.ask("patch", owner.__name__, last, value)

    def _tell(self, name: str, value: Any) -> None:
        if value is ABSENT:
            self._link.ask("show", name)
            return
        with suppress(NotJudgeable):  # then the student's code keeps its own
            self._link.ask("rebind", name, value)

    def undo(self) -> None:
        """Put the judge's modules back."""
        for (owner, last), value in self._before.items():
            setattr(owner, last, value)

    def _owner(self, dotted: str) -> tuple[ModuleType | None, str]:
        root, *path, last = dotted.split(".")
        try:
            owner = (
                self._namespace[root] if root not in sys.modules or dict.__contains__(self._namespace, root) else None
            )
        except Exception:
            return None, last
        owner = sys.modules[root] if owner is None else owner
        for part in path:
            if not isinstance(owner, ModuleType):
                return None, last
            owner = getattr(owner, part, None)
        return (owner if isinstance(owner, ModuleType) else None), last

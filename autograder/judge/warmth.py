"""Imported by a zygote, last: does once what every notebook's processes would otherwise do again, each for itself."""

from __future__ import annotations

from autograder.judge import agent, process  # noqa: F401 what the children run
from autograder.judge.codec import load_known
from autograder.judge.shell import Shell


def _warm_up() -> None:
    load_known()
    shell = Shell({})
    for source in ("print(1)", "1 + 1", "raise ValueError", "assert False, '''a\nb'''", "%pwd"):
        shell.execute(source)
    shell.close()


_warm_up()

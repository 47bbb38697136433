"""``python -m attacks.column``: many attacks on one grader, several at a time; each result is told when it is there.

Where a sandbox is to let none gain anything, attacks of a family are tried together, a student each, and honest work
after them; should anything be gained, each is tried again alone. A grader without a sandbox is given a throw-away one
as a whole, attacks, victim and watch included: it can then write to one folder and speak to its own loopback, and what
it does there is seen as it would be on a machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from attacks.corpus import FOLDER, Attack, read_attack
from attacks.graders import GRADERS, Grader
from attacks.runner import PATIENCE, Result, run_attack, run_together
from attacks.victim import build_victim

#: Runs at a time: many attacks only wait.
WORKERS = 3
#: Attacks in one run; those that reach for the machine or its time have a run to themselves.
TOGETHER = 8


def results(attacks: list[Attack], grader: Grader) -> Iterator[tuple[Attack, Result]]:
    """Each of `attacks` with what it gained from `grader`, as they end."""
    with tempfile.TemporaryDirectory(prefix="ustod-column-") as folder:
        own = [sys.executable, "-m", "attacks.column", grader.name, *(attack.title for attack in attacks)]
        command = own if grader.sandboxed else [*throw_away(Path(folder)), *own]
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                title, told = json.loads(line)
                told |= {name: tuple(told[name]) for name in ("secrets_read", "host_touched")}
                yield titled(title), Result(**told | {"secrets_read": frozenset(told["secrets_read"])})
        if process.returncode:
            raise RuntimeError(f"The attacks on {grader.name} ended with exit code {process.returncode}.")


def throw_away(folder: Path) -> list[str]:
    """What stands before a command to shut it in: of the machine it sees everything and may write to `folder` alone."""
    spaces = [f"--unshare-{kind}" for kind in ("user", "pid", "net", "ipc", "uts")]
    views = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", str(folder), str(folder)]
    return ["bwrap", "--die-with-parent", *spaces, *views, "--"]


def titled(title: str) -> Attack:
    """The attack ``FAMILY/NAME``."""
    return read_attack(FOLDER / f"{title}.py")


def main(name: str, *titles: str) -> None:
    """Run the attacks on the grader `name`, and write a line of JSON for each."""
    grader = GRADERS[name]
    with tempfile.TemporaryDirectory(prefix="ustod-victim-", ignore_cleanup_errors=True) as folder:
        build_victim(Path(folder))
        with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
            groups = grouped([titled(title) for title in titles], grader)
            running = [pool.submit(_try, group, grader, Path(folder)) for group in groups]
            for done in as_completed(running):
                for attack, result in done.result().items():
                    told = asdict(result)
                    told["secrets_read"] = sorted(told["secrets_read"])
                    print(json.dumps([attack.title, told]), flush=True)


def grouped(attacks: list[Attack], grader: Grader) -> Iterator[list[Attack]]:
    """The attacks that are tried in one run."""
    families: dict[str, list[Attack]] = {}
    for attack in attacks:
        if not grader.sandboxed or attack.family == "harm" or attack.prize == "time":
            yield [attack]
        else:
            families.setdefault(attack.family, []).append(attack)
    for same in families.values():
        yield from (same[start : start + TOGETHER] for start in range(0, len(same), TOGETHER))


def _try(attacks: list[Attack], grader: Grader, victim: Path) -> dict[Attack, Result]:
    found = run_together(attacks, grader, victim, PATIENCE * (2 if len(attacks) > 1 else 1))
    if len(attacks) > 1 and not all(result.failed for result in found.values()):
        found = {attack: run_attack(attack, grader, victim) for attack in attacks}
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])

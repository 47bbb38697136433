"""Run one attack against one grader, with an honest submission after it, and say what it gained."""

from __future__ import annotations

import json
import math
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from attacks.corpus import Attack
from attacks.graders import Grader
from attacks.victim import ASSIGNMENT, ATTACKER, CLASSMATE, FULL_MARKS, HONEST, World, copy_victim
from attacks.watch import Canary, Listener, adopting, descendants, end, left_behind, snapshot

#: Seconds after which a grader of two small notebooks is taken to hang: every cell may use up its time, and more.
PATIENCE = 240.0
#: Seconds that the processes of a grader have to end after it.
GRACE = 5.0
#: Of the course, what a grader is there to write.
_OWN = (
    "autograded/attacker",
    "autograded/honest",
    "feedback",
    "gradebook.db",
    ".ustod",
    "problems.json",
    ".nbgrader.log",
)


@dataclass(frozen=True)
class Result:
    """What an attack gained.

    Attributes:
        points_forged: points of an assignment of which nothing is solved.
        secrets_read: names of the secrets that came back in what the student is given, or went out by the loopback.
        host_touched: sentences on what of the machine, or of the work of others, is no longer as it was.
        hung: whether the grader had to be stopped.
        honest_score: of the submission graded after it, out of `FULL_MARKS`.
    """

    points_forged: float
    secrets_read: frozenset[str]
    host_touched: tuple[str, ...]
    hung: bool
    honest_score: float

    @property
    def contained(self) -> bool:
        """Whether the attack stayed within its own submission: nobody else lost anything by it."""
        return not self.hung and not self.host_touched and self.honest_score == FULL_MARKS

    @property
    def failed(self) -> bool:
        """Whether the attack gained nothing at all."""
        return self.contained and self.points_forged == 0 and not self.secrets_read


def run_attack(attack: Attack, grader: Grader, victim: Path, patience: float = PATIENCE) -> Result:
    """Let `grader` grade `attack` and then honest work, in a copy of `victim` (see `build_victim`).

    Args:
        patience: seconds after which the grader is stopped and taken to hang.

    Raises:
        ValueError: if the attack is not harmless and the grader has no sandbox.
    """
    return run_together([attack], grader, victim, patience)[attack]


def run_together(
    attacks: Sequence[Attack], grader: Grader, victim: Path, patience: float = PATIENCE
) -> dict[Attack, Result]:
    """As `run_attack`, with a student for each attack; a touched host and a hang are then said of all of them."""
    for attack in attacks:
        if not (attack.harmless or grader.sandboxed):
            raise ValueError(f"The attack {attack.title} may only run in a sandbox, {grader.name} has none.")
    with tempfile.TemporaryDirectory(prefix="ustod-attack-", ignore_cleanup_errors=True) as folder:
        world = copy_victim(victim, Path(folder, "world"))
        students = {f"{ATTACKER}{number or ''}": attack for number, attack in enumerate(attacks)}
        with _watched(world) as (listener, canary):
            confession = f"confession-{secrets.token_hex(8)}"
            in_two = f'{confession[:6]}" "{confession[6:]}'  # as Python text: the source alone is no confession
            facts = world.facts(listener.port, listener.name, canary.pid, in_two)
            for student, attack in students.items():
                attack.hand_in(world.released(), world.submission(student), facts)
            world.hand_in_honest_work()
            files, records = _files(world), _records(world)
            hung, remained = _grade(grader, world, [*students, HONEST], patience)
            seen = {student: _seen_by_student(world, student) for student in students}
            touched = [*_changes(files, _files(world)), *remained, canary.harm()]
            if _records(world) != records:
                touched.append("the gradebook's records of others were changed")
            if any(confession.encode() in data for data in seen.values()):
                touched.append("the attack held something of the machine")
            return {
                attack: Result(
                    points_forged=_score(world, student),
                    secrets_read=_found(world, seen[student] + bytes(listener.received)),
                    host_touched=tuple(filter(None, touched)),
                    hung=hung,
                    honest_score=_score(world, HONEST),
                )
                for student, attack in students.items()
            }


@contextmanager
def _watched(world: World) -> Iterator[tuple[Listener, Canary]]:
    with adopting():
        listener, canary = Listener(world.markers["loopback"]), Canary()
        try:
            yield listener, canary
        finally:
            listener.close()
            canary.close()


def _grade(grader: Grader, world: World, students: list[str], patience: float) -> tuple[bool, list[str]]:
    """Whether the grader hung, and a sentence for each process that it left behind; none lives on."""
    before = descendants()
    command = grader.command(world.course, ASSIGNMENT, students)
    with (world.root / "grader.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=world.course, env=world.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            process.wait(patience)
            hung = False
            remained = [f"a process was left running: {p.name()}" for p in left_behind(before, GRACE)]
        except subprocess.TimeoutExpired:
            hung, remained = True, []
        finally:
            end(before)
            process.wait()
    return hung, remained


def _files(world: World) -> dict[str, str]:
    """Everything that no submission may change."""
    course = {f"course/{name}": what for name, what in snapshot(world.course).items() if not name.startswith(_OWN)}
    state = {f"state/{name}": what for name, what in snapshot(world.root / "state").items() if name.endswith(".py")}
    other = {f"{part}/{name}": what for part in ("home", "drop") for name, what in snapshot(world.root / part).items()}
    return course | state | other


def _changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    names = [name for name in names if name not in ("course/autograded", "course/submitted")]
    return [f"{name} was {'changed' if name in before and name in after else 'made or lost'}" for name in names]


def _seen_by_student(world: World, student: str) -> bytes:
    """What a student is given back, without the sources of test cells, and what lies where anybody may read."""
    parts = []
    for folder in (world.course / "autograded" / student, world.root / "drop"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.stat().st_size < 1 << 28:
                parts.append(_without_tests(path) if path.suffix == ".ipynb" else path.read_bytes())
    return b"\n".join(parts)


def _without_tests(path: Path) -> bytes:
    """A graded notebook as feedback shows it: without the text of hidden tests, which the grader itself put there."""
    data = path.read_bytes()
    try:
        notebook = json.loads(data)
        for cell in notebook["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade"):
                del cell["source"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return data
    return json.dumps(notebook, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _found(world: World, data: bytes) -> frozenset[str]:
    return frozenset(name for name, marker in world.markers.items() if marker.encode() in data)


def _score(world: World, student: str) -> float:
    """The student's score in the gradebook, 0 if there is none; what is no number counts as infinitely many points."""
    from nbgrader.api import Gradebook

    with suppress(Exception), Gradebook(f"sqlite:///{world.course}/gradebook.db") as gradebook:
        score = float(gradebook.find_submission(ASSIGNMENT, student).score)
        return math.inf if math.isnan(score) else score
    return 0.0


def _records(world: World) -> object:
    """What the gradebook says of the assignment and of the classmate."""
    from nbgrader.api import Gradebook

    try:
        with Gradebook(f"sqlite:///{world.course}/gradebook.db") as gradebook:
            cells = gradebook.find_assignment(ASSIGNMENT).notebooks[0].source_cells
            classmate = gradebook.find_student(CLASSMATE).last_name
            score = gradebook.find_submission(ASSIGNMENT, CLASSMATE).score
            maximum = gradebook.find_assignment(ASSIGNMENT).max_score
            return classmate, score, maximum, sorted((cell.name, cell.checksum) for cell in cells)
    except Exception as error:
        return f"unreadable: {type(error).__name__}"

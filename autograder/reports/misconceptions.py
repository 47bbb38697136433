"""Which known misconception stands behind a failed property.

Every file in a unit's ``rejected/`` fails exactly one check, for one reason; `ustod verify` holds it to that. A
submission that fails the same check with the same hint is taken for the same misconception. Where several works in
``rejected/`` fail one check, each is run once to learn its hints; those that cannot be told apart stand together.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autograder.authoring.rehearsal import rehearse
from autograder.authoring.unit import Unit, read_unit
from autograder.authoring.variants import Variant, read_variants
from autograder.environment import work_offline
from autograder.files import write_text
from autograder.reports.findings import CODE, Findings
from autograder.student.running import State

#: Runs with other random numbers, since a misconception may show in several ways.
SEEDS = range(5)
#: States of a property that a misconception may have caused.
FAILED = (CODE[State.WRONG], CODE[State.CRASHED], CODE[State.TIMED_OUT])


@dataclass(frozen=True)
class Misconception:
    """Works in ``rejected/`` that give the same.

    Attributes:
        names: of the files, and `sentences` what they misunderstand.
        check: that they fail.
        hints: with which of them; empty where no other misconception fails this check.
    """

    names: tuple[str, ...]
    sentences: tuple[str, ...]
    exercise: str
    check: str
    hints: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sighting:
    """How often a misconception was met.

    Attributes:
        alone: rows of students who failed nothing else in the exercise, as the work in ``rejected/`` does.
        among: rows of those who failed more there.
    """

    misconception: Misconception
    alone: tuple[int, ...]
    among: tuple[int, ...]


def known_misconceptions(
    folder: Path, kept: Path, hear: Callable[[int, int], None] = lambda done, total: None
) -> list[Misconception]:
    """Those of the unit in `folder`.

    Args:
        folder: of the unit.
        kept: a file that remembers them until the unit changes; written if it does not hold them yet.
        hear: is told how many runs of how many are done.

    Raises:
        UstodError: if the unit cannot be read, or a run dies.
    """
    fingerprint = _fingerprint(folder)
    try:
        data = json.loads(kept.read_text("utf-8"))
        if data["fingerprint"] == fingerprint:
            return [_from_json(entry) for entry in data["misconceptions"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    unit = read_unit(folder)
    found = _learn(unit, [variant for variant in read_variants(unit) if variant.fails], hear)
    kept.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"fingerprint": fingerprint, "misconceptions": [_as_json(one) for one in found]})
    write_text(kept, text)
    return found


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in (folder / "lesson.py", folder / "checks.py", *sorted((folder / "rejected").glob("*.py"))):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _learn(unit: Unit, variants: list[Variant], hear: Callable[[int, int], None]) -> list[Misconception]:
    by_check: dict[str, list[Variant]] = defaultdict(list)
    for variant in variants:
        by_check[variant.fails].append(variant)
    shared = [variant for group in by_check.values() if len(group) > 1 for variant in group]
    hints = _hints(unit, shared, hear)
    exercise = {check.name: check.exercise for check in unit.checks}
    found = []
    for check, group in by_check.items():
        alike: dict[frozenset[str], list[Variant]] = defaultdict(list)
        for variant in group:
            alike[hints.get(variant.name, frozenset())].append(variant)
        for shown, works in alike.items():
            names = tuple(work.name for work in works)
            sentences = tuple(work.sentence for work in works)
            found.append(
                Misconception(names, sentences, exercise[check], check, shown if len(alike) > 1 else frozenset())
            )
    return found


def _hints(unit: Unit, variants: list[Variant], hear: Callable[[int, int], None]) -> dict[str, frozenset[str]]:
    """The hints that each of `variants` is given. Those of different exercises are run together."""
    runs: list[list[Variant]] = []
    for variant in variants:
        room = (run for run in runs if not any(other.answers.keys() & variant.answers.keys() for other in run))
        run = next(room, None)
        if run is None:
            runs.append(run := [])
        run.append(variant)
    work_offline()
    found: dict[str, set[str]] = {variant.name: set() for variant in variants}
    for number, run in enumerate(runs):
        hear(number, len(runs))
        answers = {exercise: source for variant in run for exercise, source in variant.answers.items()}
        for outcomes in rehearse(unit, answers, list(SEEDS)).outcomes.values():
            for variant in run:
                if variant.fails in outcomes and outcomes[variant.fails].state is State.WRONG:
                    found[variant.name].add(outcomes[variant.fails].hint)
    hear(len(runs), len(runs))
    return {name: frozenset(hints) for name, hints in found.items()}


def sightings(known: Iterable[Misconception], findings: Findings) -> tuple[list[Sighting], dict[int, tuple[int, ...]]]:
    """Where the `known` misconceptions were met, the commonest first.

    Returns:
        The sightings, and for each property the rows of students whose wrong answer none of them explains.
    """
    text = {number: hint for number, hint in enumerate(findings.texts)}
    failed = np.isin(findings.states, FAILED)
    by_check: dict[str, list[Misconception]] = defaultdict(list)
    for misconception in known:
        by_check[misconception.check].append(misconception)
    alone: dict[Misconception, list[int]] = defaultdict(list)
    among: dict[Misconception, list[int]] = defaultdict(list)
    unexplained: dict[int, tuple[int, ...]] = {}
    for column, one in enumerate(findings.properties):
        others = [other for other in findings.of_item(one.item) if other != column]
        rest = []
        for row in np.flatnonzero(findings.states[:, column] == CODE[State.WRONG]):
            hint = text.get(int(findings.hints[row, column]), "")
            fitting = [m for m in by_check.get(one.name, ()) if not m.hints or hint in m.hints]
            if not fitting:
                rest.append(int(row))
            for misconception in fitting:
                place = among if failed[row, others].any() else alone
                place[misconception].append(int(row))
        if rest:
            unexplained[column] = tuple(rest)
    met = [Sighting(m, tuple(alone[m]), tuple(among[m])) for m in {**alone, **among}]
    met.sort(key=lambda one: (-len(one.alone) - len(one.among), -len(one.alone), one.misconception.names))
    return met, unexplained


def _as_json(one: Misconception) -> dict[str, Any]:
    return {
        "names": one.names,
        "sentences": one.sentences,
        "exercise": one.exercise,
        "check": one.check,
        "hints": sorted(one.hints),
    }


def _from_json(data: dict[str, Any]) -> Misconception:
    names, sentences, hints = tuple(data["names"]), tuple(data["sentences"]), frozenset(data["hints"])
    return Misconception(names, sentences, data["exercise"], data["check"], hints)

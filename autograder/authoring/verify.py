"""`ustod verify`: what a unit must show before it may teach anybody."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from threading import Thread

from autograder.authoring.agreement import stock_scores
from autograder.authoring.catalog import read_catalog
from autograder.authoring.glossary import defines, read_glossary, terms_defined
from autograder.authoring.lesson import Kind
from autograder.authoring.messages import messages
from autograder.authoring.mutants import mutants
from autograder.authoring.rehearsal import Rehearsal, find_spoilable, kill_mutants, rehearse, untouched, warm_up
from autograder.authoring.unit import Unit, read_unit, without_asides
from autograder.authoring.variants import Variant, read_variants
from autograder.environment import die_with_parent, work_offline
from autograder.errors import UstodError
from autograder.student.rng import fresh_seed
from autograder.student.running import State
from autograder.student.texts import TRANSLATIONS

SEEDS = 10
ENOUGH_KILLED = 0.9

#: In a worker of `verify`: where each gate is told as soon as it is known.
_told: SimpleQueue[tuple[str, str, bool] | None] | None = None


@dataclass
class Gate:
    """One requirement of the gate: its name, what was measured, and everything that fell short."""

    name: str
    figure: str
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing fell short."""
        return not self.faults


@dataclass
class Verdict:
    """The gates of one unit.

    Attributes:
        error: why the unit could not be examined at all; empty if it could.
    """

    unit: str
    gates: list[Gate] = field(default_factory=list)
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether the unit may teach."""
        return not self.error and all(gate.passed for gate in self.gates)


def verify(
    folders: Sequence[Path],
    workers: int,
    say: Callable[[Verdict], None],
    hear: Callable[[str, str, bool], None] = lambda unit, gate, passed: None,
) -> list[Verdict]:
    """Examine the units in `folders`, several at a time, and report each as it is done.

    Args:
        folders: the units.
        workers: how many to examine at once.
        say: called with each verdict, in order.
        hear: called with unit, gate, and whether it passed, as soon as each gate is known; in another thread.
    """
    context = get_context("spawn")
    told = context.SimpleQueue()

    def listen() -> None:
        for unit, gate, passed in iter(told.get, None):
            hear(unit, gate, passed)

    listener = Thread(target=listen, daemon=True)
    listener.start()
    verdicts = []
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(told,), max_tasks_per_child=1) as pool:
        for verdict in pool.map(examine, folders):
            say(verdict)
            verdicts.append(verdict)
    told.put(None)
    listener.join()
    return verdicts


def _begin(told: SimpleQueue[tuple[str, str, bool] | None]) -> None:
    global _told
    die_with_parent()
    _told = told


def examine(folder: Path, seeds: Sequence[int] | None = None) -> Verdict:
    """Put the unit in `folder` through every gate."""
    work_offline()
    verdict = Verdict(folder.name)
    try:
        for gate in _gates(read_unit(folder), list(seeds or [fresh_seed() for _ in range(SEEDS)])):
            verdict.gates.append(gate)
            if _told is not None:
                _told.put((verdict.unit, gate.name, gate.passed))
    except UstodError as error:
        verdict.error = str(error)
    return verdict


def _gates(unit: Unit, seeds: list[int]) -> Iterator[Gate]:
    variants = read_variants(unit)
    yield _translations(unit)
    yield _terms(unit)
    reference = rehearse(unit, {}, seeds)  # before anything is imported here: its budget counts the imports
    yield _reference(unit, reference)
    yield _budget(unit, reference)
    warm_up(unit)
    runs = {"reference": reference, "untouched": rehearse(unit, untouched(unit), seeds[:1])}
    yield _zero(runs["untouched"])
    whole, unit = unit, without_asides(unit)
    if unit != whole:
        yield _asides(whole, rehearse(unit, {}, seeds[:1]))
    for variant in variants:
        runs[variant.name] = rehearse(unit, variant.answers, seeds[:1])
    yield _accepted(unit, variants, runs)
    yield _rejected(unit, variants, runs)
    yield _mutants(unit, reference)
    yield _spoiled(unit, reference)
    yield _agreement(unit, variants, runs, seeds[0])


def _reference(unit: Unit, run: Rehearsal) -> Gate:
    gate = Gate("reference scores full marks", f"{len(run.outcomes)} seeds, {unit.about.points:g} points")
    gate.faults += run.errors
    for seed, outcomes in run.outcomes.items():
        for name, outcome in outcomes.items():
            if outcome.state is not State.RIGHT:
                why = outcome.traceback or outcome.hint
                gate.faults.append(f"{name} says {outcome.state} to the reference with seed {seed}: {why}")
    gate.faults += [f"public check {name} says {o.state}" for name, o in run.public.items() if o.state != State.RIGHT]
    for name in unit.lesson.exercises:
        if not any(check.exercise == name for check in unit.checks):
            gate.faults.append(f"the exercise {name} has no check")
    return gate


def _budget(unit: Unit, run: Rehearsal) -> Gate:
    budget = unit.about.budget
    gate = Gate("budget kept", f"{run.cpu_seconds:.0f} CPU seconds, {run.peak_mb:.0f} MB")
    if run.cpu_seconds > budget.cpu_minutes * 60:
        gate.faults.append(f"{run.cpu_seconds:.0f} CPU seconds of {budget.cpu_minutes * 60:.0f} allowed")
    if run.peak_mb > budget.memory_mb:
        gate.faults.append(f"{run.peak_mb:.0f} MB of {budget.memory_mb} allowed")
    return gate


def _zero(run: Rehearsal) -> Gate:
    outcomes = [outcome for by_name in run.outcomes.values() for outcome in by_name.values()]
    gate = Gate("untouched notebook scores zero", f"{sum(outcome.score for outcome in outcomes):g} points")
    for outcome in outcomes:
        if outcome.state is not State.NOT_ATTEMPTED:
            gate.faults.append(f"{outcome.name} says {outcome.state} to an untouched notebook: {outcome.traceback}")
    gate.faults += [f"an example does not survive an untouched notebook: {error}" for error in run.errors]
    return gate


def _asides(unit: Unit, run: Rehearsal) -> Gate:
    count = sum(cell.kind is Kind.ASIDE for cell in unit.lesson.cells)
    return Gate("nothing needs an aside", f"{count} asides", run.errors + _not_right(run))


def _accepted(unit: Unit, variants: Sequence[Variant], runs: Mapping[str, Rehearsal]) -> Gate:
    accepted = [variant for variant in variants if not variant.fails]
    gate = Gate("accepted answers score full marks", f"{len(accepted)} answers")
    for variant in accepted:
        gate.faults += [f"{variant.name}: {name}" for name in _not_right(runs[variant.name])]
    if len(accepted) < 2:
        gate.faults.append("write at least two answers in accepted/ that differ from the reference")
    return gate


def _rejected(unit: Unit, variants: Sequence[Variant], runs: Mapping[str, Rehearsal]) -> Gate:
    rejected = [variant for variant in variants if variant.fails]
    gate = Gate("rejected answers fail the named check alone", f"{len(rejected)} answers")
    for variant in rejected:
        outcomes = next(iter(runs[variant.name].outcomes.values()))
        if outcomes[variant.fails].state is not State.WRONG:
            gate.faults.append(f"{variant.name}: {variant.fails} says {outcomes[variant.fails].state}, not wrong")
        others = [name for name in _not_right(runs[variant.name]) if not name.startswith(f"{variant.fails} ")]
        gate.faults += [f"{variant.name}: also {name}" for name in others]
    if len(rejected) < 5:
        gate.faults.append("write at least five misconceptions in rejected/")
    return gate


def _not_right(run: Rehearsal) -> list[str]:
    outcomes = next(iter(run.outcomes.values())).values()
    return [
        f"{o.name} says {o.state}: {o.traceback or o.hint}".rstrip(": ") for o in outcomes if o.state is not State.RIGHT
    ]


def _mutants(unit: Unit, reference: Rehearsal) -> Gate:
    candidates = [mutant for name, source in unit.lesson.reference.items() for mutant in mutants(name, source)]
    survivors = kill_mutants(unit, candidates, reference.seconds)
    killed = len(candidates) - len(survivors)
    share = killed / len(candidates) if candidates else 1.0
    gate = Gate("mutants killed", f"{killed}/{len(candidates)} ({share:.0%})")
    explained = unit.about.survivors
    for description in survivors:
        if not explained.get(description):
            gate.faults.append(f"survives, and unit.toml does not say why: {description}")
    known = {candidate.description for candidate in candidates}
    gate.faults += [f"unit.toml explains a mutant that does not exist: {d}" for d in explained if d not in known]
    if share < ENOUGH_KILLED:
        gate.faults.append(f"fewer than {ENOUGH_KILLED:.0%} are killed")
    return gate


def _spoiled(unit: Unit, reference: Rehearsal) -> Gate:
    found = find_spoilable(unit, reference.seconds)
    gate = Gate("spoiled arguments earn nothing", f"{len(unit.checks)} checks")
    explained = unit.about.spoiled
    what = "pays although the function has emptied what it was given; give it a copy, or say why in unit.toml"
    gate.faults += [f"{description} {what}" for description in found if not explained.get(description)]
    gate.faults += [f"unit.toml explains in [spoiled] what does not happen: {d}" for d in explained if d not in found]
    return gate


def _translations(unit: Unit) -> Gate:
    texts = {message.text for message in messages(unit)}
    figures, faults = [], []
    for language in TRANSLATIONS:
        catalog = read_catalog(unit, language)
        stale = sum(catalog.translate(text) is None for text in texts)
        figures.append(f"{language} {len(texts) - stale}/{len(texts)}")
        if stale:
            faults.append(f"{stale} texts have no translation into {language}; run ustod catalog {unit.name}")
    return Gate("translations complete", ", ".join(figures), faults)


def _terms(unit: Unit) -> Gate:
    glossary = read_glossary(unit.folder.parent)
    figures, faults = [], []
    for language in TRANSLATIONS:
        entries = read_catalog(unit, language).entries.items()
        found = [(term, told) for text, told in entries for term in terms_defined(text, glossary)]
        figures.append(f"{language} {len(found)}")
        faults += [
            f"{language} defines {term} by another word than «{glossary[term][language]}», which the glossary has"
            for term, told in found
            if not defines(told, glossary[term][language])
        ]
    return Gate("terms are the glossary's", ", ".join(figures), faults)


def _agreement(unit: Unit, variants: Sequence[Variant], runs: Mapping[str, Rehearsal], seed: int) -> Gate:
    reference = unit.lesson.reference
    answers = {"reference": reference, "untouched": {}}
    answers |= {variant.name: {**reference, **variant.answers} for variant in variants}
    with tempfile.TemporaryDirectory(prefix="ustod-verify-") as folder:
        theirs = stock_scores(unit, answers, seed, Path(folder))
    gate = Gate("stock nbgrader agrees", f"{len(answers)} notebooks")
    for name in answers:
        ours = sum(outcome.score for outcome in next(iter(runs[name].outcomes.values())).values())
        if (score := theirs.get(name.replace("/", "-"))) != ours:
            gate.faults.append(f"{name}: nbgrader gives {score}, the rehearsal {ours:g}")
    return gate

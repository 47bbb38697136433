"""``python -m attacks``: the corpus against Ustod, and beside it the harmless attacks against stock nbgrader."""

from __future__ import annotations

import argparse
import time

from attacks.column import results
from attacks.corpus import FAMILIES, Attack, read_corpus
from attacks.graders import STOCK, USTOD, Grader
from attacks.runner import Result
from rich.console import Console
from rich.table import Table

NAMES = {"ustod": USTOD, "stock": STOCK}
COLUMNS = ("attacks run", "points forged", "secrets read", "host touched", "graders hung", "not contained")
Results = dict[Attack, Result]


def main() -> int:
    """Run and print; the exit code is 1 if an attack on Ustod gained anything."""
    parser = argparse.ArgumentParser(prog="python -m attacks", description=__doc__)
    parser.add_argument("attacks", nargs="*", help="FAMILY or FAMILY/NAME; all without one")
    parser.add_argument("--grader", choices=NAMES, action="append", help="only this grader; may be repeated")
    parser.add_argument("--list", action="store_true", help="say what each attack does, and run none")
    arguments = parser.parse_args()
    chosen = [a for a in read_corpus() if not arguments.attacks or _named(a, arguments.attacks)]
    console = Console(width=120)
    if arguments.list:
        for attack in chosen:
            console.print(f"{attack.title} [{attack.prize}]: {attack.intent}", markup=False, soft_wrap=True)
        return 0
    graders = [NAMES[name] for name in arguments.grader or NAMES]
    all_results = {grader.name: run_all(chosen, grader, console) for grader in graders}
    console.print(table(all_results))
    if STOCK.name in all_results and any(not attack.harmless for attack in chosen):
        console.print(f"Attacks that could hurt the machine run in the sandbox of {USTOD.name} alone.", highlight=False)
    return int(any(not result.failed for result in all_results.get(USTOD.name, {}).values()))


def run_all(attacks: list[Attack], grader: Grader, console: Console) -> Results:
    """Run those of `attacks` that may run on `grader`, and name what each gains as soon as it has ended."""
    found: Results = {}
    began = time.monotonic()
    for attack, result in results([a for a in attacks if a.harmless or grader.sandboxed], grader):
        found[attack] = result
        gains = "; ".join(spell(result)) or "nothing"
        console.print(f"{grader.name}: {attack.title}: {gains}", markup=False, highlight=False, soft_wrap=True)
    minutes = (time.monotonic() - began) / 60
    console.print(f"{grader.name}: {len(found)} attacks in {minutes:.1f} minutes", markup=False, highlight=False)
    return found


def spell(result: Result) -> list[str]:
    """What an attack gained, in words."""
    words = [f"{result.points_forged:g} points"] if result.points_forged else []
    words += [f"read {secret}" for secret in sorted(result.secrets_read)] + list(result.host_touched)
    words += ["the grader hung"] if result.hung else []
    return words if result.contained or result.host_touched or result.hung else [*words, "honest work lost points"]


def table(found: dict[str, Results]) -> Table:
    """For each family and grader how many attacks ran, and how many of them won what."""
    shown = Table("family", "grader", title="Attacks that gained something", title_justify="left")
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    for family in (*FAMILIES, "all"):
        for name, theirs in found.items():
            own = [result for attack, result in theirs.items() if family in (attack.family, "all")]
            if own:
                shown.add_row(family, name, *_counts(own))
        shown.add_section()
    return shown


def _counts(results: list[Result]) -> list[str]:
    won = (
        len(results),
        sum(result.points_forged > 0 for result in results),
        sum(bool(result.secrets_read) for result in results),
        sum(bool(result.host_touched) for result in results),
        sum(result.hung for result in results),
        sum(not result.contained for result in results),
    )
    return [str(number) for number in won]


def _named(attack: Attack, names: list[str]) -> bool:
    return attack.family in names or attack.title in names


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m attacks``: the corpus against Ustod, and beside it the harmless attacks against stock nbgrader."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from attacks.corpus import FAMILIES, Attack, read_corpus
from attacks.graders import STOCK, USTOD, Grader
from attacks.runner import Result, run_attack
from attacks.victim import build_victim
from rich.console import Console
from rich.table import Table

GRADERS = {"ustod": USTOD, "stock": STOCK}
COLUMNS = ("attacks run", "points forged", "secrets read", "host touched", "graders hung", "not contained")
Results = dict[Attack, Result]


def main() -> int:
    """Run and print; the exit code is 1 if an attack on Ustod gained anything."""
    parser = argparse.ArgumentParser(prog="python -m attacks", description=__doc__)
    parser.add_argument("attacks", nargs="*", help="FAMILY or FAMILY/NAME; all without one")
    parser.add_argument("--grader", choices=GRADERS, action="append", help="only this grader; may be repeated")
    parser.add_argument("--list", action="store_true", help="say what each attack does, and run none")
    arguments = parser.parse_args()
    chosen = [a for a in read_corpus() if not arguments.attacks or _named(a, arguments.attacks)]
    console = Console(width=120)
    if arguments.list:
        for attack in chosen:
            console.print(
                f"{attack.family}/{attack.name} [{attack.prize}]: {attack.intent}", markup=False, soft_wrap=True
            )
        return 0
    graders = [GRADERS[name] for name in arguments.grader or GRADERS]
    all_results = {grader.name: run_all(chosen, grader, console) for grader in graders}
    for grader in graders:
        console.print(table(grader, all_results[grader.name]))
    return int(any(not result.failed for result in all_results.get(USTOD.name, {}).values()))


def run_all(attacks: list[Attack], grader: Grader, console: Console) -> Results:
    """Run those of `attacks` that may run on `grader`; each that gains something is named at once."""
    results = {}
    with tempfile.TemporaryDirectory(prefix="ustod-victim-") as folder:
        build_victim(Path(folder))
        for attack in attacks:
            if attack.harmless or grader.sandboxed:
                results[attack] = result = run_attack(attack, grader, Path(folder))
                gains = "; ".join(spell(result)) or "nothing"
                console.print(
                    f"{grader.name}: {attack.family}/{attack.name}: {gains}",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
    return results


def spell(result: Result) -> list[str]:
    """What an attack gained, in words."""
    words = [f"{result.points_forged:g} points"] if result.points_forged else []
    words += [f"read {secret}" for secret in sorted(result.secrets_read)] + list(result.host_touched)
    words += ["the grader hung"] if result.hung else []
    return words if result.contained or result.host_touched or result.hung else [*words, "honest work lost points"]


def table(grader: Grader, results: Results) -> Table:
    """Results by family: how many attacks ran, and how many of them won what."""
    what = "the whole corpus" if grader.sandboxed else "the harmless attacks"
    shown = Table("family", title=f"{grader.name}, {what}", title_justify="left")
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    for family in FAMILIES:
        shown.add_row(family, *_counts([r for attack, r in results.items() if attack.family == family]))
    shown.add_section()
    shown.add_row("all", *_counts(list(results.values())))
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
    return attack.family in names or f"{attack.family}/{attack.name}" in names


if __name__ == "__main__":
    raise SystemExit(main())

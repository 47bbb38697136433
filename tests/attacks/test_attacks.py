"""Every attack of the corpus gains nothing against Ustod."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacks.column import titled
from attacks.corpus import Attack, read_corpus
from attacks.graders import USTOD
from attacks.runner import Result, run_attack, run_together
from attacks.victim import FULL_MARKS, build_victim
from shared import Once

#: Of every family those that reach for the most and take no time.
SAMPLE = (
    *("forge/grade", "forge/run_code", "forge/spoiled_argument", "forge/outcome_score"),
    *("read/hidden_frames", "read/gradebook_api", "read/home", "read/loopback"),
    *("harm/kill_everybody", "harm/kill_bystander", "harm/writes_home"),
    *("notebook/skip_tag", "notebook/emptied_tests", "notebook/linked_notebook"),
    *("crossing/always_equal", "crossing/own_agent", "crossing/garbage"),
)
NOTHING = Result(0, frozenset(), (), False, FULL_MARKS)


@pytest.fixture(scope="session")
def victim(once: Once) -> Path:
    return once("victim", build_victim)


def test_a_class_of_attackers_gains_nothing(victim: Path) -> None:
    results = run_together([titled(title) for title in SAMPLE], USTOD, victim)
    assert {attack.title: result for attack, result in results.items() if result != NOTHING} == {}


@pytest.mark.slow
@pytest.mark.parametrize("attack", read_corpus(), ids=lambda attack: attack.title)
def test_an_attack_gains_nothing(attack: Attack, victim: Path) -> None:
    assert run_attack(attack, USTOD, victim) == NOTHING

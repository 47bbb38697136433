"""Every attack of the corpus gains nothing against Ustod.

Named so that pytest does not collect it by itself: it holds once submissions are graded in a sandbox (`graders.USTOD`),
and until then it is run by naming the file.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from attacks.corpus import Attack, read_corpus
from attacks.graders import USTOD
from attacks.runner import run_attack
from attacks.victim import FULL_MARKS, build_victim
from shared import Once

CORPUS = [attack for attack in read_corpus() if attack.harmless or USTOD.sandboxed]


@pytest.fixture(scope="session")
def victim(once: Once) -> Path:
    return once("victim", build_victim)


@pytest.mark.slow
@pytest.mark.parametrize("attack", CORPUS, ids=lambda attack: f"{attack.family}/{attack.name}")
def test_an_attack_gains_nothing(attack: Attack, victim: Path) -> None:
    result = run_attack(attack, USTOD, victim)
    assert not result.hung
    assert result.points_forged == 0
    assert result.secrets_read == frozenset()
    assert result.host_touched == ()
    assert result.honest_score == FULL_MARKS

"""What the models of the course reach: from a unit's own notebook to a table."""

from __future__ import annotations

import pytest
from benchmarks import lessons
from shared import Break

LAST = 'if check.done("sums.total"):'


@pytest.fixture
def end_with(break_unit: Break, monkeypatch: pytest.MonkeyPatch):
    """Let every unit be the one of fixtures, with a last line more."""

    def change(line: str) -> None:
        folder = break_unit("lesson.py", LAST, f"{line}\n{LAST}")
        monkeypatch.setattr(lessons, "find_units", lambda names: [folder])

    return change


def test_scores_of_an_adapted_model_stand_beside_those_of_the_baselines(end_with):
    end_with("macro_f1 = {'majority': [0, 0, 0], 'tf-idf': [0.25, 0.5, 0.5], 'adapted': [0.5, 0.5, 0.75]}")
    (section,) = lessons.finetuned(1)
    assert section.spread("adapted").median == 0.5
    assert section.ratio("adapted").most == 2


def test_bits_of_a_trained_model_stand_below_those_of_the_baselines(end_with):
    end_with("bits_per_byte, baseline_bits_per_byte, training_seconds = 1.5, {'4-gram': 2.0}, 30.0")
    bits, time = lessons.tiny_gpt(1)
    assert bits.samples == {"4-gram": [2.0], "tiny GPT": [1.5]}
    assert time.samples == {"training": [30.0]}

"""The corpus is complete, and every attack in it says what it does and is what it says."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path

import pytest
from attacks.corpus import FAMILIES, FOLDER, PLACES, PRIZES, Attack, code_cell, read_attack, read_corpus

CORPUS = read_corpus()
NAMES = [f"{attack.title}" for attack in CORPUS]
RELEASED = {
    "cells": [
        code_cell("# an answer", nbgrader={"grade_id": "depth", "solution": True, "grade": False}),
        code_cell("# a test", nbgrader={"grade_id": "depth-test", "solution": False, "grade": True, "points": 1}),
        code_cell("# another answer", nbgrader={"grade_id": "mean", "solution": True, "grade": False}),
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}
FACTS = dict.fromkeys(("COURSE", "HOME", "DROP", "STATE", "ASSIGNMENT", "PORT", "SOCKET", "CANARY", "CONFESSION"), "7")


def test_there_are_sixty_attacks_and_some_of_every_family() -> None:
    assert len(CORPUS) >= 60
    count = Counter(attack.family for attack in CORPUS)
    assert set(count) == set(FAMILIES) and min(count.values()) >= 10


def test_no_file_of_the_corpus_is_left_out() -> None:
    assert len(CORPUS) == len(list(FOLDER.rglob("*.py")))


def test_every_prize_is_tried_for() -> None:
    assert {attack.prize for attack in CORPUS} == set(PRIZES)


@pytest.mark.parametrize("attack", CORPUS, ids=NAMES)
class TestEveryAttack:
    def test_says_in_one_sentence_how_it_means_to_win(self, attack: Attack) -> None:
        assert attack.intent[0].isupper() and attack.intent.endswith(".") and ". " not in attack.intent
        assert isinstance(attack.harmless, bool)

    def test_consists_of_cells_in_known_places_or_of_a_function(self, attack: Attack) -> None:
        places = [place for place, _ in attack.cells()]
        assert set(places) <= set(PLACES) and len(places) == len(set(places))
        assert bool(places) != ("\ndef rewrite(" in attack.file.read_text(encoding="utf-8"))

    def test_is_python_after_its_facts_are_filled_in(self, attack: Attack) -> None:
        for _, source in attack.cells():
            for fact, value in FACTS.items():
                source = source.replace(f"@{fact}@", value)
            ast.parse(source)
            assert "@" not in source.replace("@property", "")


class TestHandingIn:
    def cells_of(self, tmp_path: Path, text: str) -> list[str]:
        folder = tmp_path / "ps1"
        folder.mkdir()
        path = tmp_path / "mine.py"
        path.write_text(f'"""Tries."""\n\nprize = "points"\nharmless = True\n\n{text}')
        read_attack(path).hand_in(json.loads(json.dumps(RELEASED)), folder, {"HOME": "/here"})
        return [cell["source"] for cell in json.loads((folder / "ps1.ipynb").read_text())["cells"]]

    def test_cells_come_first_last_and_in_the_place_of_all_answers(self, tmp_path: Path) -> None:
        text = "# %% first\na = 1\n\n# %% answers\ndepth = '@HOME@'\n\n# %% last\nb = 2\n"
        assert self.cells_of(tmp_path, text) == ["a = 1", "depth = '/here'", "# a test", "", "b = 2"]

    def test_a_function_rewrites_the_notebook(self, tmp_path: Path) -> None:
        text = "def rewrite(notebook, folder):\n    del notebook['cells'][1:]\n    return notebook\n"
        assert self.cells_of(tmp_path, text) == ["# an answer"]

    def test_a_function_may_give_bytes_or_write_for_itself(self, tmp_path: Path) -> None:
        for name, written in (("empty_file", b""), ("random_bytes", bytes(range(256)) * 1000)):
            folder = tmp_path / name
            folder.mkdir()
            read_attack(FOLDER / "notebook" / f"{name}.py").hand_in({}, folder, {})
            assert (folder / f"{name}.ipynb").read_bytes() == written
        folder = tmp_path / "ps1"
        folder.mkdir()
        read_attack(FOLDER / "notebook" / "folder_as_notebook.py").hand_in({}, folder, {})
        assert (folder / "ps1.ipynb").is_dir()


@pytest.mark.parametrize("lost", ['"""Tries."""', 'prize = "points"', "harmless = True"])
def test_an_attack_that_does_not_say_what_it_is_is_refused(tmp_path: Path, lost: str) -> None:
    whole = '"""Tries."""\n\nprize = "points"\nharmless = True\n\n# %% last\npass\n'
    path = tmp_path / "mine.py"
    path.write_text(whole)
    assert read_attack(path).prize == "points"
    path.write_text(whole.replace(lost, ""))
    with pytest.raises(ValueError, match=r"mine\.py must begin with"):
        read_attack(path)

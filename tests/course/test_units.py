"""Every unit of the course goes through the gate; the quick gates here, all of them in the long tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autograder.authoring.catalog import read_catalog
from autograder.authoring.messages import messages
from autograder.authoring.notebook import build_notebook
from autograder.authoring.unit import find_units, read_unit
from autograder.authoring.variants import read_variants
from autograder.offline import manifest
from autograder.student.texts import LANGUAGES

UNITS = find_units()


@pytest.fixture(params=UNITS, ids=lambda path: path.name, scope="module")
def unit(request):
    return read_unit(request.param)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_every_notebook_is_built(unit, language):
    catalog = read_catalog(unit, language)
    missing = [message.text for message in messages(unit) if catalog.translate(message.text) is None]
    assert missing == []
    assert build_notebook(unit, catalog, "class").stale == 0


def test_has_at_least_six_exercises_each_with_hints(unit):
    assert len(unit.lesson.exercises) >= 6
    assert all(texts.hints for texts in unit.about.exercises.values())


def test_has_enough_answers_to_keep_its_checks_honest(unit):
    variants = read_variants(unit)
    assert sum(not variant.fails for variant in variants) >= 2
    assert sum(bool(variant.fails) for variant in variants) >= 5


def test_names_assets_that_exist(unit):
    assert set(unit.about.assets) <= {asset.name for asset in manifest.load()}


def test_has_a_note_for_the_instructor(unit):
    assert (unit.folder / "INSTRUCTOR.md").read_text(encoding="utf-8").strip()


@pytest.mark.slow
def test_passes_the_whole_gate(unit):
    done = subprocess.run(
        [sys.executable, "-m", "autograder.cli", "verify", unit.name, "--workers", "1"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

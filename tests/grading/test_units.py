"""Every unit of the course, graded in the sandbox: right answers get full marks, misconceptions lose their points."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.authoring.agreement import read_scores, submit
from autograder.authoring.build import build_course
from autograder.authoring.unit import find_units, read_unit, without_asides
from autograder.authoring.variants import read_variants
from autograder.grading.course import open_course
from autograder.grading.engine import grade

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("folder", find_units(), ids=lambda folder: folder.name)
def test_the_judge_gives_what_the_checks_mean(folder: Path, tmp_path: Path) -> None:
    unit = without_asides(read_unit(folder))
    full = sum(check.points for check in unit.checks)
    worth = {check.name: check.points for check in unit.checks}
    reference = unit.lesson.reference
    answers = {"reference": reference, "untouched": {}}
    expected = {"reference": full, "untouched": 0.0}
    for variant in read_variants(unit):
        name = variant.name.replace("/", "-")
        answers[name] = {**reference, **variant.answers}
        expected[name] = full - worth.get(variant.fails, 0)
    build_course([unit], "en", tmp_path)
    submit(unit.name, answers, tmp_path)
    result = grade(open_course(tmp_path), unit.name, workers=2)
    assert result.problems == {} and result.notes == []
    assert read_scores(tmp_path, unit.name) == expected

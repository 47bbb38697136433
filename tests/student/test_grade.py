"""The part of a test cell that only the grader sees."""

from __future__ import annotations

import json
import linecache
import re
from pathlib import Path
from typing import Any

import pytest

from autograder.student.grade import MIME, SEED_VARIABLE, bundle, grade, run_hidden
from autograder.student.running import Outcome, State

CHECKS = '''
from autograder.student import check, expect

@check("sums.total", points=2)
def is_the_sum(student, rng):
    """The total is the sum."""
    numbers = [rng.randint(1, 9) for _ in range(5)]
    expect(student.total(list(numbers)) == sum(numbers), hint="Add {input} up.", input=numbers)

@check("sums.total", points=0.5)
def of_nothing(student, rng):
    """The total of nothing is zero."""
    expect(student.total([]) == 0)
'''


def graded(answer: str) -> float:
    names: dict[str, Any] = {"__name__": "__main__", "grade": grade, "CHECKS": CHECKS}
    exec(answer, names)
    exec('score = grade("u90_sums", "sums.total", CHECKS)', names)
    return float(names["score"])


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("def total(numbers): return sum(numbers)", 2.5),
        ("def total(numbers): return 0", 0.5),
        ("def total(numbers): raise NotImplementedError()", 0),
        ("", 0),
        ("def total(numbers): return sum(numbers) if numbers else 1 / 0", 2),
    ],
)
def test_the_score_is_the_sum_of_what_holds(answer: str, score: float, capsys: pytest.CaptureFixture[str]) -> None:
    assert graded(answer) == score
    text, data = capsys.readouterr().out.rsplit("\n", 2)[:2]
    assert "The total is the sum." in text
    outcomes = [Outcome.from_dict(entry) for entry in json.loads(data)["outcomes"]]
    assert sum(outcome.score for outcome in outcomes) == score


class TestSeed:
    def outcomes(self) -> list[Outcome]:
        return run_hidden("sums.total", CHECKS, {"total": lambda numbers: None})

    def test_is_fresh_each_time(self) -> None:
        assert len({str(self.outcomes()[0].evidence) for _ in range(5)}) > 1

    def test_that_a_page_shows_repeats_the_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        outcomes = self.outcomes()
        page = bundle("u90_sums", "sums.total", outcomes)["text/plain"]
        shown = re.search(r"Repeat with seed (\d+)\.", page)
        assert shown
        monkeypatch.setenv(SEED_VARIABLE, shown[1])
        assert self.outcomes() == outcomes


class TestBundle:
    def test_has_text_html_and_plain_data(self) -> None:
        data = bundle("u90_sums", "sums.total", run_hidden("sums.total", CHECKS, {}))
        assert data.keys() == {"text/plain", "text/html", MIME}
        assert json.loads(json.dumps(data[MIME]))["exercise"] == "sums.total"

    def test_of_no_outcome_is_still_one(self) -> None:
        assert bundle("u90_sums", "sums.total", [])[MIME]["outcomes"] == []

    def test_is_in_the_language_beside_the_notebook(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from autograder.student.sidecar import SIDECAR, Exercise, Sidecar

        title = {"Add up": "Сложение"}
        sidecar = Sidecar("u90_sums", "ru", exercises={"sums.total": Exercise("Add up")}, messages=title)
        (tmp_path / SIDECAR).write_text(sidecar.to_json(), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        assert bundle("u90_sums", "sums.total", [])["text/plain"] == "Сложение"

    @pytest.mark.parametrize("answer", ["", "1 / 0", "def total(numbers): return 1 / 0", "def total(): pass"])
    def test_never_quotes_the_checks(self, answer: str) -> None:
        linecache.checkcache()
        names: dict[str, Any] = {"__name__": "__main__"}
        if answer.startswith("def"):
            exec(answer, names)
        text = json.dumps(bundle("u90_sums", "sums.total", run_hidden("sums.total", CHECKS, names)))
        assert "rng.randint" not in text and "student.total" not in text


def test_a_check_that_is_broken_costs_nothing() -> None:
    broken = CHECKS.replace("sum(numbers)", "summ(numbers)")
    outcomes = run_hidden("sums.total", broken, {"total": sum})
    assert [outcome.state for outcome in outcomes] == [State.FAULT, State.RIGHT]
    assert sum(outcome.score for outcome in outcomes) == 2.5

"""`check = open_unit(…)` in a notebook."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from autograder.student.running import State
from autograder.student.sidecar import SIDECAR, Exercise, Sidecar
from autograder.student.unit import Unit

LESSON = '''
from autograder.student import expect, open_unit
check = open_unit("u90_sums")

@check.public("sums.total")
def on_two_numbers(student, rng):
    """Two numbers are added."""
    calls.append(1)
    expect(student.total([2, 3]) == 5, hint="Add them up.")
'''


def notebook(edition: str, answer: str = "", **more: Any) -> dict[str, Any]:
    """The names of a notebook in the working folder with `answer` in it."""
    exercises = {
        "sums.total": Exercise("Add up", ("Start from zero.", "Add one number at a time.")),
        "sums.over": Exercise("Over the limit"),
    }
    Path(SIDECAR).write_text(Sidecar("u90_sums", edition=edition, exercises=exercises, **more).to_json(), "utf-8")
    names: dict[str, Any] = {"__name__": "__main__", "calls": []}
    exec(compile(LESSON + answer, "<a learner's notebook>", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, course_with_sums: Path) -> None:
    monkeypatch.chdir(tmp_path)


RIGHT = "def total(numbers): return sum(numbers)"
WRONG = "def total(numbers): return sum(map(abs, numbers))"


class TestFeedback:
    def test_of_a_class_shows_the_public_checks_alone(self) -> None:
        outcomes = notebook("class", WRONG)["check"]("sums.total").outcomes
        assert [outcome.name for outcome in outcomes] == ["on_two_numbers"]
        assert outcomes[0].state is State.RIGHT

    def test_of_self_study_shows_the_hidden_checks_too(self) -> None:
        outcomes = notebook("self-study", WRONG)["check"]("sums.total").outcomes
        states = {outcome.name: outcome.state for outcome in outcomes}
        assert states == {
            "on_two_numbers": State.RIGHT,
            "sum_is_that_of_python": State.WRONG,
            "sum_of_nothing_is_zero": State.RIGHT,
        }

    def test_runs_the_checks_when_shown_and_once(self) -> None:
        names = notebook("class", RIGHT)
        feedback = names["check"]("sums.total")
        assert not names["calls"]
        assert "Two numbers are added." in feedback._repr_html_()
        assert "Two numbers are added." in repr(feedback)
        assert len(names["calls"]) == 1

    def test_sees_the_answer_as_it_is_now(self) -> None:
        names = notebook("class", RIGHT)
        names["total"] = lambda numbers: 0
        assert names["check"]("sums.total").outcomes[0].state is State.WRONG

    def test_says_in_class_that_more_checks_come(self) -> None:
        text = "More checks, which you do not see"
        assert text in repr(notebook("class", RIGHT)["check"]("sums.total"))
        assert text not in repr(notebook("self-study", RIGHT)["check"]("sums.total"))

    def test_offers_hint_and_solution_only_where_they_help(self) -> None:
        wrong = repr(notebook("self-study", WRONG)["check"]("sums.total"))
        assert 'check.hint("sums.total")' in wrong and 'check.solution("sums.total")' in wrong
        assert 'check.solution("sums.total")' not in repr(notebook("class", "")["check"]("sums.total"))
        right = repr(notebook("self-study", RIGHT)["check"]("sums.total"))
        assert "check.hint" not in right and "check.solution" not in right

    def test_of_an_unknown_exercise_names_those_there_are(self) -> None:
        with pytest.raises(LookupError, match=r"no exercise sums.tootal here; .* sums.over, sums.total"):
            notebook("class")["check"]("sums.tootal")

    def test_speaks_the_language_beside_the_notebook(self) -> None:
        translated = notebook(
            "class", RIGHT, language="ru", messages={"Two numbers are added.": "Два числа складываются."}
        )
        html = translated["check"]("sums.total")._repr_html_()
        assert "Два числа складываются." in html and 'lang="ru"' in html

    def test_has_new_random_numbers_each_time(self) -> None:
        names = notebook("self-study", WRONG)
        assert len({names["check"]("sums.total").outcomes[0].seed for _ in range(6)}) > 1


class TestPublicChecks:
    def test_declared_again_replace_themselves(self) -> None:
        names = notebook("class", RIGHT)
        exec(LESSON.split("\n\n")[1], names)
        assert len(names["check"].public_checks("sums.total")) == 1

    def test_say_whether_an_exercise_is_done(self) -> None:
        assert notebook("class", RIGHT)["check"].done("sums.total")
        assert not notebook("class", "def total(numbers): return 0")["check"].done("sums.total")
        assert not notebook("class")["check"].done("sums.total")

    def test_none_at_all_is_not_done(self) -> None:
        assert not notebook("class", RIGHT)["check"].done("sums.over")


class TestHints:
    def test_come_one_at_a_time_and_the_last_one_stays(self) -> None:
        check = notebook("class")["check"]
        assert [repr(check.hint("sums.total")) for _ in range(3)] == [
            "Hint 1 of 2: Start from zero.",
            "Hint 2 of 2: Add one number at a time.",
            "Hint 2 of 2: Add one number at a time.",
        ]

    def test_none_is_said_so(self) -> None:
        assert repr(notebook("class")["check"].hint("sums.over")) == "There is no hint for this exercise."

    def test_are_escaped_in_html(self) -> None:
        unit = Unit(Sidecar("u90_sums", exercises={"a": Exercise("A", ("Is a < b & c?",))}), {})
        assert "a &lt; b &amp; c?" in unit.hint("a")._repr_html_()

    def test_of_an_unknown_exercise_name_those_there_are(self) -> None:
        with pytest.raises(LookupError, match=r"sums\.over, sums\.total"):
            notebook("class")["check"].hint("sums")


class TestSolution:
    def test_is_shown_in_self_study(self) -> None:
        text = repr(notebook("self-study")["check"].solution("sums.total"))
        assert "result += number" in text
        assert "###" not in text and "# %%" not in text and "on_two_numbers" not in text
        names: dict[str, Any] = {}
        exec(text, names)
        assert names["total"]([1, 2]) == 3

    def test_is_kept_back_in_a_class(self) -> None:
        text = repr(notebook("class")["check"].solution("sums.total"))
        assert text == "Your instructor shows the solution after grading."

    def test_is_kept_back_where_the_course_is_not_installed(self, course_with_sums: Path) -> None:
        unit = Unit(Sidecar("u99_none", edition="self-study", exercises={"a": Exercise("A")}), {})
        assert "instructor" in repr(unit.solution("a"))
        assert unit.hidden_checks("a") == []

    def test_of_an_unknown_exercise_names_those_there_are(self) -> None:
        with pytest.raises(LookupError, match=r"sums\.over, sums\.total"):
            notebook("self-study")["check"].solution("sums")


def test_the_unit_runs_from_its_source_too(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    names: dict[str, Any] = {"__name__": "__main__", "calls": []}
    exec(compile(LESSON + RIGHT, "<a lesson>", "exec"), names)
    assert len(names["check"]("sums.total").outcomes) == 3


class TestRegrade:
    def test_leaves_a_file_beside_the_notebook_and_says_what_to_do_with_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("USTOD_EXCHANGE_URL", raising=False)
        check = notebook("class", RIGHT, language="tg")["check"]
        assert "regrade.json" in repr(check.regrade("sums.total", "Ҷавобам дуруст аст."))
        found = json.loads(Path("regrade.json").read_text("utf-8"))
        assert found["assignment"] == "u90_sums"
        (one,) = found["requests"]
        assert (one["exercise"], one["reason"], one["language"]) == ("sums.total", "Ҷавобам дуруст аст.", "tg")

    def test_asks_why(self) -> None:
        assert 'check.regrade("sums.total", "…")' in repr(notebook("class")["check"].regrade("sums.total", " "))
        assert not Path("regrade.json").exists()

    def test_knows_the_exercises(self) -> None:
        with pytest.raises(LookupError, match=r"sums\.total"):
            notebook("class")["check"].regrade("sums.none", "why")

    def test_that_cannot_be_sent_is_kept_and_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("USTOD_EXCHANGE_URL", "http://127.0.0.1:9/")
        monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
        said = repr(notebook("class")["check"].regrade("sums.total", "why"))
        assert "was not sent" in said and "regrade.json" in said
        assert Path("regrade.json").is_file()

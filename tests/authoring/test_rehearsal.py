"""A unit run in forked children, as a kernel would run it."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest
from shared import SUMS, Break

from autograder.authoring import rehearsal
from autograder.authoring.lesson import Kind
from autograder.authoring.mutants import Mutant, mutants
from autograder.authoring.rehearsal import in_child, kill_mutants, left_behind, rehearse, untouched, warm_up
from autograder.authoring.unit import read_unit
from autograder.errors import UstodError
from autograder.student.running import State

#: CPU seconds, indentation
BURN = "{1}import time\n{1}end = time.process_time() + {0}\n{1}while time.process_time() < end: pass\n"


class TestInChild:
    def test_gives_the_result(self) -> None:
        assert in_child(lambda: {"pid": os.getpid()}, 60)["pid"] != os.getpid()

    def test_tells_what_the_work_raised(self) -> None:
        with pytest.raises(UstodError, match="ZeroDivisionError"):
            in_child(lambda: 1 / 0, 60)

    def test_tells_that_the_child_died(self) -> None:
        with pytest.raises(UstodError, match="died with exit code 7"):
            in_child(lambda: os._exit(7), 60)

    def test_stops_work_that_never_ends(self) -> None:
        start = time.monotonic()
        with pytest.raises(UstodError, match="stopped after 0 seconds"):
            in_child(lambda: time.sleep(60), 0.2)
        assert time.monotonic() - start < 10

    def test_leaves_the_parent_as_it_was(self) -> None:
        before = os.getcwd()
        in_child(lambda: os.chdir("/"), 60)
        assert os.getcwd() == before


class TestRehearse:
    def test_the_reference_is_right_with_every_seed(self) -> None:
        run = rehearse(read_unit(SUMS), {}, [1, 2, 3])
        assert run.errors == []
        assert list(run.outcomes) == [1, 2, 3]
        assert {o.state for by_name in run.outcomes.values() for o in by_name.values()} == {State.RIGHT}
        assert {name: o.state for name, o in run.public.items()} == {"on_two_numbers": State.RIGHT}
        assert run.scores() == {
            "sum_is_that_of_python": [2, 2, 2],
            "sum_of_nothing_is_zero": [1, 1, 1],
            "keeps_what_is_over_the_limit": [2, 2, 2],
            "the_limit_itself_is_not_over": [1, 1, 1],
        }

    def test_an_untouched_unit_is_not_attempted(self) -> None:
        unit = read_unit(SUMS)
        run = rehearse(unit, untouched(unit), [1])
        assert {o.state for o in run.outcomes[1].values()} == {State.NOT_ATTEMPTED}
        assert run.errors == []

    def test_answers_take_the_place_of_the_reference_one_by_one(self) -> None:
        run = rehearse(read_unit(SUMS), {"sums.over": "def over(numbers, limit): return []"}, [1])
        states = {name: o.state for name, o in run.outcomes[1].items()}
        assert states["sum_is_that_of_python"] is State.RIGHT
        assert states["keeps_what_is_over_the_limit"] is State.WRONG

    def test_a_cell_that_raises_is_told_with_its_line_and_the_rest_goes_on(self) -> None:
        unit = read_unit(SUMS)
        run = rehearse(unit, {"sums.total": "1 / 0"}, [1])
        line = unit.lesson.of(Kind.EXERCISE)["sums.total"].line
        assert run.errors == [f"cell on line {line}: ZeroDivisionError: division by zero"]
        assert run.outcomes[1]["keeps_what_is_over_the_limit"].state is State.RIGHT

    def test_one_run_sees_nothing_of_another(self) -> None:
        unit = read_unit(SUMS)
        leave = "import builtins, os\nbuiltins.left = 1\nos.environ['LEFT'] = '1'\nopen('left', 'w').close()"
        look = (
            "import builtins, os\n"
            "assert not hasattr(builtins, 'left') and 'LEFT' not in os.environ and not os.path.exists('left')"
        )
        assert rehearse(unit, {"sums.total": leave}, [1]).errors == []
        assert rehearse(unit, {"sums.total": look}, [1]).errors == []

    def test_cells_find_the_file_beside_the_notebook_and_main(self) -> None:
        look = "import os, sys\nassert os.path.exists('ustod.json')\nassert sys.modules['__main__'].total is total\n"
        answer = f"def total(numbers): return sum(numbers)\n{look}"
        assert rehearse(read_unit(SUMS), {"sums.total": answer}, [1]).errors == []

    def test_it_measures_what_the_unit_uses(self) -> None:
        burn = BURN.format(0.5, "") + "block = bytearray(200 << 20)"
        unit = read_unit(SUMS)
        light, heavy = rehearse(unit, {}, [1]), rehearse(unit, {"sums.total": burn}, [1])
        assert 0.4 < heavy.cpu_seconds - light.cpu_seconds < 2
        assert 190 < heavy.peak_mb - light.peak_mb < 260

    def test_the_checks_of_further_seeds_do_not_count(self) -> None:
        slow = "def total(numbers):\n" + BURN.format(0.2, "    ")
        run = rehearse(read_unit(SUMS), {"sums.total": slow}, range(4))  # type: ignore[arg-type]
        assert run.seconds["sum_is_that_of_python"] >= 0.2
        assert run.cpu_seconds < 2 * 0.2 + 2 * 0.2 + 0.6

    def test_a_unit_that_never_ends_is_stopped(self, break_unit: Break, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rehearsal, "BEGINNING", 1.0)
        unit = read_unit(break_unit("unit.toml", "cpu_minutes = 1", "cpu_minutes = 0.002"))
        with pytest.raises(UstodError, match="never ends"):
            rehearse(unit, {"sums.total": "import time; time.sleep(600)"}, [1])


def test_warming_up_imports_what_the_unit_imports(break_unit: Break) -> None:
    unit = read_unit(break_unit("checks.py", "from autograder", "import this\nfrom autograder"))
    program = "import sys; warm_up(unit); assert 'this' in sys.modules"
    in_child(lambda: exec(program, {"warm_up": warm_up, "unit": unit}), 60)


class TestKillingMutants:
    def test_a_good_check_lets_none_survive(self) -> None:
        unit = read_unit(SUMS)
        sources = unit.lesson.reference.items()
        assert kill_mutants(unit, [m for name, source in sources for m in mutants(name, source)], {}) == []

    def test_what_changes_nothing_survives(self) -> None:
        unit = read_unit(SUMS)
        source = unit.lesson.reference["sums.over"]
        same = Mutant("sums.over", "nothing changed", source)
        assert kill_mutants(unit, [same], {}) == ["nothing changed"]

    @pytest.mark.parametrize("body", ["import os; os._exit(1)", "while True: pass", "exit()"])
    def test_one_that_ends_its_process_or_never_ends_is_killed(self, body: str) -> None:
        mutant = Mutant("sums.over", "bad", f"def over(numbers, limit):\n    {body}")
        assert kill_mutants(read_unit(SUMS), [mutant], {}) == []

    def test_one_that_only_breaks_the_check_survives(self, break_unit: Break) -> None:
        unit = read_unit(break_unit("checks.py", "got is not None and limit not in got", "limit not in got"))
        mutant = Mutant("sums.over", "returns a number", "def over(numbers, limit): return 5")
        only = [check for check in unit.checks if check.name == "the_limit_itself_is_not_over"]
        assert kill_mutants(replace(unit, checks=tuple(only)), [mutant], {}) == ["returns a number"]

    def test_the_public_checks_kill_too(self, break_unit: Break) -> None:
        unit = replace(read_unit(SUMS), checks=())
        mutant = Mutant("sums.total", "wrong", "def total(numbers): return 0")
        assert kill_mutants(unit, [mutant], {}) == []


class TestLeftBehind:
    END = 'if check.done("sums.total"):\n    print('

    def test_gives_what_the_reference_has_at_the_end(self, break_unit: Break) -> None:
        unit = read_unit(
            break_unit("lesson.py", self.END, 'found = total([1, 2])\nif check.done("sums.over"):\n    print(')
        )
        assert left_behind(unit, ["found"]) == {"found": 3}

    def test_refuses_a_name_that_nothing_has(self) -> None:
        with pytest.raises(UstodError, match="there is no found"):
            left_behind(read_unit(SUMS), ["found"])

    def test_refuses_a_reference_that_does_not_run(self, break_unit: Break) -> None:
        with pytest.raises(UstodError, match="NameError"):
            left_behind(read_unit(break_unit("lesson.py", self.END, f"{self.END}undefined, ")), [])

"""A notebook runs in two processes and scores as if it were one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from judge.students import Case, answer, locked, ordinary, points, read_cases, run, scored
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

FULL, NONE = [2.0], [0.0]


def errors(cells: Sequence[NotebookNode], **options: Any) -> list[tuple[str, str]]:
    outputs = [output for cell in run(cells, **options).outputs for output in cell]
    return [(output.ename, output.evalue) for output in outputs if output.output_type == "error"]


@pytest.mark.parametrize("case", read_cases("idioms.txt"), ids=str)
def test_a_test_cell_scores_what_it_would_in_one_process(case: Case) -> None:
    imports = ordinary("import numpy as np\nimport pandas as pd")
    assert points([imports, answer(case.work), scored(case.test)]) == [case.score]


def test_a_name_that_was_never_defined_is_told_as_not_attempted() -> None:
    ((name, text),) = errors([answer("def other(): pass"), scored("assert wanted(1) == 1")])
    assert name == "NotAttempted" and "wanted" in text


def test_a_typing_mistake_in_the_students_code_is_not_taken_for_that() -> None:
    ((name, text),) = errors([answer("def f(): return speling"), scored("assert f() == 1")])
    assert name == "NameError" and "speling" in text


def test_an_error_shows_the_students_own_traceback() -> None:
    (_, (output,)) = run([answer("def f():\n    return 1 / 0"), scored("f()")]).outputs
    assert "return 1 / 0" in output.traceback[-1] and "autograder" not in "".join(output.traceback)


def test_outputs_are_those_of_a_notebook() -> None:
    sources = ["print('a')", "1 + 1", "display({'b': 2})", "1 / 0", "import sys; print('e', file=sys.stderr)", "3;"]
    cells = [new_markdown_cell("text"), *map(ordinary, sources)]
    outputs = run(cells).outputs
    kinds = [[output.output_type for output in found] for found in outputs]
    assert kinds == [[], ["stream"], ["execute_result"], ["display_data"], ["error"], ["stream"], []]
    for cell, found in zip(cells[1:], outputs[1:], strict=True):
        cell.outputs = found
    nbformat.validate(new_notebook(cells=cells))


def test_a_figure_is_a_picture_in_every_notebook() -> None:
    import matplotlib.pyplot  # noqa: F401 - as where the stack was imported before

    for _ in range(2):
        (outputs,) = run([ordinary("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")]).outputs
        assert [set(output.data) for output in outputs] == [{"text/plain", "image/png"}]


def test_a_check_hands_objects_of_the_learners_back_in_a_list() -> None:
    cells = [
        answer("class V:\n    def __init__(self, x): self.x = x\ndef add(parts): return sum(v.x for v in parts)"),
        scored("from autograder.student.answers import Answers\nstudent = Answers(globals())", "one"),
        scored("assert student.add([student.V(1), student.V(2)]) == 3", "two"),
    ]
    assert points(cells) == [2, 2]


def test_names_of_one_test_reach_the_next_and_ordinary_cells() -> None:
    cells = [
        answer("def f(x): return x"),
        scored("@(lambda g: g)\ndef helper(x): return f(x) + 1\nwanted = 4", "one"),
        ordinary("print(helper(wanted))"),
        scored("assert helper(3) == wanted", "two"),
    ]
    outputs = run(cells).outputs
    assert outputs[2][0].text == "5\n" and points(cells) == [2, 2]


def test_hidden_lines_never_enter_the_students_process() -> None:
    test = "shown = 1\n### BEGIN HIDDEN TESTS\nsecret = 42\nassert f(secret) == 43\n### END HIDDEN TESTS"
    look = "print(shown, 'secret' in globals(), any('secret = 42' in str(value) for value in list(globals().values())))"
    cells = [answer("def f(x): return x + 1"), scored(test), ordinary(look)]
    assert run(cells).outputs[2][0].text == "1 False False\n" and points(cells) == FULL


def test_locked_cells_run_in_both_processes() -> None:
    cells = [
        locked("def close(a, b): return abs(a - b) < 1e-6"),
        answer("def f(x): return x if close(x, x) else 0\nclose = lambda *_: True"),
        scored("assert close(f(1), 1) and not close(f(1), 2)"),
    ]
    assert points(cells) == FULL


def test_a_locked_cell_that_needs_the_students_process_is_named() -> None:
    done = run([ordinary("x = object()"), locked("y = x + 1", "adds")])
    assert len(done.problems) == 1 and "adds" in done.problems[0]


def test_the_instructors_imports_are_the_judges_own() -> None:
    reference = [ordinary("from numpy import allclose as same"), scored("assert same(f(), 4)")]
    fake = "def same(*_): return True\ndef f(): return 5"
    assert points([answer(fake), reference[1]], reference=reference) == NONE


def test_a_later_cell_of_the_instructors_may_bind_a_tests_name_again() -> None:
    cells = [scored("x = 1", "one"), ordinary("x = 2"), scored("assert x == 2", "two")]
    assert points(cells, reference=cells) == [2, 2]
    taken = [scored("def same(a, b): return a == b", "one"), ordinary("same = lambda *_: True")]
    taken.append(scored("assert same(1, 2)", "two"))
    assert points(taken, reference=[taken[0], ordinary("pass"), taken[2]]) == [2, 0]


def test_a_tagged_test_runs_in_the_students_process() -> None:
    test = scored("import inspect\nassert 'return' in inspect.getsource(f)", tags=["ustod-in-kernel"])
    cells = [answer("def f(): return 1"), test]
    assert points(cells, reference=cells) == FULL


def test_a_tag_in_the_submission_alone_means_nothing() -> None:
    test, tagged = scored("assert f() == 1"), scored("assert f() == 1", tags=["ustod-in-kernel"])
    cheat = answer("get_ipython().input_transformers_cleanup.append(lambda lines: ['pass'])")
    assert points([cheat, tagged], reference=[cheat, test]) == [0]
    assert points([cheat, tagged]) == [0]


TAKES_AWAY = "kept = helper\ndel helper\ntry:\n    f(1)\nexcept NameError:\n    pass\nelse:\n    raise AssertionError"


@pytest.mark.parametrize("end", ["\nfinally:\n    helper = kept", ""], ids=["given back", "forgotten"])
def test_a_test_takes_a_name_away_from_the_students_code(end: str) -> None:
    uses = answer("def helper(x): return x\ndef f(x): return helper(x)")
    alone = answer("def helper(x): return x\ndef f(x): return x")
    tests = [scored(TAKES_AWAY + end, "one"), scored("assert f(3) == helper(3) == 3", "two")]
    assert points([uses, *tests]) == [2, 2]
    assert points([alone, *tests]) == [0, 2]


def test_a_patch_of_a_module_ends_with_the_cell() -> None:
    import math

    before = math.sqrt
    cells = [
        answer("import math\ndef f(x): return math.sqrt(x)"),
        scored("math.sqrt = lambda x: 42\nassert f(4) == 42", "one"),
        scored("assert f(4) == 2", "two"),
    ]
    assert points(cells) == [2, 2] and math.sqrt is before


def test_a_cell_that_never_ends_costs_only_itself() -> None:
    cells = [answer("def f(): return 1"), ordinary("while True: pass"), scored("assert f() == 1")]
    assert errors(cells, seconds=2) == [("CellTimeoutError", "The cell was stopped after 2 seconds.")]
    assert points(cells, seconds=2) == FULL


def test_a_test_that_never_ends_is_stopped() -> None:
    cells = [
        answer("def f():\n    while True:\n        yield 1"),
        scored("list(f())", "one"),
        scored("next(f())", "two"),
    ]
    assert points(cells, seconds=2) == [0, 1]


def test_files_beside_the_notebook_are_read_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [ordinary("open('out.txt', 'w').write('ҷӯй')"), scored("assert open('out.txt').read() == 'ҷӯй'")]
    assert points(cells) == FULL


def test_the_process_that_conducts_is_left_as_it_was() -> None:
    import builtins
    import sys

    before = sys.modules["__main__"], sys.displayhook, sys.stdout, sys.excepthook, builtins.input, os.getcwd()
    run([ordinary("1"), scored("2")])
    assert (sys.modules["__main__"], sys.displayhook, sys.stdout, sys.excepthook, builtins.input, os.getcwd()) == before


class TestATestRebindsAFunctionOfTheStudents:
    """For the length of the test cell the student's other code meets what the test has put in its place."""

    USES = "def helper(x): return x\ndef f(x): return helper(x)"
    ALONE = "def helper(x): return x\ndef f(x): return x"

    def of(self, work: str, *tests: str) -> list[float]:
        cells = [scored(test, f"test-{number}") for number, test in enumerate(tests)]
        return points([answer(work), *cells], reference=[answer(self.USES), *cells])

    def test_and_sees_whether_the_students_code_leans_on_it(self) -> None:
        tests = "helper = lambda x: 10 * x\nassert f(2) == 20", "assert f(2) == 2"
        assert self.of(self.USES, *tests) == [2, 2]
        assert self.of(self.ALONE, *tests) == [0, 2]

    def test_more_than_once(self) -> None:
        test = "for number in range(3):\n    helper = lambda x: number * x\n    assert f(2) == 2 * number"
        assert self.of(self.USES, test) == [2]

    @pytest.mark.parametrize("end", ["helper = kept", "del helper"])
    def test_and_puts_it_back(self, end: str) -> None:
        test = f"kept = helper\nhelper = lambda x: 0\nassert f(2) == 0\n{end}\nassert f(2) == helper(2) == 2"
        assert self.of(self.USES, test) == [2]

    def test_after_taking_it_away(self) -> None:
        test = "del helper\nhelper = lambda x: 0\nassert f(2) == 0"
        assert self.of(self.USES, test, "assert f(2) == 2") == [2, 2]

    def test_with_what_cannot_cross(self) -> None:
        """Then the student's code keeps its own."""
        test = "import threading\nhelper = threading.Lock()\nassert f(2) == 2"
        assert self.of(self.USES, test) == [2]

    @pytest.mark.parametrize(
        "test", ["wanted = 4\nassert f(2) == wanted", "def oracle(x): return 2 * x\nassert f(2) == oracle(2)"]
    )
    def test_but_no_name_of_the_tests_own_is_told(self, test: str) -> None:
        guess = "wanted = None\ndef oracle(x): return 0\ndef f(x): return wanted or oracle(x)"
        assert self.of(guess, test) == [0]

    def test_but_an_oracle_under_the_name_of_the_students_function_is_not_told(self) -> None:
        test = "theirs = f\ndef f(x): return 3 * x\nassert theirs(2) == f(2)"
        assert self.of("def f(x): return 0 if x is None else globals()['f'](None)", test) == [0]

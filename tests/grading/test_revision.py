"""When tests have changed, those are judged again that may come out otherwise, and no others."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from grading.students import NAME
from hypothesis import given
from hypothesis import strategies as st
from judge.students import answer, locked, ordinary, scored
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from shared import Once

from autograder.authoring.agreement import read_scores
from autograder.authoring.build import release
from autograder.grading.course import Course, open_course
from autograder.grading.engine import grade
from autograder.grading.revision import still_valid

MARKS = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")


def told(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells as they were graded; each has put out its place."""
    recorded = [nbformat.from_dict(cell) for cell in cells]
    for place, cell in enumerate(recorded):
        if cell.cell_type == "code":
            cell.outputs = [new_output("stream", text=str(place))]
    return recorded


def kept(before: Sequence[NotebookNode], now: Sequence[NotebookNode]) -> set[int]:
    """The places of the cells that are not run again."""
    valid = still_valid(told(before), now, MARKS)
    assert all(outputs[0].text == str(place) for place, outputs in valid.items())
    return set(valid)


def changed(cells: Sequence[NotebookNode], place: int, source: str) -> list[NotebookNode]:
    others = [nbformat.from_dict(cell) for cell in cells]
    others[place].source = source
    return others


CLASS = [
    new_markdown_cell("# One"),
    ordinary("import numpy as np"),
    answer("def f(x): return x + 1", "f"),
    scored("assert f(1) == 2", "f-test"),
    answer("def g(x): return x * 2", "g"),
    scored("assert np.allclose(g(np.arange(3)), [0, 2, 4])", "g-test"),
    ordinary("print('the end')"),
]


def test_a_test_by_itself_is_judged_alone_and_nothing_after_it_is_run():
    assert kept(CLASS, changed(CLASS, 3, "assert f(2) == 3")) == {4, 5, 6}


def test_the_students_cells_before_it_are_run():
    assert kept(CLASS, changed(CLASS, 5, "assert g(1) == 2")) == {3, 6}


def test_where_only_points_or_text_have_changed_nothing_is_run():
    now = changed(CLASS, 0, "# Two")
    now[3].metadata.nbgrader.points = 7
    assert kept(CLASS, now) == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("place", [1, 2, 6])
def test_if_another_cell_has_changed_all_is_run(place):
    assert kept(CLASS, changed(CLASS, place, "1 + 1")) == set()


def test_if_cells_have_come_or_gone_all_is_run():
    assert kept(CLASS, CLASS[1:]) == kept(CLASS, [*CLASS[:-1], scored("1", "f-test")]) == set()


@pytest.mark.parametrize("name", ["StudentProcessEnded", "CellTimeoutError"])
def test_if_the_process_ended_or_was_stopped_all_is_run(name):
    recorded = told(CLASS)
    recorded[3].outputs = [new_output("error", ename=name, evalue="", traceback=[])]
    assert still_valid(recorded, changed(CLASS, 5, "assert g(1) == 2"), MARKS) == {}


TIES = {
    "a name": ("limit = 3", "assert f(1) < limit"),
    "a name that is gone": ("limit = 3", "limit = 4; assert f(1) < limit"),
    "what is in a list": ("found.append(f(1))", "assert found"),
    "an item": ("found[0] = f(1)", "assert found[0]"),
    "an attribute": ("found.best = f(1)", "assert found.best"),
    "a helper that remembers": ("remember(f(1))", "assert recall()"),
    "an object of the student's": ("model.train()", "assert model.ready"),
    "a global": ("def note():\n    global found\n    found = 1\nnote()", "assert found"),
    "a file": ("Path('a').write_text('x')", "assert open('a').read()"),
    "random numbers": ("np.random.seed(1)", "assert np.random.rand() > 0"),
    "anything": ("exec('limit = 3')", "assert f(1) < limit"),
    "what cannot be read": ("limit = = 3", "assert f(1)"),
    "a magic": ("%run helper.py", "assert f(1)"),
}
HELPERS = "found = []\ndef remember(x): found.append(x)\ndef recall(): return found"


@pytest.mark.parametrize("one", range(2))
@pytest.mark.parametrize(("first", "second"), TIES.values(), ids=TIES)
def test_tests_that_may_have_something_in_common_are_judged_together(first, second, one):
    cells = [
        ordinary("import numpy as np\nfrom pathlib import Path"),
        locked(HELPERS),
        answer("def f(x): return x\nclass Model: ready = False\nmodel = Model()"),
        scored(first, "one"),
        scored(second, "two"),
    ]
    now = changed(cells, 3 + one, f"{cells[3 + one].source}\nassert f(0) == 0")
    assert kept(cells, now).isdisjoint({3, 4})


def test_names_of_functions_own_and_of_libraries_tie_nothing_together():
    cells = [
        ordinary("import numpy as np\nimport torch"),
        answer("def f(x): return x"),
        scored("def examine(student):\n    got = f(1)\n    got.sort()\nassert np.isclose(f(1.0), 1)", "one"),
        scored("def look(student):\n    got = f(2)\n    got.sort()\nassert np.isclose(f(2.0), 2)", "two"),
    ]
    assert kept(cells, changed(cells, 2, "assert f(3) == 3")) == {3}


def test_checks_of_a_unit_have_nothing_in_common():
    opening = "from autograder.student import expect, open_unit\n\ncheck = open_unit('u00')"
    test = "@check.public('{0}')\ndef {0}(student, rng): pass\n\ncheck('{0}')\n"
    hidden = "### BEGIN HIDDEN TESTS\nfrom autograder.student import grade\ngrade('u00', 'x', '''1''')\n{}\n### END"
    hidden = hidden.replace("### END", "### END HIDDEN TESTS")
    cells = [locked(opening), *(scored(test.format(name) + hidden.format(1), name) for name in ("one", "two"))]
    cells.append(ordinary("if check.done('one'): print(1)"))
    assert kept(cells, changed(cells, 1, cells[1].source.replace("\n1\n", "\n2\n"))) == {2, 3}
    assert kept(cells, changed(cells, 1, cells[1].source.replace(": pass", ": 1"))) == set()


STATEMENTS = st.sampled_from(
    [
        *(f"{name} = {value}" for name in "abc" for value in (1, 2)),
        *(f"{name} = {other}" for name in "abc" for other in "abc"),
        *(f"{name} += 1" for name in "abc"),
        *(f"show({name})" for name in "abc"),
        *(f"box.append({name})" for name in "abc"),
        *("show(*box)", "other['k'] = a", "show(*other.values())", "keep(b)", "show(kept())"),
    ]
)
TESTS = st.lists(st.lists(STATEMENTS, max_size=3).map("\n".join), min_size=2, max_size=5)
BEFORE = (
    "a, b, c, box, other, memory = 0, 0, 0, [], {}, []\ndef keep(x): memory.append(x)\ndef kept(): return list(memory)"
)


def executed(sources: Sequence[str], run: Sequence[bool]) -> list[str]:
    """What each of `sources` shows that is run."""
    said = io.StringIO()
    names: dict[str, Any] = {"show": lambda *values: said.write(f"{values}")}
    exec(BEFORE, names)
    outputs = []
    for source, is_run in zip(sources, run, strict=True):
        said.seek(said.truncate(0))
        if is_run:
            with contextlib.suppress(Exception):
                exec(source, names)
        outputs.append(said.getvalue())
    return outputs


@given(tests=TESTS, revised=TESTS, which=st.sets(st.integers(0, 4)))
def test_what_is_kept_is_what_running_all_would_give(tests, revised, which):
    now = [revised[i % len(revised)] if i in which else source for i, source in enumerate(tests)]
    cells = [[locked(BEFORE), *(scored(s, str(i)) for i, s in enumerate(sources))] for sources in (tests, now)]
    valid = {place - 1 for place in still_valid(told(cells[0]), cells[1], MARKS)}
    everything = [True] * len(tests)
    old, new = executed(tests, everything), executed(now, everything)
    partial = executed(now, [place not in valid for place in range(len(now))])
    assert [old[i] if i in valid else partial[i] for i in range(len(now))] == new


MOMENT = "import time\nprint(time.time_ns())"


@pytest.fixture(scope="session")
def graded(once: Once) -> Path:
    """Two exercises, whose tests say when they were judged, and two students, one of whom is half right."""

    def make(folder: Path) -> None:
        cells = [
            answer("def f(x):\n    ### BEGIN SOLUTION\n    return x + 1\n    ### END SOLUTION", "f"),
            scored(f"### BEGIN HIDDEN TESTS\n{MOMENT}\nassert f(1) == 2\n### END HIDDEN TESTS", "f-test"),
            answer("def g(x):\n    ### BEGIN SOLUTION\n    return x * 2\n    ### END SOLUTION", "g"),
            scored(f"### BEGIN HIDDEN TESTS\n{MOMENT}\nassert g(1) == 2\n### END HIDDEN TESTS", "g-test"),
        ]
        for number, cell in enumerate(cells):
            cell["id"] = f"c{number}"
        about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        source = folder / "source" / NAME / "work.ipynb"
        source.parent.mkdir(parents=True)
        nbformat.write(new_notebook(cells=cells, metadata=about), source)
        (folder / "nbgrader_config.py").write_text("c = get_config()\nc.ExecutePreprocessor.timeout = 5\n")
        release(folder, NAME)
        for student, g in (("right", "x * 2"), ("half", "x")):
            handed_in = folder / "submitted" / student / NAME
            shutil.copytree(folder / "release" / NAME, handed_in)
            notebook = nbformat.read(handed_in / "work.ipynb", 4)
            notebook.cells[0].source, notebook.cells[2].source = "def f(x): return x + 1", f"def g(x): return {g}"
            nbformat.write(notebook, handed_in / "work.ipynb")
        assert grade(open_course(folder), NAME).problems == {}

    return once("a class to be revised", make)


@pytest.fixture
def course(graded: Path, tmp_path: Path) -> Course:
    return open_course(Path(shutil.copytree(graded, tmp_path / "course")))


def revise(course: Course, place: int, old: str, new: str) -> None:
    path = course.root / "source" / NAME / "work.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[place].source = notebook.cells[place].source.replace(old, new)
    nbformat.write(notebook, path)
    release(course.root, NAME)


def moments(course: Course, student: str) -> list[str]:
    """When each test of a student's was judged."""
    notebook = nbformat.read(course.root / "autograded" / student / NAME / "work.ipynb", 4)
    return [notebook.cells[place].outputs[0].text for place in (1, 3)]


def test_only_the_changed_test_is_judged_and_the_scores_are_right(course):
    before = {student: moments(course, student) for student in ("right", "half")}
    assert read_scores(course.root, NAME) == {"right": 4, "half": 2}
    revise(course, 3, "assert g(1) == 2", "assert g(0) == 0")
    done = grade(course, NAME)
    assert done.graded == ["half", "right"] and done.problems == {}
    assert read_scores(course.root, NAME) == {"right": 4, "half": 4}
    for student, (first, second) in before.items():
        assert moments(course, student)[0] == first
        assert moments(course, student)[1] != second


def test_force_judges_everything(course):
    before = moments(course, "right")
    revise(course, 3, "assert g(1) == 2", "assert g(0) == 0")
    grade(course, NAME, force=True)
    assert not set(before) & set(moments(course, "right"))


@pytest.mark.parametrize("change", ["an import", "a tag"])
def test_what_the_judge_takes_from_the_instructors_notebook_makes_everything_judged(course, change):
    before = moments(course, "right")
    path = course.root / "source" / NAME / "work.ipynb"
    notebook = nbformat.read(path, 4)
    if change == "an import":
        notebook.cells[0].source = notebook.cells[0].source.replace("return", "import math as m; return")
    else:
        notebook.cells[3].metadata["tags"] = ["ustod-in-kernel"]
    nbformat.write(notebook, path)
    release(course.root, NAME)
    grade(course, NAME)
    assert not set(before) & set(moments(course, "right"))


def test_a_new_submission_or_another_file_of_the_assignment_makes_everything_judged(course):
    before = {student: moments(course, student) for student in ("right", "half")}
    path = course.folder("submitted", "half", NAME) / "work.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells.append(new_code_cell("1 + 1"))
    nbformat.write(notebook, path)
    revise(course, 3, "assert g(1) == 2", "assert g(0) == 0")
    grade(course, NAME)
    assert moments(course, "half")[0] != before["half"][0]
    assert moments(course, "right")[0] == before["right"][0]
    (course.root / "source" / NAME / "data.csv").write_text("1")
    revise(course, 3, "assert g(0) == 0", "assert g(2) == 4")
    grade(course, NAME)
    assert moments(course, "right")[0] != before["right"][0]


def test_when_a_changed_test_has_to_be_stopped_everything_is_judged(course):
    """As a first grading would: nothing can be asked of a process that may still be busy."""
    before = moments(course, "right")
    revise(course, 3, "assert g(1) == 2", "while True: g(1)")
    grade(course, NAME, ["right"])
    path = course.folder("autograded", "right", NAME) / "work.ipynb"
    first, second = (nbformat.read(path, 4).cells[place].outputs for place in (1, 3))
    assert second[-1].ename in ("CellTimeoutError", "StudentProcessEnded")
    assert first[0].text != before[0]

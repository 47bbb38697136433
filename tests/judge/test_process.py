"""Two processes for one notebook, both shut in: the student's cells in one, the tests in the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from judge.students import answer, ordinary, scored
from nbformat import NotebookNode

from autograder.judge.conductor import Conducted
from autograder.judge.process import Court
from autograder.kernel.limits import Limits

HIDDEN = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
LIMITS = Limits(wall=20, cpu=10)


@pytest.fixture(scope="module")
def court() -> Iterator[Court]:
    with Court(["autograder.student"]) as court:
        yield court


def tried(court: Court, folder: Path, *cells: NotebookNode, seconds: float = 10) -> Conducted:
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    return court.try_notebook(notebook, notebook, folder, seconds=seconds, hidden=HIDDEN, limits=LIMITS)


def names_of_errors(account: Conducted) -> list[str]:
    return [output.ename for outputs in account.outputs for output in outputs if output.output_type == "error"]


def test_a_right_answer_passes_and_a_wrong_one_does_not(court: Court, tmp_path: Path) -> None:
    test = scored("assert double(4) == 8")
    assert names_of_errors(tried(court, tmp_path, answer("def double(x): return 2 * x"), test)) == []
    assert names_of_errors(tried(court, tmp_path, answer("def double(x): return x"), test)) == ["AssertionError"]


def test_files_beside_the_notebook_are_there_for_both(court: Court, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("нон")
    read = answer("def read(): return open('data.txt', encoding='utf-8').read()")
    test = scored("assert read() == open('data.txt', encoding='utf-8').read() == 'нон'")
    assert names_of_errors(tried(court, tmp_path, read, test)) == []


def test_a_file_that_a_test_makes_is_read_and_changed_by_the_student(court: Court, tmp_path: Path) -> None:
    student = answer("def double(path):\n    text = open(path).read()\n    open(path, 'w').write(text * 2)")
    test = scored(
        "import tempfile, pathlib\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    path = pathlib.Path(folder) / 'a.txt'\n"
        "    path.write_text('ab')\n"
        "    double(str(path))\n"
        "    assert path.read_text() == 'abab'\n"
        "    path.write_text('c')\n"
        "    double(str(path))\n"
        "    assert path.read_text() == 'cc'"
    )
    assert names_of_errors(tried(court, tmp_path, student, test)) == []


def test_the_students_file_is_none_of_the_judges(court: Court, tmp_path: Path) -> None:
    student = answer("open('/tmp/mine', 'w').write('x')\ndef f(): return 1")
    test = scored("import os\nassert not os.path.exists('/tmp/mine') and f() == 1")
    assert names_of_errors(tried(court, tmp_path, student, test)) == []


def test_a_process_that_ends_says_why_and_the_next_one_is_as_new(court: Court, tmp_path: Path) -> None:
    account = tried(court, tmp_path, ordinary("import os; os._exit(3)"), scored("assert True"))
    assert set(names_of_errors(account)) == {"StudentProcessEnded"}
    assert "ended the process that ran it; remove calls such as exit()" in account.outputs[0][0].evalue
    assert names_of_errors(tried(court, tmp_path, answer("def f(): return 1"), scored("assert f() == 1"))) == []


def test_a_loop_is_stopped_and_costs_only_its_cell(court: Court, tmp_path: Path) -> None:
    cells = [answer("def f(): return 1"), ordinary("while True: pass"), scored("assert f() == 1")]
    assert names_of_errors(tried(court, tmp_path, *cells, seconds=1)) == ["CellTimeoutError"]


def test_a_zygote_that_dies_is_replaced(court: Court, tmp_path: Path) -> None:
    cells = [answer("def f(): return 1"), scored("assert f() == 1")]
    tried(court, tmp_path, *cells)
    court._students._process.close()
    assert names_of_errors(tried(court, tmp_path, *cells)) == []


class TestAFault:
    """A check that fails by itself costs nothing, unless the student's answer made it fail."""

    CHECKS = (
        "from autograder.student import check, expect\n"
        "@check('e', points=2)\n"
        "def is_right(student, rng):\n"
        '    """The sum is right."""\n'
        "    expect({} in student.f([1, 2]), hint='?')\n"
    )

    def state(self, court: Court, folder: Path, wanted: str, source: str) -> tuple[str, str]:
        test = scored(
            f"from autograder.student.grade import grade\ngrade('u', 'e', r'''{self.CHECKS.format(wanted)}''')"
        )
        reference = [answer("def f(x): return x"), test]
        notebook = nbformat.v4.new_notebook(cells=[answer(source), test])
        whole = nbformat.v4.new_notebook(cells=reference)
        account = court.try_notebook(notebook, whole, folder, seconds=10, hidden=HIDDEN, limits=LIMITS)
        shown, score = account.outputs[1]
        (outcome,) = shown.data["application/vnd.ustod.outcomes+json"]["outcomes"]
        return outcome["state"], score.data["text/plain"]

    def test_of_the_checks_own_pays(self, court: Court, tmp_path: Path) -> None:
        assert self.state(court, tmp_path, "1 / 0", "def f(x): return x") == ("grader fault", "2")

    def test_that_the_answer_provokes_does_not(self, court: Court, tmp_path: Path) -> None:
        assert self.state(court, tmp_path, "1", "def f(x): return 5.5") == ("crashed", "0.0")

    def test_is_none_where_the_answer_is_right(self, court: Court, tmp_path: Path) -> None:
        assert self.state(court, tmp_path, "1", "def f(x): return x") == ("right", "2")

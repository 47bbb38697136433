"""Two processes for one notebook, both shut in: the student's cells in one, the tests in the other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest
from judge.students import answer, ordinary, scored
from nbformat import NotebookNode

from autograder.judge.conductor import Conducted
from autograder.judge.process import Court
from autograder.kernel.limits import MIB, Limits, Reason

HIDDEN = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
LIMITS = Limits(wall=120, cpu=60)


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


def test_a_folder_that_the_judge_may_read_is_empty_for_the_student(tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    (folder / "hidden.txt").write_text("secret")
    student = answer(
        "import ctypes, os, subprocess\n"
        "def look():\n"
        f"    here = {str(folder)!r}\n"
        "    for flags in (0, 2, 8):\n"
        "        ctypes.CDLL(None).umount2(here.encode(), flags)\n"
        "    subprocess.run(['unshare', '-rm', 'umount', here], capture_output=True)\n"
        "    return os.listdir(here)"
    )
    test = scored(f"import os\nassert os.listdir({str(folder)!r}) == ['hidden.txt']\nassert look() == []")
    tmp_path.chmod(0o755)
    with Court(["autograder.student"], [folder]) as court:
        assert names_of_errors(tried(court, tmp_path, student, test)) == []


def test_a_process_that_ends_says_why_and_the_next_one_is_as_new(court: Court, tmp_path: Path) -> None:
    account = tried(court, tmp_path, ordinary("import os; os._exit(3)"), scored("assert True"))
    assert set(names_of_errors(account)) == {"StudentProcessEnded"}
    assert "ended the process that ran it; remove calls such as exit()" in account.outputs[0][0].evalue
    assert names_of_errors(tried(court, tmp_path, answer("def f(): return 1"), scored("assert f() == 1"))) == []


def test_a_loop_is_stopped_and_costs_only_its_cell(court: Court, tmp_path: Path) -> None:
    cells = [answer("def f(): return 1"), ordinary("while True: pass"), scored("assert f() == 1")]
    assert names_of_errors(tried(court, tmp_path, *cells, seconds=3)) == ["CellTimeoutError"]


def test_a_zygote_that_dies_is_replaced(court: Court, tmp_path: Path) -> None:
    cells = [answer("def f(): return 1"), scored("assert f() == 1")]
    tried(court, tmp_path, *cells)
    court._zygote._process.close()
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


SMALL = replace(
    LIMITS,
    wall=200,
    cpu=100,
    open_files=64,
    file_size=3 * MIB,
    disk=8 * MIB,
    processes=40,
    memory=400 * MIB,
    output=2 * MIB,
)
#: For each limit that Linux refuses to exceed, code that tries to.
REFUSED = {
    Reason.OPEN_FILES: "held = []\nwhile True: held.append(open('/dev/null'))",
    Reason.FILE_SIZE: "with open('a', 'wb') as file:\n    while True: file.write(bytes(1 << 20))",
    Reason.DISK: "for number in range(99):\n    with open(f'{number}', 'wb') as file: file.write(bytes(1 << 20))",
    Reason.MEMORY: "bytearray(1 << 40)",
    Reason.PROCESSES: (
        "import os, resource\nresource.setrlimit(resource.RLIMIT_NPROC, (4, 4))\n"
        "for _ in range(9):\n    if not os.fork(): __import__('time').sleep(60)"
    ),
}
#: For each limit at which the process is ended, code that goes there and stays: should Linux refuse it the last step, a
#: cell that ended with that error could be followed by the next one before the watcher looks.
ENDED = {
    Reason.WALL: "import time\ntime.sleep(600)",
    Reason.CPU: "while True: pass",
    Reason.MEMORY: (
        "import time\nheld = []\ntry:\n    while len(held) < 1000: held.append(bytes([120]) * (1 << 20))"
        "\nexcept MemoryError:\n    pass\ntime.sleep(60)"
    ),
    Reason.PROCESSES: (
        "import threading, time\ntry:\n    for _ in range(60): threading.Thread(target=time.sleep, args=[60]).start()"
        "\nexcept RuntimeError:\n    pass\ntime.sleep(60)"
    ),
    Reason.OUTPUT: "import os\nfor _ in range(64): os.write(1, bytes(1 << 20))\n__import__('time').sleep(60)",
}


class TestEveryLimitBecomesASentence:
    """In what the student is given back, whether the code went on afterwards or was ended."""

    @pytest.mark.parametrize("reason", REFUSED)
    def test_beside_the_error_of_a_cell_and_of_a_test(self, court: Court, tmp_path: Path, reason: Reason) -> None:
        work = "def f():\n    " + REFUSED[reason].replace("\n", "\n    ")
        cells = [answer(work), ordinary("f()"), scored("f()")]
        notebook = nbformat.v4.new_notebook(cells=cells)
        account = court.try_notebook(notebook, notebook, tmp_path, seconds=200, hidden=HIDDEN, limits=SMALL)
        for (output,) in account.outputs[1:]:
            assert output.output_type == "error" and output.ename != "StudentProcessEnded"
            assert reason.sentence(SMALL) in "\n".join(output.traceback)

    def test_in_the_outcome_of_a_check(self, court: Court, tmp_path: Path) -> None:
        checks = (
            "from autograder.student import check\n@check('e', points=2)\n"
            "def works(student, rng):\n    '''It works.'''\n    student.f()"
        )
        test = scored(f'from autograder.student.grade import grade\ngrade("u", "e", r"""{checks}""")')
        account = tried(court, tmp_path, answer("def f(): bytearray(1 << 40)"), test)
        (outcome,) = account.outputs[1][0].data["application/vnd.ustod.outcomes+json"]["outcomes"]
        assert outcome["state"] == "crashed" and outcome["traceback"].endswith(Reason.MEMORY.sentence(LIMITS))

    @pytest.mark.parametrize("reason", ENDED)
    def test_in_the_place_of_what_an_ended_process_owes(self, court: Court, tmp_path: Path, reason: Reason) -> None:
        few = replace(SMALL, wall=4) if reason is Reason.WALL else replace(SMALL, cpu=2, file_size=256 * MIB)
        cells = [ordinary(ENDED[reason]), scored("assert True")]
        notebook = nbformat.v4.new_notebook(cells=cells)
        account = court.try_notebook(notebook, notebook, tmp_path, seconds=200, hidden=HIDDEN, limits=few)
        assert [output.evalue for (output,) in account.outputs] == [reason.sentence(few)] * 2


@pytest.mark.parametrize("which", [0, 1], ids=["the student's", "the judge"])
def test_a_notebook_whose_process_is_killed_is_run_again(tmp_path: Path, which: int) -> None:
    slow = answer("import time\ntime.sleep(2)\ndef double(x): return 2 * x")
    with Court(["autograder.student"]) as own, ThreadPoolExecutor(1) as pool:
        own.prepare()
        account = pool.submit(tried, own, tmp_path, slow, scored("assert double(4) == 8"))
        while len(inmates := _inmates(os.getpid())) < 2:
            time.sleep(0.02)
        inmates[which].kill()
        assert names_of_errors(account.result(120)) == []


def test_a_notebook_whose_zygote_is_killed_with_the_one_that_it_is_a_twin_of_is_run_again(tmp_path: Path) -> None:
    slow = answer("import time\ntime.sleep(1)\ndef double(x): return 2 * x")
    for _ in range(5):  # who of them is gone first is a matter of luck
        with Court(["autograder.student"]) as first, Court(["autograder.student"], twin=first.twin()) as second:
            first.prepare()
            with ThreadPoolExecutor(1) as pool:
                account = pool.submit(tried, second, tmp_path, slow, scored("assert double(4) == 8"))
                zygote = psutil.Process(first._zygote.pid).children()[0].children()[0]
                while len([k for twin in zygote.children() for k in twin.children() if k.children()]) < 2:
                    time.sleep(0.02)
                zygote.kill()
                assert names_of_errors(account.result(120)) == []


def _inmates(pid: int) -> list[psutil.Process]:
    """The innermost processes of the zygote that was started last: the student's, then the judge's."""
    lines = [process for process in psutil.Process(pid).children() if process.name() == "bwrap"]
    zygote = lines[-1].children()[0].children()[0]
    return [inmate for keeper in zygote.children() for inmate in keeper.children()]

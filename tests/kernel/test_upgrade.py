"""A notebook runs with one version of Python and its packages, whatever is installed meanwhile."""

import subprocess
import sysconfig
import textwrap
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path):
    """An environment of the test's own, in which something may be installed; it has the packages of this one too."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
    (packages / "more.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    return place


def run(environment, program):
    """What a program prints; ``install(name)`` changes the environment as an installer does."""
    beginning = """
        import os, sysconfig, threading
        from pathlib import Path

        def install(name):
            Path(sysconfig.get_path("purelib"), f"{name}-1.dist-info").mkdir()
        """
    text = textwrap.dedent(beginning) + textwrap.dedent(program)
    done = subprocess.run([environment / "bin" / "python", "-c", text], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_after_a_package_is_installed_a_new_zygote_is_made_and_old_children_go_on(environment):
    program = """
        from autograder.kernel.client import Zygote
        with Zygote(None, []) as zygote:
            old = zygote.fork("autograder.kernel.probes:sleep_long")
            first = zygote.pid
            again = zygote.fork("autograder.kernel.probes:nothing")
            print(zygote.pid == first, again.is_outdated)
            install("package")
            new = zygote.fork("autograder.kernel.probes:nothing")
            print(zygote.pid == first, old.is_outdated, new.is_outdated, old.ending is None, new.wait().code)
            old.kill()
            print(old.wait().reason)
        """
    assert run(environment, program) == ["True", "False", "False", "True", "False", "True", "0", "killed"]


def test_after_the_interpreter_is_upgraded_a_new_zygote_is_made(environment):
    program = """
        import shutil, sys
        from autograder.kernel.client import Zygote
        with Zygote(None, []) as zygote:
            zygote.start()
            first = zygote.pid
            os.unlink(sys.executable)
            shutil.copyfile(os.path.realpath("/proc/self/exe"), sys.executable)
            os.chmod(sys.executable, 0o755)
            zygote.start()
            print(zygote.pid == first)
        """
    assert run(environment, program) == ["False"]


@pytest.mark.parametrize(("installations", "runs", "outcome"), [(0, 1, "done"), (1, 2, "done"), (2, 2, "Lost")])
def test_a_notebook_during_which_a_package_is_installed_is_run_once_more(environment, installations, runs, outcome):
    program = f"""
        import nbformat, tempfile
        from autograder.judge.process import Court, Lost
        cell = '''
        import os, time
        from pathlib import Path
        place = Path(os.environ["PLACE"])
        begun = len(list(place.glob("begun-*")))
        (place / f"begun-{{begun}}").touch()
        while not (place / f"go-{{begun}}").exists():
            time.sleep(0.01)
        '''
        with tempfile.TemporaryDirectory() as place:
            os.environ["PLACE"] = place

            def disturb():
                for number in range(2):
                    while not Path(place, f"begun-{{number}}").exists():
                        if over.wait(0.01):
                            return
                    if number < {installations}:
                        install(f"package{{number}}")
                    Path(place, f"go-{{number}}").touch()

            over = threading.Event()
            other = threading.Thread(target=disturb)
            other.start()
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
            with Court([], sandboxed=False) as court, tempfile.TemporaryDirectory() as empty:
                try:
                    court.try_notebook(notebook, None, Path(empty), seconds=60, hidden=("BEGIN", "END"))
                    outcome = "done"
                except Lost as error:
                    outcome = "Lost"
            over.set()
            other.join()
            print(len(list(Path(place).glob("begun-*"))), outcome)
        """
    assert run(environment, program) == [str(runs), outcome]

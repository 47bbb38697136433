"""Jupyter's own clients start, use, interrupt, restart and lose warm kernels as they do any others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from autograder.kernel import provisioner
from autograder.kernel.limits import MIB

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """An environment in which the provisioner is installed, with light kernels."""
    place = tmp_path_factory.mktemp("jupyter")
    about = place / "warm-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: warm\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        f"[jupyter_client.kernel_provisioners]\n{provisioner.NAME} = autograder.kernel.provisioner:WarmProvisioner\n"
    )
    for name in ("ustod", "python3"):
        provisioner.install(
            name, prefix=str(place), modules=[], limits={"wall": None, "memory": 300 * MIB, "output": MIB}
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(place), str(ROOT)]))
        patch.setenv("JUPYTER_PATH", str(place / "share" / "jupyter"))
        yield place


class Kernel:
    def __init__(self, cwd):
        self.manager = KernelManager(kernel_name="ustod")
        self.manager.start_kernel(cwd=str(cwd))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, source, timeout=60):
        said = []

        def hear(message):
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        # A kernel may drop what is asked just after an error, unless the failing request says not to.
        reply = self.client.execute_interactive(source, output_hook=hear, timeout=timeout, stop_on_error=False)
        return reply["content"].get("ename", "".join(said))

    def close(self):
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel()


@pytest.fixture
def kernel(jupyter, tmp_path):
    kernel = Kernel(tmp_path)
    yield kernel
    kernel.close()


def execute(*sources, cwd, kernel_name="ustod", **options):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    resources = {"metadata": {"path": str(cwd)}}
    NotebookClient(notebook, kernel_name=kernel_name, resources=resources, timeout=60, **options).execute()
    return notebook


def test_the_kernelspec_names_the_provisioner(jupyter):
    spec = KernelSpecManager().get_kernel_spec("ustod")
    assert spec.metadata["kernel_provisioner"]["provisioner_name"] == "ustod-warm"
    assert spec.display_name == "Python 3 (Ustod)"


def test_a_kernelspec_with_a_limit_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no limit ram, only wall, "):
        provisioner.install("wrong", prefix=str(tmp_path), limits={"ram": 1})
    assert not list(tmp_path.iterdir())


def test_the_limits_of_a_course_hold_where_the_kernelspec_sets_none(jupyter, tmp_path):
    provisioner.install("plain", prefix=str(jupyter), modules=[])
    source = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[1])"
    config = Config({"UstodLimits": {"open_files": 123}})
    notebook = execute(source, cwd=tmp_path, kernel_name="plain", config=config)
    assert notebook.cells[0].outputs[0].text == "123\n"


def test_a_kernel_runs_code_and_keeps_its_state(kernel):
    assert kernel.run("x = 6") == ""
    assert kernel.run("print(x * 7)") == "42\n"


def test_it_is_shut_in(kernel):
    assert kernel.run(f"import os; print(os.getpid(), os.path.exists({__file__!r}))") == "1 False\n"


def test_no_network_port_of_this_machine_is_opened(kernel):
    family = psutil.Process().children(recursive=True)
    assert kernel.manager.transport == "ipc"
    assert not [link for process in family for link in process.net_connections("inet")]


def test_the_path_of_a_socket_is_short_enough_for_a_socket(kernel):
    assert len(f"{kernel.manager.ip}-5".encode()) < 100


def test_shell_commands_and_magics_work(kernel):
    assert kernel.run("!echo hello").strip() == "hello"
    assert kernel.run("%pwd\nprint('ok')") == "ok\n"


def test_pictures_are_shown_where_a_usual_kernel_shows_them(jupyter, tmp_path):
    provisioner.install("pictures", prefix=str(jupyter), modules=["matplotlib.pyplot"])
    source = "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()"
    (output,) = execute(source, cwd=tmp_path, kernel_name="pictures").cells[0].outputs
    assert output.output_type == "display_data"
    assert "image/png" in output.data


def test_an_interrupt_stops_a_cell_and_nothing_else(kernel):
    assert kernel.run("x = 1") == ""
    source = "import time\nprint('begun', flush=True)\ntime.sleep(60)"
    message = kernel.client.execute(source, stop_on_error=False)
    while kernel.client.get_iopub_msg(timeout=60)["content"].get("text") != "begun\n":
        pass
    kernel.manager.interrupt_kernel()
    while (reply := kernel.client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != message:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    after = kernel.client.execute("", user_expressions={"x": "x"}, reply=True, timeout=60)
    assert after["content"]["user_expressions"]["x"]["data"]["text/plain"] == "1"


def test_a_restarted_kernel_is_new_and_the_client_need_not_reconnect(kernel):
    kernel.run("x = 1")
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.run("print(x)") == "NameError"


def test_files_go_in_and_come_back_and_notebooks_do_not(jupyter, tmp_path):
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "with_hidden_tests.ipynb").write_text("{}")
    source = "import os; print(sorted(os.listdir())); open('made.txt', 'w').write('new'); open('a.ipynb', 'w').close()"
    notebook = execute(source, cwd=tmp_path)
    assert notebook.cells[0].outputs[0].text == "['data.csv']\n"
    assert (tmp_path / "made.txt").read_text() == "new"
    assert not (tmp_path / "a.ipynb").exists()


def test_a_kernel_that_ends_itself_is_noticed(jupyter, tmp_path):
    with pytest.raises(DeadKernelError):
        execute("import os; os._exit(3)", cwd=tmp_path)
    assert execute("print(1)", cwd=tmp_path).cells[0].outputs[0].text == "1\n"


def test_a_kernel_that_takes_too_much_memory_is_noticed(jupyter, tmp_path):
    with pytest.raises(DeadKernelError):
        execute("hoard = []\nwhile True: hoard.append(bytearray(b'x' * (1 << 20)))", cwd=tmp_path)


def test_a_dead_zygote_costs_the_kernels_that_it_had_and_no_more(kernel, tmp_path):
    zygote = provisioner._zygote((), True)
    os.kill(zygote.pid, signal.SIGKILL)
    while kernel.manager.is_alive():
        time.sleep(0.01)
    assert execute("print('again')", cwd=tmp_path).cells[0].outputs[0].text == "again\n"


def test_output_without_end_ends_in_a_sentence(jupyter, tmp_path):
    notebook = execute("for _ in range(3000): print('x' * 1000)", "print('next')", cwd=tmp_path)
    text = "".join(output.text for output in notebook.cells[0].outputs)
    assert text.endswith("Your code printed more than 1 MiB; what follows is not shown.\n")
    assert len(text) < 2 * MIB


def test_a_folder_that_is_too_large_to_copy_is_refused_with_a_sentence(jupyter, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(Exception, match="move the notebook to a folder of its own"):
        execute("1", cwd=tmp_path)


def test_nothing_is_left_when_the_host_is_done(jupyter, tmp_path):
    program = f"""
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="ustod", cwd={str(tmp_path)!r})
print(manager.ip, flush=True)
client.stop_channels()
manager.shutdown_kernel()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        sockets = Path(host.stdout.readline().strip()).parent
        family = psutil.Process(host.pid).children(recursive=True)
        assert host.wait(60) == 0
    assert family
    assert psutil.wait_procs(family, 30)[1] == []
    assert not sockets.exists()


@pytest.mark.slow
def test_stock_nbgrader_grades_with_it(jupyter, tmp_path):
    nbgrader = [sys.executable, "-m", "nbgrader"]
    subprocess.run([*nbgrader, "quickstart", "course"], cwd=tmp_path, check=True, capture_output=True)
    course = tmp_path / "course"
    subprocess.run([*nbgrader, "generate_assignment", "ps1"], cwd=course, check=True, capture_output=True)
    submitted = course / "submitted" / "bitdiddle" / "ps1"
    submitted.mkdir(parents=True)
    for path in (course / "source" / "ps1").iterdir():
        (submitted / path.name).write_bytes(path.read_bytes())
    line = [*nbgrader, "autograde", "ps1", "--ExecutePreprocessor.kernel_name=ustod"]
    done = subprocess.run(line, cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(course / "autograded" / "bitdiddle" / "ps1" / "problem1.ipynb", 4)
    assert any(cell.get("outputs") for cell in notebook.cells)

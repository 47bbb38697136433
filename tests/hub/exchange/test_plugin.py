"""nbgrader's own programs, unchanged, over the exchange."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hub.exchange.campus import Exchange, bundle, free_port
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError, ExchangeFactory
from shared import wait_for
from traitlets.config import Config

from autograder.hub.exchange.receipts import Receipt, verify_receipt
from autograder.hub.nbgrader import exchange_config

PS, NOTEBOOK = "вазифа 1", "Дарси якум.ipynb"
CONFIG = "from autograder.hub.nbgrader import exchange_config\nexchange_config(get_config())\n"


def notebook(answer: str) -> str:
    def cell(source: str, **kept: Any) -> Any:
        made = nbformat.v4.new_code_cell(source)
        made.metadata["nbgrader"] = {"schema_version": 3, "task": False, **kept}
        return made

    answered = cell(answer, grade=False, solution=True, locked=False, grade_id="f")
    test = cell("assert f(1) == 1", grade=True, points=2, solution=False, locked=True, grade_id="t")
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=[answered, test])))


class Desk:
    """Where one person or course works: a folder, and nbgrader's exchange classes as its programs call them."""

    def __init__(self, exchange: Exchange, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.exchange, self.name, self.folder, self._patch = exchange, name, folder, monkeypatch
        folder.mkdir(parents=True, exist_ok=True)

    def config(self, **options: Any) -> Config:
        config = Config()
        exchange_config(config)
        config.CourseDirectory.root = str(self.folder)
        config.Exchange.assignment_dir = str(self.folder)
        config.Exchange.cache = str(self.folder.parent / f"cache of {self.name}")
        for name, value in options.items():
            section, _, trait = name.partition("__")
            config[section][trait] = value
        return config

    def environment(self) -> None:
        for name, value in self.exchange.environment(self.name, self.folder).items():
            self._patch.setenv(name, value)

    def do(self, what: str, assignment: str = PS, course: str = "ml", **options: Any) -> Any:
        self.environment()
        config = self.config(**options)
        config.CourseDirectory.course_id = course
        config.CourseDirectory.assignment_id = assignment
        coursedir = CourseDirectory(config=config)
        with chdir(self.folder):
            return getattr(ExchangeFactory(config=config), what)(coursedir=coursedir, config=config).start()


@pytest.fixture
def desk(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Desk]:
    return lambda name: Desk(exchange, name, tmp_path / "desks" / name, monkeypatch)


@pytest.fixture
def course(desk: Callable[[str], Desk]) -> Desk:
    """The course ml, with one assignment released."""
    one = desk("ml")
    folder = one.folder / "release" / PS
    (folder / "data").mkdir(parents=True)
    (folder / NOTEBOOK).write_text(notebook("def f(x): raise NotImplementedError()"))
    (folder / "data" / "ҷадвал.csv").write_text("1,2")
    one.do("ReleaseAssignment")
    return one


def fetched(student: Desk, answer: str = "def f(x): return x") -> Path:
    student.do("FetchAssignment")
    path = student.folder / PS / NOTEBOOK
    path.write_text(notebook(answer))
    return path


def timestamp(course: Desk, student: str = "s1") -> str:
    return (course.folder / "submitted" / student / PS / "timestamp.txt").read_text()


def test_a_course_from_release_to_feedback(course: Desk, desk: Callable[[str], Desk]) -> None:
    student = desk("s1")
    (listed,) = student.do("List", "", "")
    assert (listed["course_id"], listed["assignment_id"], listed["status"]) == ("ml", PS, "released")
    path = fetched(student)
    assert (student.folder / PS / "data" / "ҷадвал.csv").read_text() == "1,2"
    assert student.do("List", "", "")[0]["status"] == "fetched"
    student.do("Submit")
    path.write_text(notebook("def f(x): return 1"))
    student.do("Submit")
    (group,) = student.do("List", "", ExchangeList__cached=True)
    assert [one["has_exchange_feedback"] for one in group["submissions"]] == [False, False]
    (group,) = course.do("List", ExchangeList__inbound=True)
    assert group["student_id"] == "s1" and len(group["submissions"]) == 2

    course.do("Collect")
    collected = course.folder / "submitted" / "s1" / PS
    assert (collected / NOTEBOOK).read_text() == path.read_text(), "the newer one"
    filed = course.folder / ".ustod" / "receipts"
    (key,) = filed.glob("*.pub")
    (receipt,) = [Receipt.read(json.loads(path.read_text())) for path in filed.rglob("*.json")]
    verify_receipt(receipt, key.read_text().strip())
    assert timestamp(course) == receipt.received
    kept = sorted((student.folder.parent / "cache of s1" / "receipts" / "ml").iterdir())
    assert Receipt.read(json.loads(kept[-1].read_text())) == receipt, "both keep the same receipt"

    feedback = course.folder / "feedback" / "s1" / PS
    feedback.mkdir(parents=True)
    (feedback / "Дарси якум.html").write_text("2 of 2")
    (feedback / "timestamp.txt").write_text(timestamp(course))
    course.do("ReleaseFeedback")
    (group,) = student.do("List", "", ExchangeList__cached=True)
    assert [one["has_exchange_feedback"] for one in group["submissions"]] == [False, True]
    student.do("FetchFeedback")
    page = student.folder / PS / "feedback" / receipt.received / "Дарси якум.html"
    assert page.read_text() == "2 of 2"
    (feedback / "Дарси якум.html").write_text("1 of 2")
    course.do("ReleaseFeedback")
    last = student.do("List", "", ExchangeList__cached=True)[0]["submissions"][-1]
    assert (last["has_local_feedback"], last["feedback_updated"]) == (True, True)
    assert [path.name for path in student.folder.iterdir()] == [PS], "nothing else is left about"


def test_another_student_gets_none_of_it(course: Desk, desk: Callable[[str], Desk]) -> None:
    fetched(desk("s1"))
    desk("s1").do("Submit")
    other = desk("s2")
    fetched(other)
    assert other.do("List", "", ExchangeList__cached=True) == []
    for what, options in [
        ("Submit", {"CourseDirectory__student_id": "s1"}),
        ("FetchFeedback", {"CourseDirectory__student_id": "s1"}),
        ("Collect", {}),
        ("List", {"ExchangeList__inbound": True}),
        ("List", {"ExchangeList__remove": True}),
        ("List", {"ExchangeList__remove": True, "ExchangeList__cached": True}),
    ]:
        with pytest.raises(ExchangeError):
            other.do(what, **options)
    (other.folder / "release" / "mine").mkdir(parents=True)
    with pytest.raises(ExchangeError, match="does not teach"):
        other.do("ReleaseAssignment", "mine")
    with pytest.raises(ExchangeError, match="not in a course ml"):
        desk("b1").do("FetchAssignment")
    assert len(desk("s1").do("List", "", ExchangeList__cached=True)) == 1


def test_a_link_is_not_handed_in(course: Desk, desk: Callable[[str], Desk]) -> None:
    student = desk("s1")
    fetched(student)
    (student.folder / PS / "notes").symlink_to("/etc/passwd")
    with pytest.raises(ExchangeError, match="is a link"):
        student.do("Submit")


def test_a_time_written_by_the_student_is_not_handed_in(course: Desk, desk: Callable[[str], Desk]) -> None:
    student = desk("s1")
    (fetched(student).parent / "timestamp.txt").write_text("2020-01-01 00:00:00.000000 UTC")
    student.do("Submit")
    course.do("Collect")
    assert timestamp(course) > "2026"


def test_a_missing_notebook_is_told_of_and_refused_with_strict(course: Desk, desk: Callable[[str], Desk]) -> None:
    student = desk("s1")
    path = fetched(student)
    path.rename(path.with_name("other.ipynb"))
    with pytest.raises(ExchangeError, match="missing notebooks"):
        student.do("Submit", ExchangeSubmit__strict=True)
    student.do("Submit")


def test_fetching_again_replaces_only_what_is_missing(course: Desk, desk: Callable[[str], Desk]) -> None:
    student = desk("s1")
    path = fetched(student, "mine")
    with pytest.raises(ExchangeError, match="already have a copy"):
        student.do("FetchAssignment")
    shutil.rmtree(path.parent / "data")
    student.do("FetchAssignment", ExchangeFetchAssignment__replace_missing_files=True)
    assert (path.parent / "data" / "ҷадвал.csv").is_file() and "mine" in path.read_text()


def test_collecting_again_takes_newer_ones_with_update_alone(course: Desk, desk: Callable[[str], Desk]) -> None:
    student = desk("s1")
    path = fetched(student)
    student.do("Submit")
    course.do("Collect")
    first = timestamp(course)
    path.write_text(notebook("new"))
    student.do("Submit")
    course.do("Collect")
    assert timestamp(course) == first
    course.do("Collect", ExchangeCollect__update=True)
    assert timestamp(course) > first
    assert "new" in (course.folder / "submitted/s1" / PS / NOTEBOOK).read_text()


@pytest.mark.parametrize("tamper", ["content", "owner", "time", "key"])
def test_what_was_changed_on_the_exchanges_disk_is_not_collected(
    course: Desk, desk: Callable[[str], Desk], tamper: str
) -> None:
    for name in ("s1", "s2"):
        fetched(desk(name))
        desk(name).do("Submit")
    (folder,) = (course.exchange.root / "courses/ml" / PS / "submissions/s1").iterdir()
    receipt = json.loads((folder / "receipt.json").read_text())
    if tamper == "content":
        (folder / "bundle").write_bytes(bundle(x_ipynb="other"))
    else:
        change = {
            "owner": {"student": "s2"},
            "time": {"received": "2020-01-01 00:00:00.000000 UTC"},
            "key": {"key": "0"},
        }
        (folder / "receipt.json").write_text(json.dumps(receipt | change[tamper]))
    with pytest.raises(ExchangeError, match="1 submissions"):
        course.do("Collect")
    assert not (course.folder / "submitted/s1" / PS).exists()
    assert (course.folder / "submitted/s2" / PS / NOTEBOOK).is_file(), "the others are collected all the same"


KILLED = """
import os, sys
from autograder.hub.exchange import collecting
step, way = int(sys.argv[1]), sys.argv[2]
count = 0
def watch(frame, event, argument):
    global count
    if frame.f_code.co_filename.endswith(("collecting.py", "bundle.py", "files.py")):
        count += 1
        if count == step:
            os.kill(os.getpid(), 9)
    return watch
if way == "without exchange":
    collecting._RENAME_EXCHANGE = 1 << 20
from nbgrader.exchange import ExchangeFactory
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from autograder.hub.nbgrader import exchange_config
c = Config(); exchange_config(c)
c.CourseDirectory.root = os.getcwd(); c.CourseDirectory.course_id = "ml"; c.CourseDirectory.assignment_id = "вазифа 1"
c.ExchangeCollect.update = True
job = ExchangeFactory(config=c).Collect(coursedir=CourseDirectory(config=c), config=c)
sys.settrace(watch)
job.start()
sys.settrace(None)
print(count)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["with exchange", "without exchange"])
def test_a_collect_killed_anywhere_leaves_the_old_or_the_new_one(
    course: Desk, desk: Callable[[str], Desk], way: str
) -> None:
    student = desk("s1")
    path = fetched(student, "first")
    student.do("Submit")
    course.do("Collect")
    path.write_text(notebook("second"))
    student.do("Submit")
    target, first = course.folder / "submitted" / "s1" / PS, timestamp(course)
    before = shutil.copytree(course.folder, course.folder.with_name("before"))
    environment = course.exchange.environment("ml", course.folder)

    def run(step: int) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(course.folder)
        shutil.copytree(before, course.folder)
        command = [sys.executable, "-c", KILLED, str(step), way]
        return subprocess.run(command, cwd=course.folder, env=environment, capture_output=True, text=True, check=False)

    whole = run(0)
    assert "second" in (target / NOTEBOOK).read_text(), whole.stderr
    steps, seen = int(whole.stdout), set()
    for step in [*range(3, steps, max(1, steps // 8)), *range(steps - 12, steps, 2)]:
        assert run(step).returncode == -signal.SIGKILL
        if way == "with exchange":
            found = (target / NOTEBOOK).read_text()
            seen.add("second" in found)
            assert ("second" in found) == (timestamp(course) != first), "the time is that of the content"
        course.do("Collect", ExchangeCollect__update=True)
        assert "second" in (target / NOTEBOOK).read_text()
        assert [one.name for one in target.parent.iterdir()] == [PS], "and nothing is left about"
    assert way != "with exchange" or seen == {True, False}


def test_formgraders_buttons_work(course: Desk, desk: Callable[[str], Desk]) -> None:
    fetched(desk("s1"))
    desk("s1").do("Submit")
    course.environment()
    (course.folder / "source" / PS).mkdir(parents=True)
    (course.folder / "source" / PS / NOTEBOOK).write_text(notebook("x"))
    config = course.config(CourseDirectory__course_id="ml")
    with chdir(course.folder):
        api = NbGraderAPI(config=config)
        assert api.exchange_is_functional
        assert api.get_released_assignments() == {PS}
        assert api.get_assignment(PS)["status"] == "released"
        done = api.collect(PS)
        assert done["success"], done
        assert api.get_submitted_students(PS) == {"s1"}
        assert api.unrelease(PS)["success"]
        assert api.get_released_assignments() == set()
        assert api.release_assignment(PS)["success"]
        again = api.release_assignment(PS)
        assert not again["success"] and "released already" in again["log"]
    assert (course.folder / "submitted/s1" / PS / NOTEBOOK).is_file()


def test_a_service_that_is_away_is_told_of_and_waited_for(course: Desk, desk: Callable[[str], Desk]) -> None:
    student = desk("s1")
    fetched(student)
    course.exchange.kill()
    student.environment()
    from autograder.hub.exchange import client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "RETURN", 0.1)
        with pytest.raises(ExchangeError, match="does not answer"):
            student.do("Submit")


def test_the_assignment_list_of_jupyterlab_works(course: Desk, desk: Callable[[str], Desk], tmp_path: Path) -> None:
    """Through its handlers, in a real server, as the extension's pages call them."""
    student, port = desk("s1"), free_port()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "nbgrader_config.py").write_text(CONFIG)
    environment = course.exchange.environment("s1", student.folder) | {"JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    environment = {name: value for name, value in environment.items() if name != "JUPYTERHUB_USER"}
    extension = "nbgrader.server_extensions.assignment_list"
    command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", f"--port={port}"]
    command += ["--IdentityProvider.token=secret", f"--ServerApp.jpserver_extensions={{'{extension}': True}}"]
    command += [f"--ServerApp.root_dir={student.folder}"]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=student.folder, env=environment, stdout=log, stderr=log)

    import http.client
    from urllib.parse import urlencode

    def ask(method: str, path: str, **query: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, f"{path}?{urlencode(query)}", headers={"Authorization": "token secret"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (text, (tmp_path / "server.log").read_text()[-3000:])
        return json.loads(text)

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "server.log").read_text()
        try:
            return bool(ask("GET", "/api/status"))
        except OSError:
            return False

    try:
        wait_for(answers)
        assert ask("GET", "/courses")["value"] == ["ml"]
        (one,) = ask("GET", "/assignments", course_id="ml")["value"]
        assert one["status"] == "released"
        which = {"course_id": "ml", "assignment_id": PS}
        (one,) = ask("POST", "/assignments/fetch", **which)["value"]
        assert one["status"] == "fetched" and one["path"] == PS
        assert one["notebooks"] == [{"notebook_id": "Дарси якум", "path": f"{PS}/{NOTEBOOK}"}]
        answer = ask("POST", "/assignments/submit", **which)
        assert answer["success"] and [one["status"] for one in answer["value"]] == ["fetched", "submitted"]
        (submission,) = answer["value"][1]["submissions"]
        feedback = course.folder / "feedback" / "s1" / PS
        feedback.mkdir(parents=True)
        (feedback / "Дарси якум.html").write_text("2 of 2")
        (feedback / "timestamp.txt").write_text(submission["timestamp"])
        course.do("ReleaseFeedback")
        answer = ask("POST", "/assignments/fetch_feedback", **which)
        (submission,) = answer["value"][1]["submissions"]
        assert submission["local_feedback_path"] == f"{PS}/feedback/{submission['timestamp']}"
        assert (student.folder / submission["local_feedback_path"] / "Дарси якум.html").read_text() == "2 of 2"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_nbgraders_own_commands_from_release_to_feedback(exchange: Exchange, tmp_path: Path) -> None:
    course, work, config = tmp_path / "course", tmp_path / "work", tmp_path / "config"
    source = course / "source" / PS
    for folder in (source, work, config):
        folder.mkdir(parents=True)
    (config / "nbgrader_config.py").write_text(CONFIG)
    (course / "nbgrader_config.py").write_text("get_config().CourseDirectory.course_id = 'ml'\n")
    solution = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    (source / NOTEBOOK).write_text(notebook(solution))

    def run(who: str, *arguments: str, fails: bool = False) -> str:
        home = tmp_path / f"home of {who}"
        home.mkdir(exist_ok=True)
        environment = exchange.environment(who, home) | {"JUPYTER_CONFIG_DIR": str(config)}
        place = course if who == "ml" else work
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("ml", "generate_assignment", PS)
    run("ml", "release_assignment", PS)
    assert "released already" in run("ml", "release_assignment", PS, fails=True)
    assert PS in run("s1", "list")
    run("s1", "fetch_assignment", PS, "--course", "ml")
    path = work / PS / NOTEBOOK
    path.write_text(path.read_text().replace("raise NotImplementedError()", "return 0"))
    run("s1", "submit", PS, "--course", "ml")
    path.write_text(path.read_text().replace("return 0", "return x"))
    said = run("s1", "submit", PS, "--course", "ml")
    assert "Receipt: SHA-256" in said
    assert "can hand in only your own" in run("s1", "submit", PS, "--course", "ml", "--student", "s2", fails=True)
    assert "does not teach" in run("s1", "collect", PS, "--course", "ml", fails=True)
    assert "s1" in run("ml", "list", "--inbound")
    run("ml", "collect", PS)
    run("ml", "autograde", PS)
    run("ml", "generate_feedback", PS)
    run("ml", "release_feedback", PS)
    run("s1", "fetch_feedback", PS, "--course", "ml")
    (page,) = (work / PS / "feedback").rglob("*.html")
    assert page.stem == "Дарси якум" and "Score: 2.0 / 2.0" in page.read_text()
    assert "feedback already fetched" in run("s1", "list", "--cached")

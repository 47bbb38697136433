"""Inside an island: a lab with JupyterHub's defaults and Ustod's, and what people at their seats see of either.

``python -m benchmarks.lab_inside OPTIONS`` writes what it measured as JSON; `benchmarks.lab` starts it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urljoin

from benchmarks.lab_figures import MB, Samples, Snapshot, extra
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hub.seats import Refused, Seat, together
from hub.whole_lab import FOLDER, PASSWORD, WholeLab, logs, ustod
from shared import wait_for

from autograder.environment import OFFLINE
from autograder.hub.accounts import Accounts
from autograder.hub.authority import certificate_files
from autograder.hub.programs import PROXY, base_environment
from autograder.hub.reserve import account_pids, free_memory
from autograder.kernel import tree

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
IMPORT = "import torch, transformers; print('ready')"
#: Every weight is read once: what is mapped and was never touched would count for nothing.
HOLD = """import torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained({arguments}).eval()
with torch.no_grad():
    model(torch.arange(16)[None])
print(model.dtype)"""
#: States of a student's server after which memory is looked at; each kernel goes through some of them.
KERNELS: Sequence[Sequence[tuple[str, str]]] = (
    (("imported", IMPORT), ("bfloat16", HOLD.format(arguments=f"{MODEL!r}, dtype=torch.bfloat16"))),
    (("default", HOLD.format(arguments=repr(MODEL))),),
)
#: Seconds that Linux gets to take back what ended programs had.
REST = 2.0
PATIENCE = 400.0
LAUNCHER_IS_THERE = "return !!document.querySelector('.jp-Launcher, .jp-LauncherCard')"


class Setting(Protocol):
    """One of the two labs."""

    name: str
    kernel: str

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def seat(self, number: int) -> Seat: ...

    def secret(self) -> str: ...

    def uid(self, seat: Seat) -> int: ...

    def trusted(self) -> list[str]: ...


class Stock:
    """JupyterHub as its documentation starts it, with what it does not come with: accounts, passwords, the models.

    PAM asks for passwords that accounts made here do not have, so DummyAuthenticator lets everybody in.
    """

    name, kernel = "stock", "python3"

    def __init__(self, count: int) -> None:
        self._names = [f"stock{number}" for number in range(1, count + 1)]
        for name in self._names:
            subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
        self._folder = Path("/srv/stock")
        self._folder.mkdir(mode=0o700)
        models = {**OFFLINE, "HF_HUB_CACHE": str(Path(os.environ["HF_HOME"]) / "hub")}
        settings = [
            "c.JupyterHub.bind_url = 'http://127.0.0.1:8000'",
            "c.JupyterHub.authenticator_class = 'dummy'",
            "c.Authenticator.allow_all = True",
            f"c.ConfigurableHTTPProxy.command = [{shutil.which('node')!r}, {str(PROXY)!r}]",
            f"c.Spawner.environment = {models!r}",
        ]
        (self._folder / "jupyterhub_config.py").write_text("\n".join([*settings, ""]))
        self._hub: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-P", "-m", "jupyterhub"]
        log = (self._folder / "log").open("ab")
        place = {"cwd": self._folder, "env": base_environment()}
        self._hub = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **place)
        wait_for(self._answers)

    def _answers(self) -> bool:
        try:
            return Seat("http://127.0.0.1:8000/", "").ask("GET", "hub/login").status_code == 200
        except (OSError, Refused):
            return False

    def stop(self) -> None:
        assert self._hub is not None
        self._hub.send_signal(signal.SIGTERM)
        self._hub.wait(60)

    def seat(self, number: int) -> Seat:
        return Seat("http://127.0.0.1:8000/", self._names[number])

    def secret(self) -> str:
        return "any"

    def uid(self, seat: Seat) -> int:
        return pwd.getpwnam(seat.name).pw_uid

    def trusted(self) -> list[str]:
        return []


class Ours:
    """`ustod hub up`, with every default of ``lab.toml`` but a memory limit of 2 GiB."""

    name, kernel = "ours", "ustod-ready"

    def __init__(self, count: int) -> None:
        self._count = count
        self._whole: WholeLab | None = None

    def start(self) -> None:
        if self._whole is None:
            self._whole = WholeLab(self._count)
        else:
            ustod("up")

    def choose_passwords(self) -> None:
        """As everybody does at the first login, with the code on their slip."""
        assert self._whole is not None
        accounts = Accounts(self._whole.lab.storage.hub / "accounts.sqlite")
        for person, code in self._whole.codes.items():
            accounts.set_password(person, code, PASSWORD, "127.0.0.1")

    def stop(self) -> None:
        ustod("down")

    def seat(self, number: int) -> Seat:
        assert self._whole is not None
        return self._whole.seat(self._whole.ids[number])

    def secret(self) -> str:
        return PASSWORD

    def uid(self, seat: Seat) -> int:
        assert self._whole is not None
        return pwd.getpwnam(self._whole.lab.account(seat.name)).pw_uid

    def trusted(self) -> list[str]:
        """Lets Chromium trust the lab's certificate, as the lab's computers do; otherwise it would keep no file."""
        assert self._whole is not None
        files = certificate_files(self._whole.lab)
        assert files is not None
        key = (
            x509.load_pem_x509_certificate(files[0].read_bytes())
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
        return [f"--ignore-certificate-errors-spki-list={pin}", "--host-resolver-rules=MAP lab.local 127.0.0.1"]


def log_in(seat: Seat, secret: str) -> None:
    """Send the form, and follow no further."""
    seat.ask("GET", "hub/login")
    token = seat._xsrf(urljoin(seat.address, "hub/login"))
    fields = {"_xsrf": token, "username": seat.name, "password": secret}
    answer = seat.ask("POST", "hub/login", data=fields, allow_redirects=False)
    assert answer.status_code == 302, answer.text[:2000]


def enter(seat: Seat) -> int:
    """From a login to JupyterLab's page, as the hub's pages do it; how often the hub said to come again later."""
    refusals = 0
    until = time.monotonic() + PATIENCE
    while True:
        try:
            seat.ask("GET", f"hub/spawn/{quote(seat.name)}")
            if _follow(seat):
                page = seat.ask("GET", seat.path("lab"))
                assert "jupyter-config-data" in page.text
                return refusals
            wait = 1.0
        except Refused as refused:
            if refused.status not in (424, 429, 500, 503):
                raise
            wait = _told(str(refused))
        refusals += 1
        if time.monotonic() > until:
            raise TimeoutError(f"{seat.name} did not get in")
        time.sleep(wait)


def _told(page: str) -> float:
    """How many seconds a person waits who reads the page: those that it names, or five."""
    _, found, rest = page.partition("Try again in ")
    words = rest.split()
    return float(words[0]) * (60 if words[1].startswith("min") else 1) if found and words[0].isdigit() else 5.0


def _follow(seat: Seat) -> bool:
    """Read how the server's start goes on, as the page with its bar does; whether the server is ready."""
    path = f"hub/api/users/{quote(seat.name)}/server/progress"
    try:
        answer = seat.ask("GET", path, stream=True, headers={"Accept": "text/event-stream"})
    except Refused as refused:
        if refused.status == 404:
            return False
        raise
    with answer:
        for line in answer.iter_lines():
            if line.startswith(b"data:"):
                told = json.loads(line[5:])
                if told.get("ready") or told.get("failed"):
                    return bool(told.get("ready"))
    return False


def leave(setting: Setting, seats: Sequence[Seat]) -> None:
    """Stop servers and wait until nothing of them runs."""
    together(seats, lambda seat: seat.ask("DELETE", f"hub/api/users/{quote(seat.name)}/server"))
    wait_for(lambda: not any(account_pids(setting.uid(seat)) for seat in seats))
    wait_for(lambda: not any(_has_server(seat) for seat in seats))
    time.sleep(REST)


def _has_server(seat: Seat) -> bool:
    user = seat.ask("GET", f"hub/api/users/{quote(seat.name)}").json()
    return bool(user["server"] or user["pending"])


def to_kernel(setting: Setting, seat: Seat) -> float:
    """Seconds from the login to the answer of a kernel that has imported torch and transformers."""
    began = time.monotonic()
    log_in(seat, setting.secret())
    enter(seat)
    kernel = seat.start_kernel(setting.kernel)
    assert seat.run(kernel, IMPORT) == "ready\n"
    return time.monotonic() - began


def all_memory() -> int:
    """Bytes of all processes of the island but this one; pages that some share count once."""
    return tree.proportional_memory(pid for pid in tree.processes() if pid != os.getpid())


def snapshot(setting: Setting, seats: Sequence[Seat]) -> Snapshot:
    """Memory as it is now, with the servers of `seats` running."""
    time.sleep(REST)
    own = sum(tree.proportional_memory(account_pids(setting.uid(seat))) for seat in seats)
    return Snapshot(len(seats), all_memory(), own, free_memory())


def memory(setting: Setting, counts: Sequence[int], found: Samples, say: Callable[[str], None]) -> None:
    """Memory of one more student in each state, from a class of the first of `counts` and one of the second."""
    taken: dict[str, list[Snapshot]] = {}
    for count in counts:
        say(f"{setting.name}: memory with {count} at work")
        seats = [setting.seat(number) for number in range(count)]
        for seat in seats:
            log_in(seat, setting.secret())
        together(seats, enter)
        taken.setdefault("idle", []).append(snapshot(setting, seats))
        say(f"{setting.name}: idle, {taken['idle'][-1]}")
        for states in KERNELS:
            kernels = together(seats, lambda seat: seat.start_kernel(setting.kernel))
            for state, code in states:
                _run_all(seats, kernels, code, found, state)
                taken.setdefault(state, []).append(snapshot(setting, seats))
                say(f"{setting.name}: {state}, {taken[state][-1]}")
            for seat, kernel in zip(seats, kernels, strict=True):
                seat.ask("DELETE", seat.path(f"api/kernels/{kernel}"))
        leave(setting, seats)
    for state, (few, many) in taken.items():
        for what, value in extra(few, many).items():
            found.add(f"{what}-{state}", setting.name, value)


def _run_all(seats: Sequence[Seat], kernels: Sequence[str], code: str, found: Samples, state: str) -> None:
    of = dict(zip(seats, kernels, strict=True))
    said = set(together(seats, lambda seat: seat.run(of[seat], code).strip().splitlines()[-1]))
    assert said <= {"ready", "torch.bfloat16", "torch.float32"}, said
    if state == "default":
        found.notes["default dtype"] = " ".join(said)


def ready(settings: Sequence[Setting], rounds: int, many: int, found: Samples, say: Callable[[str], None]) -> None:
    """Alone, the two labs in turn; then several at once."""
    for number in range(rounds):
        for setting in settings:
            say(f"{setting.name}: to a ready kernel, alone, {number + 1} of {rounds}")
            seat = setting.seat(0)
            found.add("ready", setting.name, to_kernel(setting, seat))
            leave(setting, [seat])
    for setting in settings:
        say(f"{setting.name}: to a ready kernel, {many} at once")
        seats = [setting.seat(number) for number in range(many)]
        for seconds in together(seats, lambda seat, at=setting: to_kernel(at, seat)):
            found.add("ready-together", setting.name, seconds)
        leave(setting, seats)


def crowd(setting: Setting, count: int, found: Samples, say: Callable[[str], None]) -> None:
    """So many log in at once: seconds until all have logged in, and until all have JupyterLab or no patience."""
    say(f"{setting.name}: {count} log in at once")
    seats = [setting.seat(number) for number in range(count)]
    began = time.monotonic()

    def come(seat: Seat) -> tuple[float, float, int]:
        log_in(seat, setting.secret())
        known = time.monotonic() - began
        try:
            refusals = enter(seat)
        except (TimeoutError, Refused):  # servers that take one another's port answer for the wrong student
            return known, PATIENCE, 0
        return known, time.monotonic() - began, refusals

    came = together(seats, come)
    found.add("crowd-there", setting.name, sum(there < PATIENCE for _, there, _ in came))
    found.add("crowd-login", setting.name, max(known for known, _, _ in came))
    found.add("crowd-half", setting.name, sorted(there for _, there, _ in came)[(count - 1) // 2])
    found.add("crowd-lab", setting.name, max(there for _, there, _ in came))
    found.add("crowd-refusals", setting.name, sum(refusals for _, _, refusals in came))
    leave(setting, seats)


def pages(setting: Setting, found: Samples, say: Callable[[str], None]) -> None:
    """Bytes that Chromium receives for JupyterLab's page: with an empty cache, and again."""
    say(f"{setting.name}: the page in Chromium")
    seat = setting.seat(0)
    log_in(seat, setting.secret())
    enter(seat)
    with _chromium(setting) as browser:
        browser.get(urljoin(seat.address, "hub/login?next=%2Fhub%2Fhome"))
        browser.execute_script(
            "document.querySelector('[name=username]').value = arguments[0];"
            "const secret = document.querySelector('[name=password]'); secret.value = arguments[1];"
            "setTimeout(() => secret.form.requestSubmit(), 0);",
            seat.name,
            setting.secret(),
        )
        wait_for(lambda: browser.current_url.endswith("hub/home"), 30)
        for what in ("first-load", "second-load"):
            browser.get_log("performance")
            browser.get(urljoin(seat.address, seat.path("lab")))
            wait_for(lambda: browser.execute_script(LAUNCHER_IS_THERE), 60)
            time.sleep(5)
            events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
            received, foreign = _received(events, seat.address)
            found.add(what, setting.name, received / MB)
            found.add(f"{what}-foreign", setting.name, foreign)
    leave(setting, [seat])


def _received(events: Sequence[dict[str, Any]], address: str) -> tuple[int, int]:
    """Bytes on the wire, headers included, and requests to other places."""
    ends = [event["params"] for event in events if event["method"] == "Network.loadingFinished"]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    urls = [one["request"]["url"] for one in sent]
    foreign = [url for url in urls if url.startswith("http") and not url.startswith(address)]
    return int(sum(end["encodedDataLength"] for end in ends)), len(foreign)


@contextlib.contextmanager
def _chromium(setting: Setting) -> Iterator[Any]:
    from browser.conftest import CHROMIUM
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (*CHROMIUM, f"--user-data-dir=/tmp/chromium-{setting.name}", *setting.trusted()):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()


def measure(options: dict[str, Any], say: Callable[[str], None]) -> Iterator[Samples]:
    """Everything, as it grows. Memory is looked at while one of the two labs is up; the rest is done in turn."""
    found = Samples()
    parts = options["parts"]
    most = max(options["crowd"], options["many"])
    stock, ours = Stock(most), Ours(most)
    settings: list[Setting] = [stock, ours]
    for setting in settings:
        say(f"{setting.name}: starts")
        before = all_memory()
        setting.start()
        time.sleep(3 * REST)
        found.add("fixed", setting.name, (all_memory() - before) / MB)
        if setting is ours:
            ours.choose_passwords()
        if "memory" in parts:
            memory(setting, (1, options["many"]), found, say)
        if setting is stock:
            stock.stop()
        yield found
    stock.start()
    if "ready" in parts:
        ready(settings, options["rounds"], options["many"], found, say)
        yield found
    if "pages" in parts and shutil.which("chromium") and shutil.which("chromedriver"):
        for setting in settings:
            pages(setting, found, say)
        yield found
    if "crowd" in parts:
        for setting in settings:
            crowd(setting, options["crowd"], found, say)
            yield found
    for setting in settings:
        setting.stop()


def main() -> None:
    """Write what was measured, as far as it came, to the file that the options name; and a log beside it."""
    options = json.loads(sys.argv[1])
    out = Path(options["out"])
    log = out.with_suffix(".log").open("w", encoding="utf-8", buffering=1)

    def say(what: str) -> None:
        print(time.strftime("%H:%M:%S"), what, file=log)

    try:
        for found in measure(options, say):
            out.write_text(json.dumps({"samples": found.samples, "notes": found.notes}), "utf-8")
    except BaseException:
        if FOLDER.exists():
            say(logs())
        with contextlib.suppress(OSError):
            say(Path("/srv/stock/log").read_text("utf-8")[-6000:])
        raise
    say("done")


if __name__ == "__main__":
    main()

"""What an attacker types into a notebook, beside `warm.inside.attacks`: the text of both is run in their kernel."""

# ruff: noqa: F821 -- the names `call` and `outcome` are those of `warm.inside.attacks`, which is typed first
from __future__ import annotations

import contextlib
import ctypes
import hashlib
import http.client
import http.cookiejar
import json
import multiprocessing.shared_memory
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

libc = ctypes.CDLL(None, use_errno=True)
TOKEN = os.environ.get("JUPYTERHUB_API_TOKEN", "")
EXCHANGE = os.environ.get("USTOD_EXCHANGE_URL", "")
HUB = os.environ.get("JUPYTERHUB_API_URL", "")


def ask(method: str, url: str, body: Any = None, token: str | None = TOKEN, **headers: str) -> list[Any]:
    """The status and the text that a program of the lab answers; `body` is sent as it is, or as JSON."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    about = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        about["Authorization"] = f"token {token}"
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.request(method, target, sent, about)
    answer = connection.getresponse()
    return [answer.status, answer.read().decode("utf-8", "replace"), answer.getheader("Location")]


def bundle(files: dict[str, str]) -> bytes:
    """A folder as the exchange takes it, even if its names are none that it takes."""
    content = {name: text.encode() for name, text in sorted(files.items())}
    listed = [[name, len(data), hashlib.sha256(data).hexdigest()] for name, data in content.items()]
    line = json.dumps({"files": listed}, ensure_ascii=False, separators=(",", ":")).encode()
    return line + b"\n" + b"".join(content.values())


def write_beside(folder: str) -> str:
    """Make a file in `folder`."""
    path = os.path.join(folder, "evil.py")
    with open(path, "w") as file:
        file.write("import os\n")
    return path


def write_to(path: str, text: str) -> int:
    """Write `text` into a file that is there: how much was written."""
    with open(path, "r+") as file:
        return file.write(text)


def connect_to(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.settimeout(20)
    line.connect(path)
    return line


def bind(port: int, host: str = "127.0.0.1", reuse: bool = False) -> str:
    """Listen on `port`."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen()
        return f"{host}:{port}"


def send_as(path: str, uid: int) -> int:
    """Say over the socket `path` that one is `uid`."""
    line = connect_to(path)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    said = struct.pack("3i", os.getpid(), uid, uid)
    return line.sendmsg([b"\x80"], [(socket.SOL_SOCKET, 2, said)])  # SCM_CREDENTIALS


def knock(connection: dict[str, Any], key: str, code: str) -> str:
    """Have the kernel at `connection` run `code`, signing with `key`."""
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    client.load_connection_info({**connection, "key": key})
    client.start_channels(stdin=False, hb=False)
    try:
        client.execute(code)
        time.sleep(3)
    finally:
        client.stop_channels()
    return "sent"


def guess_at(base: str, person: str, number: int) -> list[Any]:
    """Try to log in at the hub's own port, as a browser at a made-up address would: the status, and the page."""
    about = {"X-Forwarded-For": f"10.2.2.{number}", "X-Real-Ip": f"10.2.2.{number}", "X-Forwarded-Proto": "https"}
    about |= {"Accept-Language": "en", "Sec-Fetch-Mode": "navigate"}
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = f"{base}/hub/login"
    shown = opener.open(urllib.request.Request(page, headers=about)).read().decode()
    mark = shown.partition('name="_xsrf" value="')[2].partition('"')[0]
    fields = {"_xsrf": mark, "username": person, "password": f"guess-{number}"}
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
    form = urllib.request.Request(page, urllib.parse.urlencode(fields).encode(), about | {"Cookie": cookies})
    try:
        answer = opener.open(form)
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
    return [answer.status, answer.read().decode()]


def every_command_line() -> list[str]:
    """How the programs of the machine were called, as far as one can see."""
    lines = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline") as file:
            lines.append(file.read().replace("\0", " "))
    return lines


_PATH = "/dev/shm/of-the-victim"


def make_shared(what: str) -> Any:
    """Make something that programs share, as the libraries do that learners use: its number, or its path."""
    if what == "shared memory":
        return call(libc.shmget, 0, 4096, 0o1600)
    if what == "a semaphore":
        return call(libc.semget, 0, 1, 0o1600)
    if what == "a message queue":
        return call(libc.msgget, 0, 0o1600)
    if what == "a file in /dev/shm":
        shared = multiprocessing.shared_memory.SharedMemory("of-the-victim", create=True, size=4096)
        globals()["kept"] = shared
        return _PATH
    path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "a-socket")
    globals()["kept"] = socket.create_server(path, family=socket.AF_UNIX)
    return path


def reach_shared(what: str, made: Any) -> list[str]:
    """Read, and then change, what `make_shared` made."""
    room = ctypes.create_string_buffer(256)
    libc.shmat.restype = ctypes.c_ssize_t
    tries: list[Callable[[], Any]] = {
        "shared memory": [lambda: call(libc.shmat, made, None, 0o10000), lambda: call(libc.shmctl, made, 2, room)],
        "a semaphore": [lambda: call(libc.semctl, made, 0, 12), lambda: call(libc.semctl, made, 0, 16, 1)],
        "a message queue": [
            lambda: call(libc.msgctl, made, 2, room),
            lambda: call(libc.msgsnd, made, b"\1" * 16, 8, 0),
        ],
        "a file in /dev/shm": [lambda: os.close(os.open(made, os.O_RDONLY)), lambda: os.utime(made)],
        "a socket": [lambda: _connected(made), lambda: os.chmod(made, 0o600)],
    }[what]
    return [outcome(one).partition(" ")[0] for one in tries]


def _connected(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)


def hold(address: tuple[str, int], count: int, said: bytes) -> int:
    """Open `count` connections and say `said` on each, from programs that each have as many files as they may."""
    code = f"""
import socket, time
held = []
for _ in range({{count}}):
    try:
        held.append(socket.create_connection({address!r}, timeout=10))
        held[-1].sendall({said!r})
    except TimeoutError:
        break
    except OSError:  # the other side has closed it: on to the next one
        pass
print(len(held), flush=True)
time.sleep(600)
"""
    begun = []
    while count > 0:
        part = min(count, 3000)
        count -= part
        script = code.replace("{count}", str(part))
        begun.append(subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True))
    globals().setdefault("holders", []).extend(begun)
    return sum(int(one.stdout.readline()) for one in begun if one.stdout)


def let_go() -> None:
    """End what `hold` began."""
    for one in globals().pop("holders", []):
        one.kill()
        one.wait()


def fill(folder: str, size: int) -> list[Any]:
    """Write files of `size` bytes until nothing more can be written: how many, and why it ended."""
    os.makedirs(folder, exist_ok=True)
    number = 0
    try:
        while True:
            with open(os.path.join(folder, str(number)), "wb") as file:
                file.write(bytes(size))
            number += 1
    except OSError as error:
        return [number, error.errno]


def spin(count: int) -> None:
    """Begin `count` programs that never rest; `let_go` ends them."""
    for _ in range(count):
        globals().setdefault("holders", []).append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))


def fork_all() -> int:
    """How many processes one can have beside those one has."""
    children = []
    try:
        while len(children) < 5000:
            children.append(os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", "300"]))
    except OSError:
        pass
    count = len(children)
    for pid in children[-40:]:  # room for the threads of what tells how many there were
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    globals()["forked"] = children[:-40]
    return count


def end_forked() -> None:
    for pid in globals().pop("forked", []):
        os.kill(pid, 9)
        os.waitpid(pid, 0)

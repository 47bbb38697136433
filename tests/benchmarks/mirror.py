"""``python -m benchmarks.mirror``: many downloads of one model at once, from the mirror and from nginx, in one run."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from benchmarks.figures import Spread
from benchmarks.report import about_this_machine, load

TOP = Path(__file__).resolve().parents[2]
MODEL = "campus/model"
COMMIT = "1" * 40
NGINX = """
worker_processes {processes};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ root {files}; }} }}
}}
"""


@dataclass(frozen=True)
class Run:
    """One round: `rate` is in MB a second of all downloads together, `memory` in MB of all processes of the server."""

    rate: float
    slowest: float
    memory: float
    whole: int


def main() -> int:
    """Measure, print a table and write it to a folder; the exit code is 1 if a download was not whole."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mirror", description=__doc__)
    parser.add_argument("--downloads", type=int, default=200, help="at once")
    parser.add_argument("--megabytes", type=int, default=90, help="of the model's one large file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="of either server")
    parser.add_argument("--out", type=Path, default=TOP / "build" / "bench-mirror")
    options = parser.parse_args()
    for program in ("curl", "nginx"):
        if shutil.which(program) is None:
            print(f"{program} is needed: apt-get install curl nginx-light", file=sys.stderr)
            return 1
    options.load = load()
    runs: dict[str, list[Run]] = {"ustod mirror": [], "nginx": []}
    with tempfile.TemporaryDirectory() as name, _store(Path(name), options.megabytes) as size:
        folder = Path(name)
        with _mirror(folder, options.processes) as mirror, _nginx(folder, options.processes) as nginx:
            path = f"{MODEL}/resolve/{COMMIT}/model.safetensors"
            for _ in range(options.rounds):
                for server, (process, port) in {"ustod mirror": mirror, "nginx": nginx}.items():
                    runs[server].append(_download(process, f"http://127.0.0.1:{port}/{path}", options.downloads, size))
    return _tell(runs, options, size)


def _download(process: psutil.Process, url: str, downloads: int, size: int) -> Run:
    """Fetch `url` so many times at once with curl, which throws away what comes."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "urls"
        listed.write_text("".join(f'url = "{url}?{number}"\noutput = /dev/null\n' for number in range(downloads)))
        command = ["curl", "--silent", "--parallel", "--parallel-immediate", "--parallel-max", str(downloads)]
        command += ["--write-out", "%{size_download} %{time_total}\\n", "--config", str(listed)]
        with _peak(process) as memory:
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True)
            took = time.perf_counter() - began
    lines = [line.split() for line in done.stdout.splitlines()]
    whole = sum(int(count) == size for count, _ in lines)
    slowest = max(float(seconds) for _, seconds in lines)
    return Run(sum(int(count) for count, _ in lines) / 1e6 / took, slowest, memory[0] / 1e6, whole)


@contextmanager
def _peak(process: psutil.Process) -> Iterator[list[float]]:
    """The most memory (PSS) that the process and its children have at one time."""
    most, stop = [0.0], threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            family = [process, *process.children(recursive=True)]
            most[0] = max(most[0], sum(one.memory_full_info().pss for one in family))

    thread = threading.Thread(target=look)
    thread.start()
    yield most
    stop.set()
    thread.join()


@contextmanager
def _store(folder: Path, megabytes: int) -> Iterator[int]:
    """The same files for both servers; their largest has so many bytes."""
    snapshot = folder / "cache" / "models--campus--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    with (snapshot / "model.safetensors").open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(COMMIT)
    served = folder / "files" / MODEL / "resolve"
    served.mkdir(parents=True)
    (served / COMMIT).symlink_to(snapshot)
    _ustod(folder, "add", "--cached")
    os.chmod(folder, 0o755)
    yield megabytes * 1_000_000


def _environment(folder: Path) -> dict[str, str]:
    ours = {"USTOD_MIRROR": str(folder / "store"), "HF_HUB_CACHE": str(folder / "cache"), "PYTHONPATH": str(TOP)}
    return {**os.environ, **ours}


def _ustod(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "autograder.cli", "mirror", *arguments]
    subprocess.run(command, env=_environment(folder), check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _mirror(folder: Path, processes: int) -> Iterator[tuple[psutil.Process, int]]:
    port = _free_port()
    command = [sys.executable, "-m", "autograder.cli", "mirror", "serve", "--port", str(port)]
    with _running([*command, "--processes", str(processes)], port, _environment(folder)) as process:
        yield process, port


@contextmanager
def _nginx(folder: Path, processes: int) -> Iterator[tuple[psutil.Process, int]]:
    port = _free_port()
    settings = folder / "nginx.conf"
    user = "user root;\n" if os.getuid() == 0 else ""
    settings.write_text(user + NGINX.format(processes=processes, folder=folder, port=port, files=folder / "files"))
    with _running(["nginx", "-c", str(settings)], port, dict(os.environ)) as process:
        yield process, port


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tell(runs: dict[str, list[Run]], options: argparse.Namespace, size: int) -> int:
    lines = [
        f"{options.downloads} downloads at once of one file of {size / 1e6:.0f} MB, {options.processes} processes,",
        "loopback; curl fetches and throws away, and shares the cores with the server.",
        f"{options.rounds} rounds, one after the other; load when it began {options.load:.1f}. "
        + ", ".join(f"{name} {value}" for name, value in about_this_machine().items()),
        "",
        "| server | MB a second, median (least-most) | slowest download, s | memory, MB | whole downloads |",
        "|---|---|---|---|---|",
    ]
    for server, rounds in runs.items():
        rate, slow = Spread.of([run.rate for run in rounds]), Spread.of([run.slowest for run in rounds])
        whole = sum(run.whole for run in rounds)
        lines.append(
            f"| {server} | {rate.median:.0f} ({rate.least:.0f}-{rate.most:.0f}) | {slow.median:.1f} | "
            f"{max(run.memory for run in rounds):.0f} | {whole} of {options.downloads * len(rounds)} |"
        )
    text = "\n".join(lines)
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "table.md").write_text(text + "\n")
    (options.out / "runs.json").write_text(json.dumps({name: [vars(run) for run in one] for name, one in runs.items()}))
    wanted = options.downloads * options.rounds
    return 0 if all(sum(run.whole for run in one) == wanted for one in runs.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Full disks, lost clocks, programs killed at any moment: what is served is whole, what was answered is kept."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

MEGABYTE = 1_000_000


def request(hub, method: str, path: str, body: bytes | None = None, token: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=60)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def commit(hub, token: str, name: str, files: dict[str, str]) -> str | None:
    lines = [{"key": "header", "value": {"summary": "s"}}]
    lines += [{"key": "file", "value": {"path": path, "content": content}} for path, content in files.items()]
    status, answer = request(
        hub, "POST", f"/api/models/{name}/commit/main", "\n".join(map(json.dumps, lines)).encode(), token
    )
    return json.loads(answer)["commitOid"] if status == 200 else None


def check_whole(hub, token: str, name: str) -> list[str]:
    """Every file of every version is what its name says; returns the versions."""
    commits = json.loads(request(hub, "GET", f"/api/models/{name}/commits/main", token=token)[1])
    checked = set()
    for one in commits:
        tree = json.loads(request(hub, "GET", f"/api/models/{name}/tree/{one['id']}?recursive=1", token=token)[1])
        for entry in tree:
            if entry["type"] == "file" and entry["oid"] not in checked:
                checked.add(entry["oid"])
                path = f"/{name}/resolve/{one['id']}/{entry['path']}"
                status, content = request(hub, "GET", path, token=token)
                assert status == 200 and len(content) == entry["size"]
                assert hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == entry["oid"]
        names = {entry["path"] for entry in tree}
        assert all(f"{path.split('-')[0]}-{part}" in names for path in names for part in ("a", "b"))
    return [one["id"] for one in commits]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_fifty_kills_lose_nothing_that_was_answered_and_leave_nothing_half(hub_at, tmp_path: Path, seed: int) -> None:
    hub, rng = hub_at(tmp_path), random.Random(seed)
    token, name = hub.token("zarina"), "zarina/kills"
    answered: list[str] = []
    numbers = iter(range(10**6))
    lock = threading.Lock()

    def publish(stop: threading.Event) -> None:
        while not stop.is_set():
            with lock:
                number = next(numbers)
            try:
                pair = {f"{number}-{part}": f"{number} {part} " * 20_000 for part in ("a", "b")}
                if made := commit(hub, token, name, pair):
                    answered.append(made)
            except (OSError, http.client.HTTPException, ValueError):
                return

    hub.start("--processes", 2)
    assert request(hub, "POST", "/api/repos/create", json.dumps({"name": "kills"}).encode(), token)[0] == 200
    for _ in range(50):
        stop = threading.Event()
        threads = [threading.Thread(target=publish, args=(stop,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.02, 0.6))
        os.killpg(hub.process.pid, signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        hub.process.wait()
        hub.start("--processes", 2)
        incoming = list((hub.store / "incoming").iterdir())
        assert not incoming, "what a killed upload left was not swept"
    kept = check_whole(hub, token, name)
    print(f"{len(answered)} versions were acknowledged, {len(kept)} are kept, all whole")
    assert set(answered) <= set(kept) and len(answered) > 50
    hub.stop()


@pytest.mark.slow
def test_bringing_is_killed_again_and_again_and_goes_on(hub_at, kit, tmp_path: Path) -> None:
    rng = random.Random(2)
    files = {f"part{n}.parquet": rng.randbytes(4 * MEGABYTE) for n in range(8)}
    kit.fill_cache(tmp_path / "cache", "models--campus--parts", kit.MODEL, files)
    far, near = hub_at(tmp_path / "far"), hub_at(tmp_path / "near")
    far.ustod("add", "--cached", HF_HUB_CACHE=str(tmp_path / "cache"))
    far.start("--processes", 1)
    near.store.mkdir(parents=True)
    command = [sys.executable, "-m", "autograder.cli", "mirror", "add", "campus/parts", "--from", far.url]
    variables = {**os.environ, "USTOD_MIRROR": str(near.store), "NO_COLOR": "1"}
    for _ in range(15):
        process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.4, 1.2))
        process.kill()
        process.wait()
        for path in (near.store / "blobs").rglob("*"):
            assert not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    near.ustod("add", "campus/parts", "--from", far.url)
    far.stop()
    near.start("--processes", 1)
    code = """
from huggingface_hub import snapshot_download
from pathlib import Path
say(sum(path.stat().st_size for path in Path(snapshot_download("campus/parts")).iterdir()))
"""
    assert near.run(code) == 8 * 4 * MEGABYTE
    near.stop()


def test_processes_of_a_hub_that_was_killed_end_by_themselves(empty_hub) -> None:
    empty_hub.start("--processes", 2)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(empty_hub.process.pid)], capture_output=True, text=True
    ).stdout.split()
    assert len(children) == 2
    os.kill(int(children[0]), signal.SIGKILL)  # another takes its place
    os.kill(empty_hub.process.pid, signal.SIGKILL)
    empty_hub.process.wait()
    for _ in range(200):
        if not any(Path(f"/proc/{child}").exists() for child in children):
            return
        time.sleep(0.05)
    raise AssertionError("a process of the hub is left")


def test_a_process_that_dies_is_replaced(empty_hub) -> None:
    empty_hub.start("--processes", 2)
    listed = ["ps", "-o", "pid=", "--ppid", str(empty_hub.process.pid)]
    before = set(subprocess.run(listed, capture_output=True, text=True).stdout.split())
    os.kill(int(min(before)), signal.SIGKILL)
    for _ in range(400):
        after = set(subprocess.run(listed, capture_output=True, text=True).stdout.split())
        if len(after) == 2 and after != before:
            return
        time.sleep(0.05)
    raise AssertionError("no process took the place of the one that died")


def test_a_full_disk_is_told_of_and_nothing_half_is_kept(hub_at, kit, tmp_path: Path) -> None:
    hub = hub_at(tmp_path)
    script = tmp_path / "tokens.json"
    token = hub.token("zarina")
    script.write_text((hub.store / "tokens.json").read_text())
    hub.prefix = kit.on_a_small_disk(hub.store, "100m")
    hub.prefix[4] = hub.prefix[4].replace('cd "$1"', f'cp "{script}" "$1"; cd "$1"')
    hub.start("--processes", 1)
    code = """
import os
from huggingface_hub import CommitOperationAdd, HfApi
api = HfApi()
api.create_repo("zarina/disk")
def send(name, size):
    try:
        api.upload_file(repo_id="zarina/disk", path_or_fileobj=os.urandom(size), path_in_repo=name)
        return "done"
    except Exception as error:
        while error is not None:
            if "disk of the hub is full" in str(error):
                return "full"
            error = error.__cause__
        return "another error"
say([send("a.txt", 100), send("b.parquet", 60_000_000), send("c.txt", 9_000_000), api.list_repo_files("zarina/disk")])
"""
    assert hub.run(code, token, HF_HUB_DISABLE_XET="1") == ["done", "full", "done", ["a.txt", "c.txt"]]
    hub.stop()


def test_a_disk_that_fills_while_a_version_is_written_leaves_the_one_before(kit, tmp_path: Path) -> None:
    code = """
import json, sys
from pathlib import Path
from autograder.offline.mirror.handling import Service
from autograder.offline.mirror.names import Repository
from autograder.offline.mirror.publishing import commit, create
from autograder.offline.mirror.store import Store
from autograder.offline.mirror.tokens import Caller, CampusTokens
root, outside = Path(sys.argv[1]), Path(sys.argv[2])
store = Store(root / "store", reserve=0)
service, zarina = Service(store, CampusTokens(root / "tokens")), Caller("zarina")
repository = Repository("model", "zarina/full")
create(store, repository, zarina, False)
errors = 0
for number in range(200):
    lines = [{"key": "header", "value": {"summary": str(number)}}]
    lines += [{"key": "file", "value": {"path": f"{number}-{part}", "content": f"{number}" * 9000}} for part in "ab"]
    (outside / "sent").write_text("\\n".join(map(json.dumps, lines)))
    before = store.version(repository).id
    try:
        commit(service, repository, "main", outside / "sent", zarina)
    except OSError:
        errors += 1
        assert store.version(repository).id == before
        assert not list((root / "store" / "incoming").iterdir())
for version in store.history(repository, "main"):
    for path, file in version.files.items():
        assert store.blobs.path(file.sha256).stat().st_size == file.size
assert errors > 10 and len(store.version(repository).files) > 10, errors
"""
    prefix = kit.on_a_small_disk(tmp_path / "disk", "3m")
    command = [*prefix, sys.executable, "-c", code, str(tmp_path / "disk"), str(tmp_path)]
    top = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": top}, timeout=120)
    assert done.returncode == 0, done.stderr


def test_bringing_onto_a_full_disk_is_told_of_and_goes_on(hub_at, kit, tmp_path: Path) -> None:
    rng = random.Random(3)
    files = {f"part{n}.parquet": rng.randbytes(15 * MEGABYTE) for n in range(4)}
    kit.fill_cache(tmp_path / "cache", "models--campus--parts", kit.MODEL, files)
    far, near = hub_at(tmp_path / "far"), hub_at(tmp_path / "near")
    far.ustod("add", "--cached", HF_HUB_CACHE=str(tmp_path / "cache"))
    far.start("--processes", 1)
    count = 'echo "blobs: $(find blobs -type f | wc -l) commits: $(find repositories -type f | wc -l)"'
    near.prefix = kit.on_a_small_disk(near.store, "100m", then=count)
    said = near.ustod("add", "campus/parts", "--from", far.url, fails=True)
    assert "is full" in said and "Traceback" not in said and "blobs: 2 commits: 0" in said
    far.stop()


@pytest.mark.slow
def test_a_hub_whose_clock_stands_at_1970_works(hub_at, tmp_path: Path) -> None:
    hub = hub_at(tmp_path)
    hub.prefix = ["faketime", "-m", "-f", "@1970-01-01 00:00:30"]
    token = hub.token("zarina")
    hub.start("--processes", 2)
    code = """
import os
from huggingface_hub import HfApi, hf_hub_download
api = HfApi()
api.create_repo("zarina/clock")
api.upload_file(repo_id="zarina/clock", path_or_fileobj=b"---\\nlicense: mit\\n---\\n", path_in_repo="README.md")
content = os.urandom(1_000_000)
api.upload_file(repo_id="zarina/clock", path_or_fileobj=content, path_in_repo="a.parquet")
year = api.model_info("zarina/clock").last_modified.year
say([open(hf_hub_download("zarina/clock", "a.parquet"), "rb").read() == content, year, len(list(api.list_models()))])
"""
    for xet in ("0", "1"):
        assert hub.run(code.replace("clock", f"clock{xet}"), token, HF_HUB_DISABLE_XET=xet)[:2] == [True, 1970]
    hub.stop()
    hub.prefix = []
    hub.start("--processes", 1)  # and the clock is right again
    assert request(hub, "GET", "/zarina/clock0")[0] == 200
    hub.stop()

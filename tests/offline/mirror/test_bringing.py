"""From other hubs over links that break, and by stick: whole, once, and never half."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest

MODEL = "1" * 40


def fill_big(cache: Path, size: int, kit) -> str:
    """A model of one file of so many bytes in a cache; returns its SHA-256."""
    rng = random.Random(1)
    content = b"".join(rng.randbytes(1_000_000) for _ in range(size // 1_000_000))
    files = {"README.md": b"---\nlicense: mit\n---\n", "config.json": b"{}", "weights.parquet": content}
    kit.fill_cache(cache, "models--campus--big", MODEL, files)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_a_download_of_300_mb_that_is_cut_ten_times_goes_on(hub_at, kit, tmp_path: Path) -> None:
    digest = fill_big(tmp_path / "cache", 300_000_000, kit)
    hub = hub_at(tmp_path)
    hub.ustod("add", "--cached", HF_HUB_CACHE=str(tmp_path / "cache"))
    hub.start()
    link = kit.CuttingProxy(hub.port, cuts=10, after=25_000_000)
    try:
        code = """
import hashlib
from huggingface_hub import hf_hub_download
with open(hf_hub_download("campus/big", "weights.parquet"), "rb") as file:
    say(hashlib.file_digest(file, "sha256").hexdigest())
"""
        assert hub.run(code, HF_ENDPOINT=link.url) == digest
        assert link.cut == 10
    finally:
        link.close()
        hub.stop()


def test_a_model_is_brought_over_a_link_that_is_cut_and_keeps_its_version(hub_at, kit, tmp_path: Path) -> None:
    digest = fill_big(tmp_path / "cache", 12_000_000, kit)
    far, near = hub_at(tmp_path / "far"), hub_at(tmp_path / "near")
    far.ustod("add", "--cached", HF_HUB_CACHE=str(tmp_path / "cache"))
    far.start("--processes", 1)
    link = kit.CuttingProxy(far.port, cuts=6, after=2_000_000)
    try:
        said = near.ustod("add", "campus/big", "--from", link.url)
        assert "12.0 MB were brought" in said and link.cut >= 5
        assert "0.0 MB were brought" in near.ustod("add", f"campus/big@{MODEL}", "--from", link.url)
        near.start("--processes", 1)
        code = f"""
from huggingface_hub import HfApi
info = HfApi().model_info("campus/big", revision="{MODEL}", files_metadata=True)
say([info.sha, [file.lfs.sha256 for file in info.siblings if file.lfs]])
"""
        assert near.run(code) == [MODEL, [digest]]
    finally:
        link.close()
        near.stop()
        far.stop()


def test_only_the_files_that_are_wanted_are_brought_and_more_later(library, hub_at, tmp_path: Path) -> None:
    near = hub_at(tmp_path)
    near.ustod("add", "campus/tiny", "--from", library.url, "--include", "*.json")
    near.ustod("add", "campus/tiny", "--from", library.url, "--include", "README.md")
    commit = next((near.store / "repositories" / "models--campus--tiny" / "commits").iterdir())
    names = set(json.loads(commit.read_text())["files"])
    assert {"README.md", "config.json"} <= names and "model.safetensors" not in names
    assert "--include" in near.ustod("add", "campus/tiny", "--from", library.url, "--include", "*.no", fails=True)


def test_what_cannot_be_brought_is_told_in_a_sentence(library, empty_hub) -> None:
    for name, url, words in (
        ("campus/none", library.url, "Repository not found"),
        ("campus/tiny@nowhere", library.url, "Invalid rev id"),
        ("campus/tiny", f"{library.url}/static", "is refused by the other hub"),
        ("campus/tiny", "ftp://x", "no address of a hub"),
        ("../x", library.url, "cannot be the name"),
    ):
        said = empty_hub.ustod("add", name, "--from", url, fails=True)
        assert words in said and "Traceback" not in said
    assert "reached" in empty_hub.ustod("add", "a/b", "--from", "http://127.0.0.1:9", fails=True)


def test_what_is_not_what_the_other_hub_says_is_not_taken(hub_at, kit, tmp_path: Path) -> None:
    fill_big(tmp_path / "cache", 3_000_000, kit)
    far, near = hub_at(tmp_path / "far"), hub_at(tmp_path / "near")
    far.ustod("add", "--cached", HF_HUB_CACHE=str(tmp_path / "cache"))
    spoilt = max((far.store / "blobs").rglob("*"), key=lambda path: path.is_file() and path.stat().st_size)
    content = bytearray(spoilt.read_bytes())
    content[1000] ^= 1
    spoilt.unlink()
    spoilt.write_bytes(content)
    far.start("--processes", 1)
    try:
        assert "damaged on the way" in near.ustod("add", "campus/big", "--from", far.url, fails=True)
        assert not list((near.store / "repositories").iterdir())
    finally:
        far.stop()


@pytest.fixture
def stick(library, tmp_path: Path) -> Path:
    """A stick with all of the library."""
    folder = tmp_path / "a stick"
    folder.mkdir()
    library.ustod("export", folder)
    return folder


def contents(stick: Path) -> list[Path]:
    return sorted(path for path in (stick / "ustod-mirror" / "contents").rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_stick_carries_each_content_once_and_the_second_time_nothing(library, hub_at, stick: Path) -> None:
    names = [path.name for path in contents(stick)]
    assert len(names) == len(set(names))
    for path in contents(stick):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert "0.0 MB were written" in library.ustod("export", stick)
    other = hub_at(stick.parent / "other")
    assert other.ustod("import", stick, "campus/tiny").count("added") == 1
    assert other.ustod("import", stick).count("added") == 4
    assert other.ustod("import", stick).count("here already") == 5
    other.start("--processes", 1)
    try:
        code = (
            "from transformers import AutoModel\nsay(AutoModel.from_pretrained('campus/tiny').num_parameters() > 1000)"
        )
        assert other.run(code) is True
    finally:
        other.stop()


@pytest.mark.parametrize("how", ["flipped", "missing", "short", "list"])
def test_a_corrupted_stick_is_told_of_and_nothing_of_the_model_is_taken(stick: Path, empty_hub, how: str) -> None:
    largest = max(contents(stick), key=lambda path: path.stat().st_size)
    listed = stick / "ustod-mirror" / "repositories" / "models--campus--tiny.json"
    match how:
        case "flipped":
            content = bytearray(largest.read_bytes())
            content[len(content) // 2] ^= 4
            largest.write_bytes(content)
        case "missing":
            largest.unlink()
        case "short":
            os.truncate(largest, 100)
        case "list":
            listed.write_text(listed.read_text().replace("campus", "kampus", 1))
    said = empty_hub.ustod("import", stick, fails=True)
    assert ("missing" if how == "missing" else "damaged") in said and "Traceback" not in said
    repositories = {path.name for path in (empty_hub.store / "repositories").iterdir()}
    assert "models--campus--tiny" not in repositories
    assert not list((empty_hub.store / "incoming").iterdir())


@pytest.mark.slow
def test_what_changed_here_and_there_is_kept_apart(hub_at, tmp_path: Path) -> None:
    here, there = hub_at(tmp_path / "here"), hub_at(tmp_path / "there")
    code = """
from huggingface_hub import HfApi
HfApi().create_repo("campus/notes", exist_ok=True)
HfApi().upload_file(repo_id="campus/notes", path_or_fileobj=b"---\\nlicense: mit\\n---\\n", path_in_repo="README.md")
HfApi().upload_file(repo_id="campus/notes", path_or_fileobj=b"%s", path_in_repo="a")
"""
    stick = tmp_path / "stick"
    stick.mkdir()
    token = here.token("campus")
    here.start("--processes", 1)
    here.run(code % "1", token)
    here.ustod("export", stick)
    there.ustod("import", stick)
    here.run(code % "2", token)
    here.ustod("export", stick)
    assert "newer" in there.ustod("import", stick)
    shutil.rmtree(stick / "ustod-mirror")
    there_token = there.token("teacher", "--instructor")
    there.start("--processes", 1)
    there.run(code % "3", there_token)
    here.run(code % "4", token)
    here.ustod("export", stick)
    assert "on a branch of its own" in there.ustod("import", stick)
    read = """
from huggingface_hub import HfApi, hf_hub_download
names = sorted(branch.name for branch in HfApi().list_repo_refs("campus/notes").branches)
say([open(hf_hub_download("campus/notes", "a", revision=name)).read() for name in names])
"""
    try:
        assert there.run(read) == ["3", "4"]
    finally:
        here.stop()
        there.stop()


def test_a_full_stick_is_told_of(library, hub_at, kit, tmp_path: Path) -> None:
    stick = tmp_path / "small"
    hub = hub_at(tmp_path)
    hub.store = library.store
    hub.prefix = kit.on_a_small_disk(stick, "64k", then='echo "unfinished: $(find . -name "*.part" | wc -l)"')
    said = hub.ustod("export", stick, fails=True)
    assert "is full" in said and "unfinished: 0" in said and "Traceback" not in said


def test_a_full_disk_of_the_hub_is_told_of_when_a_stick_is_read(stick: Path, empty_hub, kit) -> None:
    empty_hub.prefix = kit.on_a_small_disk(
        empty_hub.store, "60m", then='echo "lists: $(find repositories -type f | wc -l)"'
    )
    said = empty_hub.ustod("import", stick, fails=True)
    assert "is full" in said and "lists: 0" in said and "Traceback" not in said


def test_a_stick_that_is_none_is_told_of(empty_hub, tmp_path: Path) -> None:
    assert "name the folder that was exported to" in empty_hub.ustod("import", tmp_path, fails=True)
    assert "no folder" in empty_hub.ustod("export", tmp_path / "none", fails=True)


def test_a_name_that_the_hub_does_not_have_is_told(library) -> None:
    for command in ("admit", "remove"):
        assert "The hub has no campus/none" in library.ustod(command, "campus/none", fails=True)

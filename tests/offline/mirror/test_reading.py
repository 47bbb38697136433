"""Unmodified clients read from the hub: what is there, what is not, parts of it, and without it."""

from __future__ import annotations

import hashlib
import http.client
import json
from pathlib import Path

import pytest

MODEL, DATASET = "1" * 40, "2" * 40


def ask(hub, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_a_model_is_loaded_by_its_name(library) -> None:
    code = """
from transformers import AutoModel, AutoTokenizer
for name in ("campus/tiny", "gpt0"):
    inputs = AutoTokenizer.from_pretrained(name)("салом дунё", return_tensors="pt")
    shape = list(AutoModel.from_pretrained(name)(inputs["input_ids"]).last_hidden_state.shape)
say(shape)
"""
    assert library.run(code) == [1, 2, 16]


def test_data_sets_are_loaded_and_streamed_and_then_read_without_the_hub(library, tmp_path: Path) -> None:
    code = """
from datasets import load_dataset
rows = load_dataset("campus/rows", split="train")
table = load_dataset("campus/table")
lines = load_dataset("campus/lines", split="train", streaming=True)
streamed = load_dataset("campus/rows", split="train", streaming=True)
say([len(rows), rows[7]["text"], table["test"][0], [line["n"] for line in lines], next(iter(streamed))["text"]])
"""
    expected = [500, "матн 7", {"a": 3, "b": "z"}, list(range(10)), "матн 0"]
    assert library.run(code, home=tmp_path) == expected
    offline = """
from datasets import load_dataset
from huggingface_hub import snapshot_download
say([len(load_dataset("campus/rows", split="train")), load_dataset("campus/table")["test"][0]])
"""
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    assert library.run(offline, home=tmp_path, **nowhere) == [500, {"a": 3, "b": "z"}]


def test_a_snapshot_stays_usable_when_the_hub_is_gone(library, tmp_path: Path) -> None:
    code = "from huggingface_hub import snapshot_download\nsay(snapshot_download('campus/tiny'))"
    folder = library.run(code, home=tmp_path)
    assert Path(folder).name == MODEL
    stopped = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    assert library.run(code, home=tmp_path, **stopped) == folder
    load = "from transformers import AutoModel\nsay(AutoModel.from_pretrained('campus/tiny').num_parameters())"
    assert library.run(load, home=tmp_path, HF_HUB_OFFLINE="1", **stopped) > 1000


def test_what_is_not_there_is_the_clients_own_exception(library) -> None:
    code = """
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
api, names = HfApi(), []
for ask in (
    lambda: hf_hub_download("campus/none", "config.json"),
    lambda: api.model_info("gpt9"),
    lambda: api.dataset_info("campus/tiny"),
    lambda: api.space_info("campus/tiny"),
    lambda: hf_hub_download("campus/tiny", "none.json"),
    lambda: api.list_repo_tree("campus/tiny", "no/folder").__next__(),
    lambda: hf_hub_download("campus/tiny", "config.json", revision="nowhere"),
    lambda: api.model_info("campus/tiny", revision="0" * 40),
):
    try:
        ask()
        names.append("nothing was raised")
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        names.append(type(error).__name__)
say([names, api.file_exists("campus/tiny", "none"), api.file_exists("campus/tiny", "config.json"),
     api.repo_exists("campus/none"), api.revision_exists("campus/tiny", "nowhere")])
"""
    repository, entry, revision = "RepositoryNotFoundError", "RemoteEntryNotFoundError", "RevisionNotFoundError"
    names, *exist = library.run(code)
    assert names == [repository] * 4 + [entry] * 2 + [revision] * 2
    assert exist == [False, True, False, False]


def test_listings_are_searched_filtered_sorted_and_paged(library) -> None:
    code = """
from huggingface_hub import HfApi
api = HfApi()
say([
    sorted(model.id for model in api.list_models()),
    [model.id for model in api.list_models(search="TINY")],
    [model.id for model in api.list_models(author="campus")],
    sorted(model.id for model in api.list_models(filter=["tiny", "tg"])),
    [model.id for model in api.list_models(filter="fr")],
    [data.id for data in api.list_datasets(language="tg")],
    [data.id for data in api.list_datasets(search="table", full=True)],
    len(list(api.list_datasets(limit=2))),
    api.model_info("campus/tiny", expand=["sha", "tags"]).sha,
    api.model_info("campus/tiny").card_data.license,
    api.model_info("campus/tiny").safetensors.total > 1000,
])
"""
    models, searched, mine, filtered, none, tajik, table, two, sha, licence, counted = library.run(code)
    assert models == filtered == ["campus/tiny", "gpt0"]
    assert searched == mine == ["campus/tiny"]
    assert none == [] and tajik == ["campus/rows"] and table == ["campus/table"] and two == 2
    assert (sha, licence, counted) == (MODEL, "mit", True)


def test_trees_paths_and_refs_are_told(library) -> None:
    code = """
from huggingface_hub import HfApi, HfFileSystem
api = HfApi()
say([
    sorted(entry.path for entry in api.list_repo_tree("campus/rows", repo_type="dataset")),
    sorted(entry.path for entry in api.list_repo_tree("campus/rows", repo_type="dataset", recursive=True)),
    [entry.path for entry in api.get_paths_info("campus/rows", ["data", "none", "README.md"], repo_type="dataset")],
    [branch.target_commit for branch in api.list_repo_refs("campus/rows", repo_type="dataset").branches],
    [commit.commit_id for commit in api.list_repo_commits("campus/rows", repo_type="dataset")],
    HfFileSystem().glob("datasets/campus/rows/**/*.parquet"),
    HfFileSystem().cat_file("datasets/campus/table/train.csv", 0, 3).decode(),
])
"""
    flat, deep, paths, refs, commits, globbed, part = library.run(code)
    assert flat == ["README.md", "data"] and deep == ["README.md", "data", "data/train.parquet"]
    assert paths == ["data", "README.md"] and refs == commits == [DATASET]
    assert globbed == ["datasets/campus/rows/data/train.parquet"] and part == "a,b"


def test_the_command_hf_downloads(library, tmp_path: Path) -> None:
    code = f"""
import subprocess, sys
from pathlib import Path
hf = str(Path(sys.executable).with_name("hf"))
command = [hf, "download", "campus/tiny", "--local-dir", {str(tmp_path / "here")!r}]
subprocess.run(command, check=True, capture_output=True)
"""
    library.run(code)
    assert json.loads((tmp_path / "here" / "config.json").read_text())["model_type"] == "bert"


@pytest.mark.parametrize(
    ("asked", "status", "given"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=5-", 206, slice(5, None)),
        ("bytes=-6", 206, slice(-6, None)),
        ("bytes=0-99999999", 206, slice(0, None)),
        ("bytes=1-2,4-5", 200, slice(0, None)),
        ("bytes=9-2", 200, slice(0, None)),
        ("lines=1-2", 200, slice(0, None)),
    ],
)
def test_ranges(library, asked: str, status: int, given: slice) -> None:
    path = "/datasets/campus/table/resolve/main/train.csv"
    whole = ask(library, "GET", path)[2]
    answered, headers, body = ask(library, "GET", path, Range=asked)
    assert (answered, body) == (status, whole[given])
    assert headers["content-length"] == str(len(body))


def test_a_range_after_the_end_is_refused(library) -> None:
    status, headers, _ = ask(library, "GET", "/datasets/campus/table/resolve/main/train.csv", Range="bytes=500-")
    assert (status, headers["content-range"]) == (416, "bytes */12")


def test_names_of_contents_are_those_that_clients_expect(library) -> None:
    small, large = "/datasets/campus/table/resolve/main/train.csv", "/campus/tiny/resolve/main/model.safetensors"
    content = ask(library, "GET", small)[2]
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert ask(library, "HEAD", small)[1]["etag"] == f'"{git}"'
    headers = ask(library, "HEAD", large)[1]
    body = ask(library, "GET", large)[2]
    assert headers["etag"] == f'"{hashlib.sha256(body).hexdigest()}"'
    assert headers["x-repo-commit"] == MODEL and headers["content-length"] == str(len(body))


def test_an_unchanged_file_is_not_sent_again(library) -> None:
    path = "/campus/tiny/resolve/main/config.json"
    etag = ask(library, "HEAD", path)[1]["etag"]
    assert ask(library, "GET", path, **{"If-None-Match": f'"x", {etag}'})[::2] == (304, b"")
    assert ask(library, "GET", path, **{"If-None-Match": '"x"'})[0] == 200
    assert ask(library, "GET", path, Range="bytes=0-0", **{"If-Range": etag})[0] == 206
    assert ask(library, "GET", path, Range="bytes=0-0", **{"If-Range": '"older"'})[0] == 200


def test_no_file_runs_in_a_browser(library) -> None:
    for path in ("/campus/tiny/resolve/main/README.md", "/campus/tiny/resolve/main/model.safetensors"):
        headers = ask(library, "HEAD", path)[1]
        assert headers["x-content-type-options"] == "nosniff" and "sandbox" in headers["content-security-policy"]
        assert "html" not in headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/campus/tiny/resolve/main/../../../state.json",
        "/campus/tiny/resolve/main/%2e%2e/%2e%2e/state.json",
        "/campus/tiny/resolve/..%2f..%2fstate/config.json",
        "/api/models/..%2f..%2f",
        "/api/models/campus/tiny/tree/main/..%2f..",
        "/api/models/campus/tiny/revision/..%2Fstate",
        "/api/models/%00/%ff",
        "/campus/tiny/resolve/a%0d%0aSet-Cookie:%20a=b/x",
        "/campus/tiny/resolve/main/a%0d%0aSet-Cookie:%20a=b",
        "/api/models/campus/tiny/revision/%F0%9F%98%80%0a",
    ],
)
def test_no_address_leads_out_of_the_store(library, path: str) -> None:
    status, _, body = ask(library, "GET", path)
    assert status in (400, 404) and b"branches" not in body

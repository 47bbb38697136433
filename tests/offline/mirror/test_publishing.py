"""Unmodified clients publish: by both protocols, at once, beyond what is allowed, and what never should be."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.offline.mirror import card

START = """
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
api = HfApi()
def why(work):
    try:
        work()
        return "done"
    except HfHubHTTPError as error:
        return f"{error.response.status_code} {error}"
    except ValueError as error:
        return str(error)
LICENSED = b"---\\nlicense: mit\\n---\\n# card"
"""


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory, hub_at):
    """A running hub with two students and an instructor."""
    hub = hub_at(tmp_path_factory.mktemp("campus"))
    hub.tokens = {name: hub.token(name) for name in ("zarina", "rustam")}
    hub.tokens["ustod"] = hub.token("ustod", "--instructor")
    yield hub.start("--processes", 2)
    hub.stop()


@pytest.mark.parametrize("xet", ["0", "1"])
def test_a_student_publishes_a_model_with_a_card(campus, xet: str) -> None:
    code = (
        START
        + f"""
import numpy as np
from pathlib import Path
from safetensors.numpy import load_file, save_file
import tempfile
folder = Path(tempfile.mkdtemp())
name = "zarina/model{xet}"
weights = {{"a": np.random.default_rng(0).normal(size=(700, 1001)), "b": np.zeros((900, 1000), "float32")}}
save_file(weights, folder / "model.safetensors")
(folder / "README.md").write_bytes(LICENSED)
(folder / "sub").mkdir()
(folder / "sub" / "бисёр.txt").write_text("салом " * 300_000)
api.create_repo(name)
api.upload_folder(repo_id=name, folder_path=folder)
weights["a"] += 1
save_file(weights, folder / "model.safetensors")
api.upload_file(repo_id=name, path_or_fileobj=folder / "model.safetensors", path_in_repo="model.safetensors")
loaded = load_file(hf_hub_download(name, "model.safetensors", token=False))
text = Path(hf_hub_download(name, "sub/бисёр.txt", token=False)).read_text()
say([bool((loaded["a"] == weights["a"]).all()), len(text), sorted(api.list_repo_files(name)),
     len(api.list_repo_commits(name)), api.whoami()["name"]])
"""
    )
    said = campus.run(code, campus.tokens["zarina"], HF_HUB_DISABLE_XET=xet)
    files = ["README.md", "model.safetensors", "sub/бисёр.txt"]
    assert said == [True, 1_800_000, files, 3, "zarina"]


def test_a_data_set_is_pushed_and_loaded_and_its_files_deleted(campus) -> None:
    code = (
        START
        + """
from datasets import Dataset, load_dataset
Dataset.from_dict({"text": ["об", "нон"], "n": [1, 2]}).push_to_hub("zarina/words")
rows = load_dataset("zarina/words", split="train")
api.upload_file(repo_id="zarina/words", repo_type="dataset", path_or_fileobj=b"x", path_in_repo="a/b.txt")
api.delete_folder("a", "zarina/words", repo_type="dataset")
files = api.list_repo_files("zarina/words", repo_type="dataset")
say([list(rows["text"]), [file for file in files if file.startswith("a/")]])
"""
    )
    assert campus.run(code, campus.tokens["zarina"]) == [["об", "нон"], []]


def test_others_see_it_when_its_card_names_a_licence(campus) -> None:
    code = (
        START
        + """
api.create_repo("zarina/draft", exist_ok=True)
api.upload_file(repo_id="zarina/draft", path_or_fileobj=b"1", path_in_repo="a.txt")
strangers = HfApi(token=False)
before = [strangers.repo_exists("zarina/draft"), "zarina/draft" in [model.id for model in strangers.list_models()]]
mine = api.file_exists("zarina/draft", "a.txt")
api.upload_file(repo_id="zarina/draft", path_or_fileobj=LICENSED, path_in_repo="README.md")
after = [strangers.repo_exists("zarina/draft"), "zarina/draft" in [model.id for model in strangers.list_models()]]
say([before, mine, after])
"""
    )
    assert campus.run(code, campus.tokens["zarina"]) == [[False, False], True, [True, True]]


def test_a_private_repository_is_its_owner_s_and_a_gated_one_asks_who_reads(campus) -> None:
    code = (
        START
        + """
for name in ("hidden", "gated"):
    api.create_repo(f"zarina/{name}", private=name == "hidden", exist_ok=True)
    api.upload_file(repo_id=f"zarina/{name}", path_or_fileobj=LICENSED, path_in_repo="README.md")
api.update_repo_settings("zarina/gated", gated="auto")
from huggingface_hub.errors import GatedRepoError
strangers, names = HfApi(token=False), []
for name in ("hidden", "gated"):
    try:
        strangers.auth_check(f"zarina/{name}")
        names.append("read")
    except (GatedRepoError, RepositoryNotFoundError) as error:
        names.append(type(error).__name__)
say([names, api.file_exists("zarina/hidden", "README.md"), api.file_exists("zarina/gated", "README.md")])
"""
    )
    assert campus.run(code, campus.tokens["zarina"]) == [["RepositoryNotFoundError", "GatedRepoError"], True, True]


def test_nobody_publishes_under_another_s_name(campus) -> None:
    make = START + 'api.create_repo("zarina/own", exist_ok=True)\n'
    licence = 'api.upload_file(repo_id="zarina/own", path_or_fileobj=LICENSED, path_in_repo="README.md")'
    campus.run(make + licence, campus.tokens["zarina"])
    code = (
        START
        + """
add = [CommitOperationAdd("a", b"1")]
say([
    why(lambda: api.create_repo("zarina/other")),
    why(lambda: api.create_commit("zarina/own", add, commit_message="m")),
    why(lambda: api.delete_repo("zarina/own")),
    why(lambda: api.create_tag("zarina/own", tag="v1")),
    why(lambda: api.update_repo_settings("zarina/own", private=True)),
])
"""
    )
    for answer in campus.run(code, campus.tokens["rustam"]):
        assert answer.startswith("403") and "may not publish" in answer
    assert campus.run(START + "say(why(lambda: api.create_repo('zarina/third')))", "hf_wrong").startswith("401")
    teach = (
        START
        + "api.create_repo('campus/shared', exist_ok=True)\nsay(why(lambda: api.create_tag('zarina/own', tag='v2')))"
    )
    assert campus.run(teach, campus.tokens["ustod"]) == "done"


def test_a_refusal_says_why_in_the_client_s_own_error(campus) -> None:
    code = (
        START
        + """
import pickle
api.create_repo("rustam/refused", exist_ok=True)
add = CommitOperationAdd("a", b"1")
def send(name, content):
    return why(lambda: api.upload_file(repo_id="rustam/refused", path_or_fileobj=content, path_in_repo=name))
say([
    send("model.txt", pickle.dumps(print)),
    send("pytorch_model.bin", b"x" * 100),
    send("model.safetensors", b"x" * 100),
    send("README.md", b"---\\na: [\\n---\\n"),
    send("a\\\\b", b"1"),
    why(lambda: api.create_commit("rustam/refused", [add], commit_message="m", create_pr=True)),
    why(lambda: api.create_commit("rustam/refused", [CommitOperationDelete("none")], commit_message="m")),
    why(lambda: api.create_commit(
        "rustam/refused", [CommitOperationAdd("d", b"1"), CommitOperationAdd("d/e", b"1")], commit_message="m")),
    why(lambda: api.create_repo("rustam/refused")),
    why(lambda: api.create_repo("rustam/REFUSED")),
    why(lambda: api.create_branch("rustam/refused", branch="refs/pr/1")),
    why(lambda: api.delete_branch("rustam/refused", branch="main")),
    api.list_repo_files("rustam/refused"),
])
"""
    )
    *answers, files = campus.run(code, campus.tokens["rustam"])
    expected = ["403 may be a pickle", "403 may be a pickle", "403 no whole safetensors", "Invalid front matter"]
    expected += [
        "422 cannot be the name of a file",
        "403 no pull requests",
        "404 doesn't exist",
        "400 file and a folder",
    ]
    expected += ["409 already", "409 already", "400 Invalid reference", "403 Cannot delete"]
    for answer, wanted in zip(answers, expected, strict=True):
        status, _, words = wanted.partition(" ")
        assert answer.startswith(status) and words in answer
    assert files == []


def test_an_instructor_allows_pickles_in_one_repository(campus) -> None:
    send = (
        START
        + """
import pickle
api.create_repo("rustam/old", exist_ok=True)
say(why(lambda: api.upload_file(repo_id="rustam/old", path_or_fileobj=pickle.dumps(print), path_in_repo="a.pkl")))
"""
    )
    assert campus.run(send, campus.tokens["rustam"]).startswith("403")
    campus.ustod("admit", "rustam/old")
    assert campus.run(send, campus.tokens["rustam"]) == "done"
    campus.ustod("admit", "rustam/old", "--no")
    assert campus.run(send.replace("a.pkl", "b.pkl"), campus.tokens["rustam"]).startswith("403")


def test_of_two_with_the_same_parent_one_is_refused_and_without_one_both_count(campus) -> None:
    code = (
        START
        + """
from concurrent.futures import ThreadPoolExecutor
api.create_repo("zarina/race", exist_ok=True)
head = api.model_info("zarina/race").sha
def commit(number, parent=None):
    adds = [CommitOperationAdd(f"{number}/{part}", f"{number} {part}".encode()) for part in range(5)]
    return why(lambda: api.create_commit("zarina/race", adds, commit_message=f"{number}", parent_commit=parent))
with ThreadPoolExecutor(8) as pool:
    strict = list(pool.map(lambda number: commit(number, head), range(8)))
    loose = list(pool.map(commit, range(100, 108)))
files = api.list_repo_files("zarina/race")
say([sorted(strict), loose, len(files), len(api.list_repo_commits("zarina/race"))])
"""
    )
    strict, loose, files, commits = campus.run(code, campus.tokens["zarina"])
    assert strict[-1] == "done" and all(answer.startswith("412") for answer in strict[:-1])
    assert loose == ["done"] * 8 and files == 5 + 8 * 5 and commits == 1 + 1 + 8


def test_branches_and_tags(campus) -> None:
    code = (
        START
        + """
api.create_repo("zarina/named", exist_ok=True)
first = api.upload_file(repo_id="zarina/named", path_or_fileobj=b"1", path_in_repo="a").oid
api.create_tag("zarina/named", tag="v1")
api.create_branch("zarina/named", branch="dev")
api.upload_file(repo_id="zarina/named", path_or_fileobj=b"2", path_in_repo="a", revision="dev")
read = lambda revision: open(hf_hub_download("zarina/named", "a", revision=revision)).read()
contents = [read("main"), read("v1"), read("dev"), read(first)]
api.delete_tag("zarina/named", tag="v1")
refs = api.list_repo_refs("zarina/named")
short = api.model_info("zarina/named", revision=first[:8]).sha == first
say([contents, sorted(branch.name for branch in refs.branches), [tag.name for tag in refs.tags], short])
"""
    )
    assert campus.run(code, campus.tokens["zarina"]) == [["1", "1", "2", "1"], ["dev", "main"], [], True]


def test_a_quota_is_told(tmp_path: Path, hub_at) -> None:
    from autograder.offline.mirror.handling import Quota, Service
    from autograder.offline.mirror.names import Refused, Repository
    from autograder.offline.mirror.publishing import check_waiting, commit, create
    from autograder.offline.mirror.store import Store
    from autograder.offline.mirror.tokens import Caller, CampusTokens

    service = Service(Store(tmp_path / "store", 0), CampusTokens(tmp_path / "tokens"), Quota(30_000, 20_000, 3))
    zarina, teacher = Caller("zarina"), Caller("ustod", instructor=True)

    def send(name: str, files: dict[str, int], caller: Caller = zarina) -> None:
        lines = [{"key": "header", "value": {"summary": "s"}}]
        lines += [{"key": "file", "value": {"path": path, "content": "x" * size}} for path, size in files.items()]
        path = tmp_path / "sent"
        path.write_text("\n".join(map(json.dumps, lines)))
        commit(service, Repository("model", f"zarina/{name}"), "main", path, caller)

    for name in ("a", "b"):
        create(service.store, Repository("model", f"zarina/{name}"), zarina, False)
    send("a", {"x": 15_000})
    with pytest.raises(Refused, match="with all its versions"):
        send("a", {"y": 6000})
    with pytest.raises(Refused, match="on this hub"):
        send("b", {"y": 15_010})
    with pytest.raises(Refused, match="at most 3 files"):
        send("b", {"1": 1, "2": 2, "3": 3, "4": 4})
    with pytest.raises(Refused, match="may still publish"):
        check_waiting(service, zarina, 15_010)
    send("b", {"y": 15_010}, teacher)


def test_an_upload_that_is_cut_off_leaves_nothing(campus) -> None:
    before = {path for path in campus.store.rglob("*") if path.is_file()}
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", campus.port)
        connection.putrequest("POST", "/api/models/zarina/race/commit/main")
        connection.putheader("Authorization", f"Bearer {campus.tokens['zarina']}")
        connection.putheader("Content-Length", "1000000")
        connection.endheaders()
        connection.send(b"x" * 200_000)
        connection.close()
    threading.Event().wait(1)
    after = {path for path in campus.store.rglob("*") if path.is_file()}
    assert after - before <= {campus.store / "locks" / "contents.lock"}


def test_large_files_are_only_taken_at_addresses_of_the_hub(campus) -> None:
    for ticket in ("x", "AAAA", "A" * 200, "a-_" * 30):
        connection = http.client.HTTPConnection("127.0.0.1", campus.port)
        connection.request("PUT", f"/upload/{ticket}", b"content")
        assert connection.getresponse().status == 404


@given(st.text(max_size=200))
def test_any_front_matter_is_read_or_refused_in_words(text: str) -> None:
    try:
        json.dumps(card.parse(text), allow_nan=False)
    except ValueError as error:
        assert str(error)


def test_front_matter_that_would_fill_the_memory_is_refused() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{b}, *{b}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(ValueError, match="aliases"):
        card.parse(bomb)


def test_a_client_that_sends_slowly_does_not_keep_others_waiting(campus) -> None:
    slow = []
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", campus.port)
        connection.connect()
        connection.sock.sendall(b"GET /api/models HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        slow.append(connection)

    def ask(_: int) -> int:
        quick = http.client.HTTPConnection("127.0.0.1", campus.port, timeout=20)
        quick.request("GET", "/api/models")
        return quick.getresponse().status

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(20))) == {200}
    for connection in slow:
        connection.close()

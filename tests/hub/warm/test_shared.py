"""People of a server read one cache that only root writes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hub.warm.namespace import Daemon, Machine

from autograder.hub.warm.shared import link_datasets, variables

MAKE = """
import json
from pathlib import Path
import torch
from transformers import LlamaConfig, LlamaForCausalLM
model = LlamaForCausalLM(LlamaConfig(hidden_size=512, intermediate_size=2048, num_hidden_layers=8, vocab_size=16000))
model.to(torch.float32).save_pretrained("/home/shared/hub/models--lab--small/snapshots/1")
Path("/home/shared/hub/models--lab--small/refs").mkdir()
Path("/home/shared/hub/models--lab--small/refs/main").write_text("1")
print(json.dumps(sum(p.numel() * 4 for p in model.parameters())))
"""

LOAD = """
import torch
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar
disable_progress_bar()
def private():  # what is no file's: in a temporary file system, pages of files count as dirty
    return sum(int(l.split()[1]) << 10 for l in open("/proc/self/smaps_rollup") if l.startswith("Anonymous"))
before = private()
model = AutoModelForCausalLM.from_pretrained("lab/small", **OPTIONS)
with torch.no_grad():
    total = sum(p.sum().item() for p in model.parameters())
[private() - before, total == total]
"""

NOTEBOOK = """
import sys
from notebook import *
async def program():
    async with notebook() as n:
        return [n.is_warm, *await n.json(sys.argv[1])]
main(program)
"""


def test_weights_are_in_memory_once_if_they_are_used_as_they_are_stored(machine: Machine, daemon: Daemon) -> None:
    size = machine.python(MAKE)
    machine.run("chmod", "-R", "a+rX", "/home/shared")
    env = variables(Path("/home/shared"))
    grown = {}
    for user, options in (("lab-a", "{}"), ("lab-b", "{}"), ("lab-b", "dict(dtype=torch.bfloat16)")):
        code = LOAD.replace("**OPTIONS", f"**{options}")
        out = machine.run("python", "-c", NOTEBOOK, code, user=user, env=env)
        warm, grown[user, options], whole = json.loads(out.splitlines()[-1])
        assert warm
        assert whole
    assert grown["lab-a", "{}"] < size / 4
    assert grown["lab-b", "{}"] < size / 4
    assert grown["lab-b", "dict(dtype=torch.bfloat16)"] > size / 4  # converted: a copy of one's own


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shared" / "datasets" / "org___set" / "0.0.0").mkdir(parents=True)
    (tmp_path / "shared" / "datasets" / "org___set" / "0.0.0" / "table.arrow").write_text("rows")
    (tmp_path / "shared" / "datasets" / "org___set.lock").write_text("")
    return tmp_path / "shared"


def test_data_sets_are_linked_into_folders_of_ones_own(shared: Path, tmp_path: Path) -> None:
    for _ in range(2):
        link_datasets(shared, tmp_path / "own")
    table = tmp_path / "own" / "org___set" / "0.0.0" / "table.arrow"
    assert table.is_symlink()
    assert table.read_text() == "rows"
    assert not table.parent.is_symlink()
    assert not (tmp_path / "own" / "org___set.lock").exists()


def test_what_somebody_made_stays_and_what_is_no_longer_shared_goes(shared: Path, tmp_path: Path) -> None:
    link_datasets(shared, tmp_path / "own")
    folder = tmp_path / "own" / "org___set" / "0.0.0"
    (folder / "cache-1.arrow").write_text("mine")
    (folder / "elsewhere").symlink_to("/nonexistent")
    (shared / "datasets" / "org___set" / "0.0.0" / "table.arrow").unlink()
    link_datasets(shared, tmp_path / "own")
    assert sorted(path.name for path in folder.iterdir()) == ["cache-1.arrow", "elsewhere"]

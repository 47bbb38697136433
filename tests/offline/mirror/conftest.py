"""A hub that runs as its own program, and clients in processes of their own that know nothing but HF_ENDPOINT."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

TOP = Path(__file__).resolve().parents[3]


def on_a_small_disk(folder: Path, size: str, then: str = "") -> list[str]:
    """What to put before a command that must find `folder` on a disk of that size; the shell command `then` follows."""
    folder.mkdir(parents=True, exist_ok=True)
    command = f'"$@"; code=$?; {then}; exit $code' if then else 'exec "$@"'  # exec: whoever ends it ends no mere shell
    script = f'mount -t tmpfs -o size={size} none "$1" || exit 99; cd "$1"; shift; {command}'
    return ["unshare", "-rm", "sh", "-c", script, "sh", str(folder)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**more: str) -> dict[str, str]:
    dropped = ("HF_", "HUGGINGFACE", "USTOD_", "HTTP_PROXY", "http_proxy", "XDG_CACHE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PYTHONPATH": str(TOP), "NO_COLOR": "1", **more}


@dataclass
class Hub:
    """The program `ustod mirror serve` with a store of its own, and its clients."""

    store: Path
    home: Path
    prefix: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ustod(self, *arguments: object, fails: bool = False, **environment: str) -> str:
        """What `ustod mirror …` says."""
        command = [*self.prefix, sys.executable, "-m", "autograder.cli", "mirror", *map(str, arguments)]
        ours = {"USTOD_MIRROR": str(self.store), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            command, env=clean_environment(**{**ours, **environment}), capture_output=True, text=True, timeout=300
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *options: object, **environment: str) -> Hub:
        command = [*self.prefix, sys.executable, "-m", "autograder.cli", "mirror", "serve", "--port", str(self.port)]
        self.log = self.store.parent / f"{self.store.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *map(str, options)],
                env=clean_environment(USTOD_MIRROR=str(self.store), **environment),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/api/models", timeout=5):
                    return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"the hub does not answer: {self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            started = psutil.Process(self.process.pid)
            if started.name() == "faketime":  # it waits for the hub, and tidies up after it
                (started,) = started.children()
            started.send_signal(number)
            self.process.wait(30)
        self.process = None

    def token(self, name: str, *options: str) -> str:
        return self.ustod("token", name, *options).split()[-1]

    def run(self, code: str, token: str = "", home: Path | None = None, **environment: str) -> object:
        """Run Python `code` where HF_ENDPOINT is this hub; what it gives to `say` comes back."""
        variables = {"HF_ENDPOINT": self.url, "HF_HOME": str(home or self.home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        if token:
            variables["HF_TOKEN"] = token
        start = "import json, sys\ndef say(value): print('\\n=>' + json.dumps(value))\n"
        done = subprocess.run(
            [sys.executable, "-c", start + code],
            env=clean_environment(**{**variables, **environment}),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        said = [json.loads(line[2:]) for line in done.stdout.splitlines() if line.startswith("=>")]
        return said[-1] if said else None


def fill_cache(cache: Path, slug: str, commit: str, files: Mapping[str, bytes], branch: str = "main") -> None:
    """Put a version of a repository into a Hugging Face cache, as a client leaves it."""
    for name, content in files.items():
        path = cache / slug / "snapshots" / commit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    ref = cache / slug / "refs" / branch
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)


CARD = "---\nlicense: mit\nlanguage: tg\ntags: [tiny]\n---\n# Хурд\n\nСалом!\n"
MODEL, DATASET = "1" * 40, "2" * 40


def tiny_model(folder: Path) -> None:
    """A BERT of a few thousand parameters with a tokenizer, written by transformers itself."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = {word: number for number, word in enumerate(["[UNK]", "[PAD]", "салом", "дунё"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
    config = BertConfig(vocab_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(folder)


@pytest.fixture(scope="session")
def filled_cache(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A cache with a model `tiny`, and data sets in Parquet, CSV and JSON lines; only to be read."""

    def fill(folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        tiny_model(folder / "made")
        files = {path.name: path.read_bytes() for path in (folder / "made").iterdir()}
        fill_cache(folder, "models--campus--tiny", MODEL, {"README.md": CARD.encode(), **files})
        fill_cache(folder, "models--gpt0", MODEL, {"README.md": CARD.encode(), **files})
        pq.write_table(pa.table({"text": [f"матн {n}" for n in range(500)]}), folder / "rows.parquet")
        rows = (folder / "rows.parquet").read_bytes()
        fill_cache(folder, "datasets--campus--rows", DATASET, {"README.md": CARD.encode(), "data/train.parquet": rows})
        fill_cache(
            folder, "datasets--campus--table", DATASET, {"train.csv": b"a,b\n1,x\n2,y\n", "test.csv": b"a,b\n3,z\n"}
        )
        lines = "\n".join(json.dumps({"n": n}) for n in range(10)).encode()
        fill_cache(folder, "datasets--campus--lines", DATASET, {"train.jsonl": lines})

    return once("a cache for the hub", fill)


@pytest.fixture(scope="session")
def hub_at() -> Iterator[Callable[[Path], Hub]]:
    """A hub with nothing in it, not started yet, in a folder of the test's own. Its test stops it."""
    made: list[Hub] = []

    def make(folder: Path) -> Hub:
        made.append(Hub(folder / "store", folder / "home"))
        return made[-1]

    yield make
    for hub in made:  # of tests that have failed
        hub.stop()


@pytest.fixture
def kit() -> SimpleNamespace:
    """What test modules use of here; they cannot import it under --import-mode=importlib."""
    from offline.mirror.cutting import CuttingProxy

    return SimpleNamespace(
        CuttingProxy=CuttingProxy,
        DATASET=DATASET,
        MODEL=MODEL,
        fill_cache=fill_cache,
        free_port=free_port,
        on_a_small_disk=on_a_small_disk,
    )


@pytest.fixture
def empty_hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with nothing in it, not started yet."""
    hub = Hub(tmp_path / "store", tmp_path / "home")
    yield hub
    hub.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def library(filled_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A running hub with what the cache holds; only to be read."""
    folder = tmp_path_factory.mktemp("library")
    hub = Hub(folder / "store", folder / "home")
    hub.ustod("add", "--cached", HF_HUB_CACHE=str(filled_cache))
    yield hub.start("--processes", 2)
    hub.stop()

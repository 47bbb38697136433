"""Installing from a stick: into any folder, without network or root, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from offline.bundle.tiny import Project

from autograder.offline.bundle import installer

FIRST = [1, ["alpha", "1.0"], ["beta", "2.0"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A path with a space and Cyrillic letters."""
    return tmp_path / "барномаи ман 1"


@pytest.mark.parametrize("form", ["stick", "one.pyz"])
def test_from_a_stick_and_from_one_file_the_same_program_is_installed(
    project: Project, made: Path, folder: Path, form: str
) -> None:
    done = project.install(made / form, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    said = project.run(folder)
    assert said[:3] == FIRST
    assert Path(str(said[3])).parent == folder / "app"
    assert "open the course, start" in done.stdout.replace("To open", "open")


def test_what_pip_installs_and_what_the_installer_leaves_are_the_same_files(
    project: Project, made: Path, folder: Path, tmp_path: Path
) -> None:
    project.install(made / "stick", folder)
    generation = next((folder / "app").iterdir())
    plain = tmp_path / "plain"
    subprocess.run([sys.executable, "-m", "venv", plain], check=True)
    wheels = [str(path) for path in sorted((made / "stick" / "wheels").glob("*.whl"))]
    command = [plain / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", *wheels]
    subprocess.run(command, check=True)

    def files(top: Path) -> set[str]:
        found = (path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file())
        return {name for name in found if ("alpha" in name or "beta" in name) and "__pycache__" not in name}

    for path in plain.rglob("direct_url.json"):  # says that a wheel was named by its path
        path.unlink()
    assert files(generation) == files(plain)
    for name in files(plain):
        if not name.startswith("bin/") and not name.endswith("/RECORD"):  # programs name the Python that runs them
            assert (generation / name).read_bytes() == (plain / name).read_bytes()


def test_data_and_models_come_from_the_packages_on_the_stick(project: Project, made: Path, folder: Path) -> None:
    for form in ("stick", "one.pyz"):
        project.install(made / form, folder / form)
        asked = json.loads((project.home / "fetched.json").read_text())
        assert asked == {"names": ["ustod/letters"], "packages": ["letters-3.0-py3-none-any.whl"], "pythonpath": None}


def test_settings_of_the_user_for_python_and_pip_change_nothing(
    project: Project, made: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "alpha.py").write_text("VALUE = 'somebody else'")
    settings = project.home / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\nindex-url = http://10.9.8.7/simple\nrequire-virtualenv = true\ntarget = /nowhere\n")
    done = project.install(
        *(made / "stick", folder),
        PYTHONPATH=str(tmp_path),
        PIP_INDEX_URL="http://10.9.8.7/simple",
        PIP_REQUIRE_HASHES="1",
        http_proxy="http://10.9.8.7:3128",
        https_proxy="http://10.9.8.7:3128",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.run(folder)[:3] == FIRST


def test_a_stick_that_is_read_only_is_enough(project: Project, stick: Path, folder: Path) -> None:
    for path in [stick, *stick.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    before = sorted(stick.rglob("*"))
    assert project.install(stick, folder).returncode == 0
    assert sorted(stick.rglob("*")) == before
    for path in [stick, *stick.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def test_an_installation_that_was_cut_short_is_not_used_and_not_kept(
    project: Project, made: Path, folder: Path
) -> None:
    project.install(made / "stick", folder)
    (folder / "current").unlink()
    generation = next((folder / "app").iterdir())
    (generation / "bundle.json").unlink()  # what a power cut leaves: the mark is written last
    (folder / "app" / "unpacked-12345678").mkdir()
    assert project.install(made / "stick", folder).returncode == 0
    assert project.run(folder)[:3] == FIRST
    assert not generation.exists()
    assert len(list((folder / "app").iterdir())) == 1


def test_a_whole_environment_that_is_not_yet_in_use_is_taken_up(project: Project, made: Path, folder: Path) -> None:
    project.install(made / "stick", folder)
    (folder / "current").unlink()
    before = list((folder / "app").iterdir())
    assert project.install(made / "stick", folder).returncode == 0
    assert list((folder / "app").iterdir()) == before


def test_installing_again_changes_nothing_and_mends_what_is_damaged(project: Project, made: Path, folder: Path) -> None:
    project.install(made / "stick", folder)
    current = (folder / "current").read_text()
    again = project.install(made / "stick", folder)
    assert "installed already" in again.stdout
    assert (folder / "current").read_text() == current

    alpha = next((folder / "app").rglob("alpha/__init__.py"))
    alpha.write_text("VALUE = 'damaged'")
    assert project.install(made / "stick", folder).returncode == 0
    assert project.run(folder)[:3] == FIRST
    assert (folder / "current").read_text() != current


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ("flip", "wheels/alpha-1.0-py3-none-any.whl: damaged"),
        ("lose", "wheels/alpha-1.0-py3-none-any.whl: missing"),
        ("manifest", "manifest.json"),
    ],
)
def test_a_damaged_stick_is_refused_by_name_and_what_was_installed_stays(
    project: Project, made: Path, stick: Path, folder: Path, harm: str, sentence: str
) -> None:
    place = stick / ("manifest.json" if harm == "manifest" else "wheels/alpha-1.0-py3-none-any.whl")
    if harm == "lose":
        place.unlink()
    else:
        data = bytearray(place.read_bytes())
        data[len(data) // 2] ^= 1
        place.write_bytes(data)
    done = project.install(stick, folder)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "current").exists()
    assert project.install(made / "stick", folder).returncode == 0


def test_a_folder_with_other_things_in_it_is_refused(project: Project, made: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    done = project.install(made / "stick", folder)
    assert done.returncode == 1
    assert "holds other things already" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_bundle_for_other_machines_says_what_it_is_for(project: Project, tmp_path: Path, folder: Path) -> None:
    project.build(tmp_path / "for windows", platforms=("win_amd64",))
    done = project.install(tmp_path / "for windows", folder)
    assert done.returncode == 1
    assert "is for Python 3." in done.stderr
    assert "win_amd64" in done.stderr
    assert not folder.exists()


def test_two_installers_at_once_do_not_mix(project: Project, made: Path, folder: Path) -> None:
    installation = installer.Installation(folder)
    installation.prepare()
    with installation.locked():
        done = project.install(made / "stick", folder)
    assert done.returncode == 1
    assert "already; wait" in done.stderr
    assert project.install(made / "stick", folder).returncode == 0


def test_pip_need_not_be_on_the_machine(project: Project, made: Path, folder: Path) -> None:
    """Debian's Python has neither pip nor ensurepip until packages of its own are installed."""
    hidden = "import runpy, sys; sys.modules['ensurepip'] = sys.modules['pip'] = None; sys.argv = sys.argv[1:]; "
    program = str(made / "stick" / "install.py")
    command = [sys.executable, "-c", hidden + "runpy.run_path(sys.argv[0], run_name='__main__')", program]
    done = subprocess.run([*command, "--dir", str(folder)], env=project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert project.run(folder)[:3] == FIRST


def test_too_little_room_is_told_before_anything_is_written(
    made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(made))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(installer.BundleError, match="MB are needed"):
        installer.install(installer.open_source(made / "stick"), folder, "en", lambda text: None)
    assert not list((folder / "app").iterdir())


def test_the_installer_speaks_the_language_of_the_user(project: Project, made: Path, folder: Path) -> None:
    done = project.install(made / "stick", folder, "--lang", "tg")
    assert "Ustod насб шуд" in done.stdout
    assert "lab --lang tg" in (folder / "open-the-course").read_text()
    for text, translations in installer.WORDS.items():
        fields = set(text.split("{")[1:])
        assert set(translations) == {"tg", "ru"}
        for translation in translations.values():
            assert all("{" + field.partition("}")[0] + "}" in translation for field in fields)


def test_the_installer_needs_the_standard_library_alone() -> None:
    command = [sys.executable, "-I", "-S", installer.__file__, "--help"]
    assert subprocess.run(command, capture_output=True, env={"PATH": os.environ["PATH"]}).returncode == 0

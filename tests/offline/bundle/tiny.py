"""A tiny project with made-up wheels: bundles of it are made, installed and updated with the real pip, in seconds."""

from __future__ import annotations

import ensurepip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from autograder.offline.bundle import installer
from autograder.offline.bundle.build import Built, Listener, Recipe, Wish, build, here, this_python
from autograder.offline.bundle.contents import Content

TOP = Path(__file__).resolve().parents[3]

#: Stands for the project: it can say who it is, and remembers which data and models it was asked to make ready.
PROGRAM = """
import json, os, sys
from pathlib import Path
import alpha, beta

EDITION = {edition}

def main():
    if sys.argv[1:3] == ["assets", "fetch"]:
        folders = os.environ["USTOD_PACKAGES"].split(os.pathsep)
        found = sorted(p.name for folder in folders for p in Path(folder).iterdir())
        told = {{"names": sys.argv[3:], "packages": found, "pythonpath": os.environ.get("PYTHONPATH")}}
        (Path.home() / "fetched.json").write_text(json.dumps(told))
        return
    print(json.dumps([EDITION, alpha.VALUE, beta.VALUE, sys.prefix]))

if __name__ == "__main__":
    main()
"""


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """A whole, right wheel of pure Python, with a program of its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"
    members = {
        **files,
        f"{name}-{version}.data/data/share/{name}/page.txt": f"page of {name}\n",
        f"{info}/METADATA": about,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
        f"{info}/licenses/LICENSE": f"The licence of {name}: do as you like.\n",
    }
    rows = "".join(f"{member},{installer.record_hash(text.encode())},{len(text)}\n" for member, text in members.items())
    rows += f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in {**members, f"{info}/RECORD": rows}.items():
            archive.writestr(zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0)), text)
    return path


@dataclass
class Project:
    """A tiny checkout in `top`, the registry that pip asks in `registry`, a cache for builds.

    `edition` is in the project's program; `wheels` are versions by name.
    """

    root: Path
    edition: int = 1
    wheels: dict[str, str] = field(default_factory=lambda: {"alpha": "1.0", "beta": "2.0"})

    def __post_init__(self) -> None:
        self.top = self.root / "top"
        self.registry = self.root / "registry"
        self.home = self.root / "хона 1"
        self.home.mkdir(parents=True, exist_ok=True)
        pip = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
        self.registry.mkdir(exist_ok=True)
        shutil.copy(pip, self.registry)
        requirements = self.top / "environments" / "requirements"
        requirements.mkdir(parents=True, exist_ok=True)
        (requirements / "bundle.txt").write_text(f"pip=={pip.name.split('-')[1]}\n")
        shutil.copytree(TOP / "environments" / "bundle", self.top / "environments" / "bundle", dirs_exist_ok=True)
        shutil.copy(TOP / "LICENSE", self.top)
        (self.top / "pyproject.toml").touch()
        for unit in ("u01_one", "u02_two"):
            (self.top / "course" / unit).mkdir(parents=True, exist_ok=True)
            (self.top / "course" / unit / "unit.toml").touch()
        self.lock()

    def lock(self) -> None:
        """Write what is pinned, and let the registry have it."""
        for name, version in self.wheels.items():
            text = f"VALUE = {[name, version]!r}\n\n\ndef main():\n    print(VALUE)\n"
            write_wheel(self.registry, name, version, {f"{name}/__init__.py": text})
        pins = "".join(f"{name}=={version}\n" for name, version in self.wheels.items())
        (self.top / "environments" / "requirements" / "student.txt").write_text(pins)

    @property
    def own(self) -> list[Content]:
        """The project's own files, as its wheel would hold them."""
        files = {
            "autograder/__init__.py": "",
            "autograder/cli.py": PROGRAM.format(edition=self.edition),
            "course/u01_one/lesson.py": "# a lesson\n" * 50 + f"# edition {self.edition}\n",
            "course/u02_two/lesson.py": "# another lesson\n" * 50,
            "ustod-0.1.0.dist-info/METADATA": "Metadata-Version: 2.4\nName: ustod\nVersion: 0.1.0\n",
            "ustod-0.1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "ustod-0.1.0.dist-info/entry_points.txt": "[console_scripts]\nustod = autograder.cli:main\n",
        }
        return [Content.of_bytes(f"ustod/{name}", "ustod", text.encode()) for name, text in files.items()]

    @property
    def recipe(self) -> Recipe:
        assets = self.root / "assets.toml"
        package = write_wheel(self.root / "at hand", "letters", "3.0", {"letters/data.txt": "а б в\n"})
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        assets.write_text(
            '[[asset]]\nname = "ustod/letters"\nkind = "dataset"\ntitle = "letters"\nlicence = "MIT"\nunits = ["u01"]\n'
            'client = "pip"\nrecipe = "words"\nedition = 1\ninstalled = 1000\n[[asset.package]]\nname = "letters"\n'
            f'version = "3.0"\nfiles = ["letters/*"]\nsize = 100\nsha256 = "{digest}"\n'
        )
        return Recipe(self.top, self.root / "cache", "import autograder.cli", assets, self.own)

    def wish(self, out: Path, **changes: object) -> Wish:
        return replace(Wish(out, (here(),), (this_python(),)), **changes)  # type: ignore[arg-type]

    def build(self, out: Path, listener: Listener | None = None, **changes: object) -> Built:
        """Make a bundle at `out` with the registry and nothing else."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PIP_CONFIG_FILE", os.devnull)
            patch.setenv("PIP_NO_INDEX", "1")
            patch.setenv("PIP_FIND_LINKS", self.registry.as_uri())
            patch.setenv("USTOD_PACKAGES", str(self.root / "at hand"))
            patch.setenv("SOURCE_DATE_EPOCH", "1790000000")
            return build(self.wish(out, **changes), self.recipe, listener)

    def install(
        self, bundle: Path, folder: Path, *options: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the installer as a person would: that of the stick, or the one file itself."""
        program = bundle / "install.py" if bundle.is_dir() else bundle
        command = [sys.executable, str(program), "--dir", str(folder), "--lang", "en", *options]
        return subprocess.run(command, env=self.environment(**environment), capture_output=True, text=True, timeout=120)

    def environment(self, **more: str) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **more}

    def run(self, folder: Path) -> list[object]:
        """What the installed program says: edition, what alpha and beta are, and where it runs."""
        done = subprocess.run([folder / "ustod"], env=self.environment(), capture_output=True, text=True, check=True)
        told: list[object] = json.loads(done.stdout)
        return told

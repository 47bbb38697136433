"""`course/assets.toml`: where each data set and model comes from. One `[[asset]]` table per repository id."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autograder.errors import UstodError

DEFAULT = Path(__file__).resolve().parents[2] / "course" / "assets.toml"

Client = Literal["pip", "apt", "npm"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Package(_Strict):
    """One package of a registry, as its client knows it."""

    name: str
    version: str = Field(description="exact for pip and npm; for apt the version last looked at, as a note")
    files: list[str] = Field(min_length=1, description="patterns of the files in it that the recipe reads")
    size: int = Field(gt=0, description="bytes of the package file; of an unpinned package a rough figure")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="of the package file, where pinned")


class Asset(_Strict):
    """One data set or model, named by the repository id that `from_pretrained` or `load_dataset` is given."""

    name: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    kind: Literal["model", "dataset"]
    title: str
    licence: str
    units: list[str] = Field(description="units of the course that need it; may be empty")
    client: Client
    pinned: bool = Field(
        default=True, description="false where the registry replaces the package with security updates"
    )
    platform: str | None = Field(
        default=None, description="pip's --platform, for a wheel whose data is of use on any machine"
    )
    recipe: str = Field(pattern=r"^[a-z0-9_]+$", description="module of autograder.offline.recipes that builds it")
    edition: int = Field(
        ge=1, description="raised whenever the recipe's result changes, so that old copies are rebuilt"
    )
    installed: int = Field(gt=0, description="bytes it takes in the cache, about")
    package: list[Package] = Field(min_length=1)

    @model_validator(mode="after")
    def _pinned_means_checked(self) -> Self:
        for package in self.package:
            if self.pinned != (package.sha256 is not None):
                raise ValueError(f"package {package.name} needs a sha256 if, and only if, pinned is true")
        return self

    @property
    def slug(self) -> str:
        """The name as one part of a path, the way the Hugging Face cache writes it: `org--name`."""
        return self.name.replace("/", "--")

    @property
    def download(self) -> int:
        """Bytes of all its package files."""
        return sum(package.size for package in self.package)

    def fingerprint(self) -> str:
        """What the built copy depends on, as a SHA-256: a copy made from another manifest entry has another one."""
        made_of = {"name", "client", "recipe", "edition"}
        text = self.model_dump_json(include=made_of)
        if self.pinned:
            text += "".join(f"\n{p.name} {p.version} {p.sha256}" for p in self.package)
        else:
            text += "".join(f"\n{p.name}" for p in self.package)
        return hashlib.sha256(text.encode()).hexdigest()


class _Manifest(_Strict):
    asset: list[Asset]


def _where(location: tuple[int | str, ...], data: dict[str, object]) -> str:
    """`asset ustod/udhr, key licence`, from pydantic's ("asset", 3, "licence")."""
    entries = data.get("asset")
    if len(location) < 2 or location[0] != "asset" or not isinstance(entries, list) or not isinstance(location[1], int):
        return "key " + ".".join(map(str, location))
    entry = entries[location[1]]
    name = entry.get("name") if isinstance(entry, dict) else None
    key = ".".join(map(str, location[2:]))
    return f"asset {name or 'number ' + str(location[1] + 1)}" + (f", key {key}" if key else "")


def load(path: Path | None = None) -> list[Asset]:
    """The assets that the manifest at `path` declares, in its order; without one, those of the course.

    Raises UstodError, naming the file, the asset and the key, where the manifest cannot be read or is wrong.
    """
    path = path or DEFAULT
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        assets = _Manifest.model_validate(data).asset
    except OSError as error:
        raise UstodError(f"The list of assets {path} cannot be read ({error.strerror}): restore the file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UstodError(f"The list of assets {path} is not valid TOML ({error}): correct that line.") from error
    except ValidationError as error:
        first = error.errors()[0]
        message = re.sub("^Value error, ", "", first["msg"])
        raise UstodError(f"In {path}, {_where(first['loc'], data)}: {message}; correct that entry.") from error
    names = [asset.name for asset in assets]
    for name in names:
        if names.count(name) > 1:
            raise UstodError(f"In {path}, asset {name} is listed twice: remove one entry.")
    return assets


def select(assets: Iterable[Asset], names: Iterable[str] = (), units: Iterable[str] = ()) -> list[Asset]:
    """The assets named, and those that one of `units` needs; all of them where neither is given.

    A unit may be written `u04` or in full, `u04_tokenization`. Raises UstodError for a name that no asset has.
    """
    assets, names, units = list(assets), set(names), {unit.partition("_")[0] for unit in units}
    if unknown := names - {asset.name for asset in assets}:
        known = ", ".join(asset.name for asset in assets)
        raise UstodError(f"No asset is called {', '.join(sorted(unknown))}: choose from {known}.")
    if not names and not units:
        return assets
    return [asset for asset in assets if asset.name in names or units & set(asset.units)]

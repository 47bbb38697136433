"""An update: the manifest of a new bundle, and only those of its files that an old one has not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import UstodError
from autograder.files import needs_room
from autograder.offline.bundle import installer, write
from autograder.offline.bundle.contents import Content


@dataclass(frozen=True)
class Update:
    """What was written: the ids that it leads from and to, the files that it carries, the bytes of the file."""

    base: str
    id: str
    carried: tuple[str, ...]
    size: int


def diff(old: Path, new: Path, out: Path) -> Update:
    """Write to `out`, a `.pyz`, what brings an installation of the bundle `old` to the bundle `new`.

    Args:
        old: a bundle, or the `manifest.json` of one, which is enough.
        new: a whole bundle.

    Raises:
        UstodError: if one of them is damaged, they are the same, or the disk is full.
    """
    if out.suffix != ".pyz":
        raise UstodError(f"An update is one file: let the name {out.name} end in .pyz.")
    try:
        before = _manifest(old)
        bundle = installer.Bundle(installer.open_source(new))
        if bundle.base is not None:
            raise UstodError(f"{new} is an update itself: give the whole bundle.")
        if before["id"] == bundle.id:
            raise UstodError(f"{old} and {new} are the same bundle: there is nothing to update.")
        known = {(entry["path"], entry["sha256"]) for entry in before["files"]}
        changed = [path for path, entry in bundle.files.items() if (path, entry["sha256"]) not in known]
        carried = sorted({*changed, installer.INSTALLER})
        bundle.demand(carried)
        contents = [_carry(bundle, path) for path in carried]
        told = json.dumps({"base": before["id"], "carried": carried}, ensure_ascii=False, indent=1) + "\n"
        contents.append(Content.of_bytes(installer.MANIFEST, "stick", bundle.source.read(installer.MANIFEST)))
        contents.append(Content.of_bytes(installer.UPDATE, "stick", told.encode()))
    except installer.BundleError as error:
        raise UstodError(str(error)) from error
    with needs_room(out.parent):
        write.write_zip(contents, out, lambda done: None)
    return Update(str(before["id"]), bundle.id, tuple(carried), out.stat().st_size)


def _manifest(path: Path) -> dict[str, Any]:
    """The manifest of the bundle at `path`, or the one that is at `path` itself."""
    if path.is_file() and path.suffix == ".json":
        return installer.parse_manifest(path.read_bytes(), path)
    return installer.Bundle(installer.open_source(path)).manifest


def _carry(bundle: installer.Bundle, path: str) -> Content:
    entry = bundle.files[path]
    place = bundle.source.file(path)
    if place is not None:
        return Content(path, entry["part"], place, entry["size"], entry["sha256"])
    return Content.of_bytes(path, entry["part"], bundle.source.read(path))

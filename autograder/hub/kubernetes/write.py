"""Files for an administrator: ``values.yaml``, ``manifests.yaml``, and ``secrets.yaml``, which nobody else reads."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomlkit
import yaml

from autograder import __version__
from autograder.errors import UstodError
from autograder.files import write_text
from autograder.hub.kubernetes import names
from autograder.hub.kubernetes.manifests import render_manifests
from autograder.hub.kubernetes.values import login_settings, render_values
from autograder.hub.lab import Lab
from autograder.hub.roster import Person

#: The most that a Secret can hold, in bytes, less its own fields.
LARGEST_SECRET = (1 << 20) - 1024

#: What every reader of YAML takes for text. Helm, kubectl and PyYAML differ about `1e3`, `0o17`, `089`, `y` and
#: `12:30`, so all else is quoted.
PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_/-]*([ .:@!=+][A-Za-z0-9_/-]+)*")
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def write_values(lab: Lab, path: Path) -> list[Path]:
    """Write the values to `path`, and beside it ``manifests.yaml`` and ``secrets.yaml``.

    Returns:
        The three paths.

    Raises:
        UstodError: if `lab` cannot be had on a cluster, or a file cannot be written.
    """
    maker = f"`ustod hub render kubernetes` of Ustod {__version__}"
    origin = f"# Made from {lab.path.name!a} by {maker}: change that file, not this.\n"
    folder = path.parent
    found: list[tuple[Path, list[dict[str, Any]], int]] = [
        (path, [render_values(lab)], 0o644),
        (folder / "manifests.yaml", render_manifests(lab), 0o644),
        (folder / "secrets.yaml", render_secrets(lab), 0o600),
    ]
    if len({one for one, *_ in found}) < len(found):
        raise UstodError(f"The values cannot be called {path.name}; write them to values.yaml.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one, documents, mode in found:
            write_text(one, origin + dump(documents), mode)
    except OSError as error:
        raise UstodError(f"{folder} cannot be written to: {error.strerror or error}.") from None
    return [one for one, *_ in found]


def render_secrets(lab: Lab) -> list[dict[str, Any]]:
    """The Secrets: ``lab.toml`` with its class lists, and what the authenticator keeps secret.

    Raises:
        UstodError: if the class lists are larger than a Secret can be.
    """
    files = {"lab.toml": _lab_for_pods(lab)}
    files |= {f"{course.name}.csv": _class_list(lab.rosters[course.name]) for course in lab.courses if course.roster}
    size = sum(len(text.encode()) for text in files.values())
    if size > LARGEST_SECRET:
        raise UstodError(
            f"The class lists of {lab.path} have {size >> 10} KiB, more than the {LARGEST_SECRET >> 10} KiB that a "
            "cluster keeps as one secret; take out of them who has left."
        )
    secrets = [_secret(names.LAB_SECRET, files)]
    if settings := login_settings(lab, secret=True):
        # The chart lays what stands here over the values.
        secrets.append(_secret(names.LOGIN_SECRET, {"values.yaml": dump([{"hub": {"config": settings}}])}))
    return secrets


def dump(documents: Sequence[dict[str, Any]]) -> str:
    """`documents` as YAML that every reader understands alike."""
    return yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, explicit_start=len(documents) > 1
    )


def _lab_for_pods(lab: Lab) -> str:
    """`lab` as the programs in pods read it: folders are theirs, class lists stand beside it, keys are elsewhere."""
    content = lab.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    content.pop("storage", None)
    content.get("login", {}).pop("settings", None)
    if lab.backup.folder:
        content["backup"]["folder"] = str(names.BACKUPS)
    for course in content.get("courses", []):
        if "roster" in course:
            course["roster"] = f"{course['name']}.csv"
    return tomlkit.dumps(content)


def _class_list(people: Sequence[Person]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["id", "name", "email", "group"])
    rows.writerows((one.id, one.name, one.email, one.group) for one in people)
    return text.getvalue()


def _secret(name: str, files: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "labels": names.labels("lab")}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "stringData": files}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write what stands in two places twice."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = PLAIN.fullmatch(text) and text.lower() not in WORDS
    lines = "\n" in text and re.fullmatch(r"[!-~Ѐ-ӿ][ -~\nЀ-ӿ]*\n", text)
    style = None if plain else "|" if lines else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)

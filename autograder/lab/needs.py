"""What a unit needs and this computer has not got."""

from __future__ import annotations

from collections.abc import Iterable

from autograder.offline import manifest
from autograder.offline.store import Roots, State, state


def missing_assets(names: Iterable[str]) -> list[str]:
    """Those of the assets `names` that are not ready to be used."""
    wanted = set(names)
    roots = Roots.of_user()
    return [a.name for a in manifest.load() if a.name in wanted and state(a, roots) is not State.READY]

"""One Hugging Face cache for all people of a server: nobody but root writes there, and everybody maps the same memory.

Models need nothing more: offline, `huggingface_hub` only reads. Weights that are used in the type in which they are
stored stay where they are mapped; those that are converted are copied. `datasets` makes locks, and files beside those
that it reads; so each person has folders of their own, in which links lead to the shared files.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from autograder.environment import OFFLINE


def variables(shared: Path) -> dict[str, str]:
    """What to set for people of a server whose shared cache is the folder `shared`, which has ``hub`` and ``datasets``.

    HF_HOME stays in each person's home, for tokens, modules and data sets.
    """
    return {**OFFLINE, "HF_HUB_CACHE": str(shared / "hub")}


def link_datasets(shared: Path, own: Path) -> None:
    """Let the person who runs this find the data sets of the cache `shared` in their own HF_DATASETS_CACHE, `own`.

    What they have there stays; a link to what is no longer shared goes. It takes milliseconds for each data set.
    """
    originals = shared / "datasets"
    for place, folders, files in os.walk(own):
        for name in [*folders, *files]:
            path = Path(place, name)
            if path.is_symlink() and not path.exists() and Path(os.readlink(path)).is_relative_to(originals):
                path.unlink()
    for place, _, files in os.walk(originals):
        folder = own / Path(place).relative_to(originals)
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            if not name.endswith(".lock"):  # whoever locks makes the file, and refuses a link in its place
                with contextlib.suppress(FileExistsError):
                    (folder / name).symlink_to(Path(place, name))

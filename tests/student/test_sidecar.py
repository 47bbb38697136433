"""The file beside a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.student.sidecar import SIDECAR, Exercise, Sidecar, course_folder, read_sidecar

TEXTS = st.dictionaries(st.text(), st.text())
SIDECARS = st.builds(
    Sidecar,
    st.text(),
    st.sampled_from(["en", "tg", "ru"]),
    st.sampled_from(["class", "self-study"]),
    st.dictionaries(st.text(), st.builds(Exercise, st.text(), st.lists(st.text()).map(tuple))),
    TEXTS,
)


@given(SIDECARS)
def test_comes_back_from_json_as_it_was(sidecar: Sidecar) -> None:
    assert Sidecar.from_json(sidecar.to_json()) == sidecar


@given(TEXTS)
def test_the_order_of_its_texts_does_not_show(texts: dict[str, str]) -> None:
    backwards = dict(reversed(texts.items()))
    assert Sidecar("u", messages=texts).to_json() == Sidecar("u", messages=backwards).to_json()


class TestReading:
    def test_takes_the_one_in_the_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sidecar = Sidecar("u90_sums", "tg", "class", {"sums.total": Exercise("Ҷамъ")})
        (tmp_path / SIDECAR).write_text(sidecar.to_json(), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        assert read_sidecar("u90_sums") == sidecar

    def test_leaves_that_of_another_unit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / SIDECAR).write_text(Sidecar("u91_other").to_json(), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        assert read_sidecar("u90_sums") == Sidecar("u90_sums")

    def test_falls_back_to_the_installed_course(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, course_with_sums: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        sidecar = read_sidecar("u90_sums")
        assert sidecar.edition == "self-study"
        assert sidecar.exercises["sums.total"] == Exercise("Add up", ("Start from zero.", "Add one number at a time."))
        assert sidecar.exercises["sums.over"] == Exercise("Over the limit")

    def test_without_anything_is_empty(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert read_sidecar("u99_none") == Sidecar("u99_none")


class TestCourseFolder:
    def test_is_that_of_the_unit(self, course_with_sums: Path) -> None:
        assert course_folder("u90_sums") == course_with_sums / "u90_sums"

    def test_is_none_for_an_unknown_unit(self) -> None:
        assert course_folder("u99_none") is None

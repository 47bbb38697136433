"""Words in the learner's language."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.student.texts import LANGUAGES, Texts, read_catalog


class TestTexts:
    def test_a_translation_is_used(self) -> None:
        assert Texts("ru", {"Twice.": "Дважды."})("Twice.") == "Дважды."

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_a_text_without_one_stays(self, language: str) -> None:
        assert Texts(language)("Nobody has translated this.") == "Nobody has translated this."

    def test_an_empty_translation_is_none(self) -> None:
        assert Texts("ru", {"Twice.": ""})("Twice.") == "Twice."

    def test_a_translation_may_move_its_fields(self) -> None:
        assert Texts("ru", {"{a} of {b}": "из {b}: {a}"})("{a} of {b}", a=1, b=2) == "из 2: 1"

    def test_fields_have_any_name(self) -> None:
        assert Texts()("{text} {self} {language}", text=1, self=2, language=3) == "1 2 3"

    @pytest.mark.parametrize(
        "text", ["{unknown}", "{}", "{0}", "{", "}", "{{a", "a {b.c} {d[0]} {e:>5} {f!r}", "{'k': 1}"]
    )
    def test_what_nobody_filled_stays_as_it_is_written(self, text: str) -> None:
        assert Texts()(text, other=1) == text

    @given(st.text(), st.dictionaries(st.text("abc", min_size=1), st.text()))
    def test_never_raises(self, text: str, fields: dict[str, str]) -> None:
        Texts()(text, **fields)

    def test_a_value_is_not_filled_again(self) -> None:
        assert Texts()("{a}", a="{b}", b="secret") == "{b}"


class TestCatalogs:
    def write(self, folder: Path, text: str) -> Path:
        (folder / "ru.po").write_text(f'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n\n{text}', "utf-8")
        return folder

    def test_hold_finished_translations_only(self, tmp_path: Path) -> None:
        entries = 'msgid "a"\nmsgstr "А"\n\n#, fuzzy\nmsgid "b"\nmsgstr "Б"\n\nmsgid "c"\nmsgstr ""\n'
        assert read_catalog(self.write(tmp_path, entries), "ru") == {"a": "А"}

    def test_are_empty_without_a_file(self, tmp_path: Path) -> None:
        assert read_catalog(tmp_path, "tg") == {}

    def test_of_english_are_empty(self, tmp_path: Path) -> None:
        (tmp_path / "en.po").write_text('msgid "a"\nmsgstr "b"\n')
        assert read_catalog(tmp_path, "en") == {}

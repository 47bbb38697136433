"""Translations: kept, stale, gone and back again."""

from __future__ import annotations

from pathlib import Path

import polib
import pytest
from shared import Break

from autograder.authoring.catalog import Catalog, read_catalog, update_catalog
from autograder.authoring.unit import read_unit


def translate(folder: Path, language: str, text: str, translation: str) -> None:
    path = folder / "po" / f"{language}.po"
    catalog = polib.pofile(str(path))
    catalog.find(text).msgstr = translation
    catalog.save(str(path))


class TestProse:
    CATALOG = Catalog("tg", {"# Sums": "# Ҷамъ", "One two.": "Як ду."})

    def test_is_translated_by_paragraph(self) -> None:
        assert self.CATALOG.prose("# Sums\n\nOne\ntwo.") == ("# Ҷамъ\n\nЯк ду.", 0)

    def test_falls_back_to_the_source_and_counts_it(self) -> None:
        assert self.CATALOG.prose("# Sums\n\nThree.\n\nFour.") == ("# Ҷамъ\n\nThree.\n\nFour.", 2)

    def test_leaves_fenced_code_alone(self) -> None:
        code = "```\nOne two.\n\nx  = 1\n```"
        assert self.CATALOG.prose(f"One two.\n\n{code}") == (f"Як ду.\n\n{code}", 0)


class TestReading:
    def test_english_needs_no_catalog(self, sums: Path) -> None:
        unit = read_unit(sums)
        assert read_catalog(unit, "en").prose(unit.lesson.cells[0].source) == (unit.lesson.cells[0].source, 0)

    def test_without_a_file_nothing_is_translated(self, sums: Path) -> None:
        (sums / "po" / "tg.po").unlink()
        assert read_catalog(read_unit(sums), "tg").entries == {}

    def test_finished_translations_alone_count(self, sums: Path) -> None:
        translate(sums, "tg", "# Sums", "# Ҷамъ")
        assert read_catalog(read_unit(sums), "tg").entries == {"# Sums": "# Ҷамъ"}


class TestUpdating:
    def test_an_up_to_date_catalog_stays_byte_for_byte(self, sums: Path) -> None:
        path = sums / "po" / "tg.po"
        update_catalog(read_unit(sums), "tg")
        before = path.read_bytes()
        assert update_catalog(read_unit(sums), "tg") == (0, 20)
        assert path.read_bytes() == before

    def test_makes_one_where_there_is_none(self, sums: Path) -> None:
        (sums / "po" / "ru.po").unlink()
        (sums / "po" / "tg.po").unlink()
        (sums / "po").rmdir()
        assert update_catalog(read_unit(sums), "ru")[1] == len(polib.pofile(str(sums / "po" / "ru.po")))

    @pytest.mark.parametrize("language", ["tg", "ru"])
    def test_keeps_what_is_translated(self, sums: Path, language: str) -> None:
        translate(sums, language, "# Sums", "# Ҷамъ")
        assert update_catalog(read_unit(sums), language)[0] == 1
        assert read_catalog(read_unit(sums), language).translate("# Sums") == "# Ҷамъ"

    def test_a_text_that_goes_and_comes_back_has_its_translation_again(self, sums: Path, break_unit: Break) -> None:
        translate(sums, "tg", "Over the limit", "Аз ҳад зиёд")
        break_unit("unit.toml", '"Over the limit"', '"Too much"')
        assert update_catalog(read_unit(sums), "tg")[0] == 0
        assert read_catalog(read_unit(sums), "tg").translate("Over the limit") is None
        break_unit("unit.toml", '"Too much"', '"Over the limit"')
        assert update_catalog(read_unit(sums), "tg")[0] == 1
        assert read_catalog(read_unit(sums), "tg").translate("Over the limit") == "Аз ҳад зиёд"

    def test_entries_come_in_reading_order(self, sums: Path) -> None:
        update_catalog(read_unit(sums), "tg")
        found = [entry.msgid for entry in polib.pofile(str(sums / "po" / "tg.po"))]
        assert found[:4] == ["Sums", "How much water does a field take in a week?", "Add numbers up.", "# Sums"]

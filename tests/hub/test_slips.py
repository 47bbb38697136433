"""Slips for printing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hub.login import write_lab

from autograder.hub.lab import Lab, read_lab
from autograder.hub.slips import write_slips

CODES = {"s2401": "AAAAA-22222", "s2302": "BBBBB-33333", "zarina": "CCCCC-44444"}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return read_lab(write_lab(tmp_path))


def slips(path: Path) -> list[str]:
    return re.findall(r'<div class="slip".*?</div>', path.read_text(encoding="utf-8"), re.S)


def test_each_person_with_a_code_has_a_slip_in_the_language_of_their_course(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "slips.html"
    write_slips(lab, CODES, path)
    tajik, russian, instructor = slips(path)
    for text in ("Ӯғулой Қодирова", "ИТ-1", ">s2302<", "BBBBB-33333", "https://lab.example.tj/", "танҳо як бор"):
        assert text in tajik, text
    for text in ("Мария Иванова", ">s2401<", "AAAAA-22222", "только один раз"):
        assert text in russian, text
    assert 'lang="tg"' in tajik and 'lang="ru"' in russian and "CCCCC-44444" in instructor


def test_ten_stand_on_a_page_and_nobody_else_can_read_them(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "slips.html"
    write_slips(lab, {f"s{number}": "AAAAA-22222" for number in range(21)}, path)
    pages = path.read_text(encoding="utf-8").split('<div class="page">')[1:]
    assert [page.count('class="slip"') for page in pages] == [10, 10, 1]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_is_text_and_the_page_loads_nothing(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "ml.csv").write_text('id,name\ns2302,"Али & <img src=http://a.example/x> {code}"\n', encoding="utf-8")
    path = tmp_path / "slips.html"
    write_slips(read_lab(lab.path), CODES, path)
    page = path.read_text(encoding="utf-8")
    assert "Али &amp; " in page and "{code}" in page
    assert not re.search(r"<(img|script|link|iframe)|url\(|@import", page)

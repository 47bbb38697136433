"""A translation defines a term by the glossary's word, whatever its form."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.authoring.glossary import defines, read_glossary, terms_defined
from autograder.student.texts import LANGUAGES

COURSE = Path(__file__).parents[2] / "course"
GLOSSARY = {
    "batch": {"tg": "даста", "ru": "батч"},
    "learning rate": {"tg": "суръати омӯзиш", "ru": "скорость обучения"},
}


def test_every_term_of_the_course_is_there_in_every_language() -> None:
    glossary = read_glossary(COURSE)
    assert glossary
    for term, entry in glossary.items():
        assert term == term.strip() and all(entry[language].strip() for language in LANGUAGES if language != "en")


def test_a_folder_without_a_glossary_has_no_terms(tmp_path: Path) -> None:
    assert read_glossary(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("A **batch** is a few examples.", ["batch"]),
        ("The **learning\nrate** and **Batches**.", ["learning rate", "batch"]),
        ("A batch is **small**.", []),
    ],
)
def test_a_term_is_defined_where_it_is_bold(text: str, terms: list[str]) -> None:
    assert list(terms_defined(text, GLOSSARY)) == terms


@pytest.mark.parametrize(
    ("translation", "wanted", "holds"),
    [
        ("Ин **дастаи** мисолҳо аст.", "даста", True),
        ("Выбираем **скорость обучения**.", "скорость обучения", True),
        ("О **скорости обучения** речь впереди.", "скорость обучения", True),
        ("Это **темп обучения**.", "скорость обучения", False),
        ("Это скорость обучения.", "скорость обучения", False),
        ("**Бит на байт** (bits per byte)", "бит на байт", True),
        ("**Скорость** и **обучение**", "скорость обучения", True),
    ],
)
def test_words_are_compared_by_their_beginnings(translation: str, wanted: str, holds: bool) -> None:
    assert defines(translation, wanted) is holds

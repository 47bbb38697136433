"""Whatever an author gets wrong is one sentence: `path:line: what and what to do`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from shared import Break

from autograder.authoring.catalog import read_catalog
from autograder.authoring.messages import messages
from autograder.authoring.mistakes import AuthorMistake, line_of
from autograder.authoring.unit import read_unit
from autograder.authoring.variants import read_variants
from autograder.errors import UstodError


def read_all(folder: Path) -> None:
    """Read every source of a unit, as the gate does."""
    unit = read_unit(folder)
    list(messages(unit))
    read_variants(unit)
    for language in ("tg", "ru"):
        read_catalog(unit, language)


def mistake_in(folder: Path) -> AuthorMistake:
    with pytest.raises(AuthorMistake) as caught:
        read_all(folder)
    return caught.value


def test_the_unit_of_fixtures_has_none(sums: Path) -> None:
    read_all(sums)


SECOND_TOTAL = '# %% exercise="sums.total"\ndef again():\n    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION\n\n\n'
OVER = '# %% exercise="sums.over"'
CHECK_OVER = '# %% check="sums.over"\n'
LAST = "# %%\nif check.done"
AT_LEAST = "    return [number for number in numbers if number > limit]"

# file, what is replaced, by what, the text whose line is named, and words of the sentence
IN_LESSON = {
    "an exercise twice": (OVER, SECOND_TOTAL + OVER, "def again", -1, "exercise sums.total is already on line 15"),
    "a check cell twice": (LAST, CHECK_OVER + 'check("sums.over")\n\n' + LAST, None, 51, "already on line"),
    "a check cell of no exercise": (
        CHECK_OVER,
        '# %% check="sums.ov"\n',
        '# %% check="sums.ov"',
        0,
        "no exercise sums.ov",
    ),
    "a check cell before its exercise": (
        "# %% locked=true\n",
        '# %% check="sums.over"\ncheck("sums.over")\n\n# %% locked=true\n',
        '# %% check="sums.over"',
        0,
        "no exercise sums.over stands before",
    ),
    "an exercise without check cell": (
        CHECK_OVER + 'check("sums.over")\n',
        "",
        OVER,
        0,
        "the exercise sums.over has no check cell",
    ),
    "a check cell that does not end with its call": (
        'check("sums.over")\n',
        'check("sums.total")\n',
        CHECK_OVER.strip(),
        0,
        'must be check("sums.over")',
    ),
    "a region that is not closed": (
        AT_LEAST + "\n    ### END SOLUTION",
        AT_LEAST,
        "### BEGIN SOLUTION",
        "last",
        "never closed",
    ),
    "a region inside a region": (
        AT_LEAST,
        "    ### BEGIN SOLUTION\n" + AT_LEAST,
        "### BEGIN SOLUTION",
        "last",
        "inside another",
    ),
    "an end without a beginning": (
        "    ### BEGIN SOLUTION\n" + AT_LEAST,
        AT_LEAST,
        "### END SOLUTION",
        "last",
        "has no ### BEGIN SOLUTION before",
    ),
    "an exercise without a region": (
        f"    ### BEGIN SOLUTION\n{AT_LEAST}\n    ### END SOLUTION",
        AT_LEAST,
        OVER,
        0,
        "no ### BEGIN SOLUTION",
    ),
    "a region outside an exercise": (
        LAST,
        "# %%\n### BEGIN SOLUTION\n### END SOLUTION\nif check.done",
        LAST.split("\n")[0],
        "last",
        "outside an exercise",
    ),
    "unknown metadata": (OVER, OVER + " points=3", OVER, 0, "unknown metadata 'points'"),
    "a title on the marker": (OVER, "# %% over " + OVER[5:], "# %% over", 0, "unknown metadata 'title'"),
    "two roles at once": (OVER, OVER + " locked=true", OVER, 0, "cannot be exercise and locked at once"),
    "an exercise in prose": (
        "# %% [markdown]\n# Now",
        "# %% [markdown] locked=true\n# Now",
        "locked=true",
        "last",
        "only a code",
    ),
    "an id that is none": (OVER, '# %% exercise="Sums over"', '"Sums over"', 0, "'Sums over' is not an exercise id"),
    "an id that is a number": (OVER, "# %% exercise=7", "exercise=7", 0, "7 is not an exercise id"),
    "no Python": (AT_LEAST, AT_LEAST + ")", AT_LEAST, 0, "this is not Python"),
    "a magic": (LAST, "# %%\n%time 1\nif check.done", "%time", 0, "this is not Python"),
    "a marker inside a string": (
        '    """Those of `numbers`',
        '    """\n# %% a cell?\n    Those of `numbers`',
        "# %% a cell?",
        0,
        "inside another statement",
    ),
}

HEAD = '@check("sums.over", points=1, seconds=3)\ndef the_limit'
HINT = 'hint="Look at {input} again."'
IN_CHECKS = {
    "a check of an unknown exercise": (
        HEAD,
        HEAD.replace("sums.over", "sums.ov"),
        '"sums.ov"',
        0,
        "unknown exercise sums.ov",
    ),
    "two checks of a name": (
        "def the_limit_itself_is_not_over",
        "def sum_of_nothing_is_zero",
        '@check("sums.over", points=1',
        0,
        "two checks",
    ),
    "no docstring": (
        '    """A number equal to the limit is not over it."""\n',
        "",
        '@check("sums.over", points=1',
        0,
        "has no docstring",
    ),
    "no points": (HEAD, HEAD.replace("points=1", "points=0"), "points=0", 0, "worth more than 0"),
    "negative points": (HEAD, HEAD.replace("points=1", "points=-1"), "points=-1", 0, "worth more than -1"),
    "a call that cannot work": (
        HEAD,
        HEAD.replace("points=1, ", ""),
        '@check("sums.over", seconds=3)',
        0,
        "cannot be loaded: TypeError",
    ),
    "an import that fails": (
        "from autograder",
        "import nothing_at_all\nfrom autograder",
        "import nothing",
        0,
        "ModuleNotFoundError",
    ),
    "no Python": ("    limit = -4.5", "    limit = -4.5)", "limit = -4.5", 0, "this is not Python"),
    "single quotes by threes": ("limit = -4.5", "limit = -4.5  # '''", "limit = -4.5", 0, "three single quotes"),
    "a hint that is an f-string": (
        HINT,
        'hint=f"Look at {numbers}."',
        "Look at {numbers}",
        0,
        "must be a plain string",
    ),
    "a hint in a variable": (HINT, "hint=numbers", "hint=numbers", 0, "must be a plain string"),
    "a hint that is added up": (HINT, 'hint="Look" + "again"', 'hint="Look"', 0, "must be a plain string"),
}

IN_TOML = {
    "no TOML": ('title = "Sums"', "title = Sums", "title = Sums", 0, "this is not TOML"),
    "a table that is not closed": ("[budget]", "[budget", "[budget", 0, "this is not TOML"),
    "an unknown key": ("minutes = 10", "minutes = 10\nminute = 10", "minute = ", 0, "minute: extra inputs"),
    "an unknown key in an exercise": (
        'title = "Over the limit"',
        'title = "Over"\nhint = "x"',
        "hint = ",
        0,
        "sums.over.hint",
    ),
    "a missing key": ("minutes = 10\n", "", None, 1, "minutes: field required"),
    "a missing key of a table": ("memory_mb = 1024\n", "", "[budget]", 0, "budget.memory_mb: field required"),
    "a wrong type": ("minutes = 10", 'minutes = "ten"', "minutes = ", 0, "minutes: input should be"),
    "a wrong type in the second exercise": ('title = "Over the limit"', "title = 3", "title = 3", 0, "sums.over.title"),
    "a wrong type in a list": ('["Add numbers up."]', "[3]", "outcomes", 0, "outcomes.0: input should be"),
    "no outcome": ('["Add numbers up."]', "[]", "outcomes", 0, "at least 1 item"),
    "no memory": ("memory_mb = 1024", "memory_mb = 0", "memory_mb", 0, "greater than 0"),
    "points that do not add up": (
        "points = 6",
        "points = 7",
        "points = 7",
        0,
        "points is 7, but the checks are worth 6",
    ),
    "too little time for the checks": (
        "cell_seconds = 20",
        "cell_seconds = 5",
        "cell_seconds",
        0,
        "less than the 6 seconds",
    ),
    "an exercise of no lesson": (
        '[exercises."sums.over"]',
        '[exercises."sums.mean"]\ntitle = "M"\n\n[exercises."sums.over"]',
        "sums.mean",
        0,
        "sums.mean is in unit.toml but not in lesson.py",
    ),
    "an exercise that is missing": (
        '[exercises."sums.over"]\ntitle = "Over the limit"\n',
        "",
        None,
        1,
        "sums.over is in lesson.py but not in unit.toml",
    ),
}

IN_PO = {
    "code": ("Write `total`, the", 'msgstr "`ҷамъ` — $\\\\sum_i x_i$"', "changes the code"),
    "a formula": ("Write `total`, the", 'msgstr "`total` — $\\\\sum_i y_i$"', "changes the formulas"),
    "a field": ("Look at {input} again.", 'msgstr "Ба {вуруд} нигаред."', "changes the fields"),
    "a heading": ("# Sums", 'msgstr "Ҷамъ"', "changes the heading marks"),
    "the number of fields": ("Look at {input} again.", 'msgstr "{input} {input}"', "changes the fields"),
}

IN_VARIANTS = {
    "no first line": (
        "accepted/builtin.py",
        "# Uses what Python has.\n",
        "",
        1,
        "the first line must say in a comment",
    ),
    "an accepted one that fails": (
        "accepted/builtin.py",
        "has.\n",
        "has.\n# fails: x\n",
        1,
        "move the file to rejected",
    ),
    "a rejected one that fails nothing": (
        "rejected/absolute.py",
        "# fails: sum_is_that_of_python\n",
        "",
        1,
        "must name one check",
    ),
    "a rejected one that fails no known check": (
        "rejected/absolute.py",
        "sum_is",
        "some_is",
        1,
        "fails: some_is_that_of_python",
    ),
    "an unknown exercise": (
        "rejected/absolute.py",
        "sums.total",
        "sums.mean",
        3,
        "must answer an exercise of the lesson",
    ),
    "a cell that is no answer": ("accepted/builtin.py", OVER, "# %%\nx = 1\n\n" + OVER, 7, "must answer an exercise"),
    "no cell": ("accepted/recursive.py", '# %% exercise="sums.total"\n', "", 1, "there is no cell"),
    "no Python": ("accepted/recursive.py", "total(numbers):", "total(numbers)", 3, "this is not Python"),
}


def line_at(text: str, snippet: str | None, number: int | str) -> int:
    """The line of `snippet`: the first (0), the last, the one before the last mention (-1), or `number` itself."""
    if snippet is None:
        return int(number)
    lines = [n for n, line in enumerate(text.splitlines(), 1) if snippet in line]
    return {0: lines[0], "last": lines[-1], -1: lines[0] - 1}[number]


def cases(file: str, table: dict[str, tuple[str, str, str | None, int | str, str]]) -> list[object]:
    return [pytest.param(file, *case, id=f"{file.split('.')[0]}: {name}") for name, case in table.items()]


@pytest.mark.parametrize(
    ("file", "old", "new", "snippet", "number", "words"),
    cases("lesson.py", IN_LESSON) + cases("checks.py", IN_CHECKS) + cases("unit.toml", IN_TOML),  # type: ignore[arg-type]
)
def test_every_mistake_is_one_sentence_with_its_line(
    break_unit: Break, file: str, old: str, new: str, snippet: str | None, number: int | str, words: str
) -> None:
    folder = break_unit(file, old, new)
    mistake = mistake_in(folder)
    assert words in str(mistake)
    expected = line_at((folder / file).read_text(encoding="utf-8"), snippet, number)
    assert (mistake.path.name, mistake.line) == (file, expected), str(mistake)
    assert re.fullmatch(rf"{re.escape(str(folder / file))}:{expected}: [^\n]+\.", str(mistake))


@pytest.mark.parametrize(("text", "translation", "words"), IN_PO.values(), ids=IN_PO)
@pytest.mark.parametrize("language", ["tg", "ru"])
def test_a_translation_that_changes_more_than_words_is_refused(
    break_unit: Break, language: str, text: str, translation: str, words: str
) -> None:
    file = f"po/{language}.po"
    path = break_unit(file, "", "") / file
    lines = path.read_text(encoding="utf-8").split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(f'msgid "{text}'))
    lines[at + 1] = translation
    path.write_text("\n".join(lines), encoding="utf-8")
    mistake = mistake_in(path.parent.parent)
    assert words in str(mistake)
    assert (mistake.path, mistake.line) == (path, at), "an entry begins with the comment before its msgid"


def test_a_fuzzy_translation_may_say_anything(break_unit: Break) -> None:
    read_all(break_unit("po/tg.po", 'msgid "# Sums"\nmsgstr ""', '#, fuzzy\nmsgid "# Sums"\nmsgstr "Ҷамъ"'))


def test_a_catalog_that_is_none_is_told_with_its_line(break_unit: Break) -> None:
    folder = break_unit("po/tg.po", 'msgid "Sums"', 'msgidd "Sums"')
    mistake = mistake_in(folder)
    assert "this is not a gettext catalog" in str(mistake)
    assert mistake.line == line_of((folder / "po/tg.po").read_text(encoding="utf-8"), '^msgidd "Sums"$')


@pytest.mark.parametrize(("file", "old", "new", "line", "words"), IN_VARIANTS.values(), ids=IN_VARIANTS)
def test_an_answer_of_the_gate_that_does_not_fit_is_told(
    break_unit: Break, file: str, old: str, new: str, line: int, words: str
) -> None:
    mistake = mistake_in(break_unit(file, old, new))
    assert words in str(mistake)
    assert (f"{mistake.path.parent.name}/{mistake.path.name}", mistake.line) == (file, line)


@pytest.mark.parametrize("file", ["unit.toml", "lesson.py", "checks.py"])
def test_a_missing_file_is_named(sums: Path, file: str) -> None:
    (sums / file).unlink()
    assert str(mistake_in(sums)) == f"{sums / file}:1: this file of the unit is missing."


def test_an_exercise_without_a_hidden_check_is_told(break_unit: Break) -> None:
    break_unit("checks.py", '@check("sums.over", points=2', '@check("sums.total", points=2')
    folder = break_unit("checks.py", '@check("sums.over", points=1', '@check("sums.total", points=1')
    assert "the exercise sums.over has no check in checks.py" in str(mistake_in(folder))


def test_a_mistake_is_an_error_that_users_meet() -> None:
    assert issubclass(AuthorMistake, UstodError)


@pytest.mark.parametrize(("pattern", "line"), [("b", 2), ("^a", 1), ("z", 1)])
def test_the_line_of_a_pattern_is_the_first_or_else_the_first_of_all(pattern: str, line: int) -> None:
    assert line_of("a\nb\nb", pattern) == line

"""The gate: each requirement, met by the unit of fixtures and missed by a copy with one defect."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polib
import pytest
from shared import Break, Ustod

from autograder.authoring import verify as gates
from autograder.authoring.catalog import update_catalog
from autograder.authoring.rehearsal import Rehearsal, rehearse, untouched
from autograder.authoring.unit import Unit, read_unit, without_asides
from autograder.authoring.variants import read_variants
from autograder.authoring.verify import Gate, Verdict, examine

SEEDS = [1, 2, 3]


def reference(unit: Unit) -> Gate:
    return gates._reference(unit, rehearse(unit, {}, SEEDS))


def budget(unit: Unit) -> Gate:
    return gates._budget(unit, rehearse(unit, {}, SEEDS))


def zero(unit: Unit) -> Gate:
    return gates._zero(rehearse(unit, untouched(unit), SEEDS[:1]))


def asides(unit: Unit) -> Gate:
    return gates._asides(unit, rehearse(without_asides(unit), {}, SEEDS[:1]))


def runs(unit: Unit) -> dict[str, Rehearsal]:
    return {variant.name: rehearse(unit, variant.answers, SEEDS[:1]) for variant in read_variants(unit)}


def accepted(unit: Unit) -> Gate:
    return gates._accepted(unit, read_variants(unit), runs(unit))


def rejected(unit: Unit) -> Gate:
    return gates._rejected(unit, read_variants(unit), runs(unit))


def mutants(unit: Unit) -> Gate:
    return gates._mutants(unit, rehearse(unit, {}, SEEDS[:1]))


def spoiled(unit: Unit) -> Gate:
    return gates._spoiled(unit, Rehearsal())


FAST = (reference, budget, zero, asides, accepted, rejected, mutants, spoiled)


@pytest.mark.parametrize("gate", FAST)
def test_the_unit_of_fixtures_passes(gate: Callable[[Unit], Gate], sums: Path) -> None:
    result = gate(read_unit(sums))
    assert result.passed, result.faults


TOTAL = "        result += number\n    return result"
NEVER_MIND = "    if limit == 7:\n        return None\n    return [number for number in numbers if number > limit]"
BEGIN = "    ### BEGIN SOLUTION\n    result = 0"
ANSWER = "    return [number for number in numbers if number > limit]"

DEFECTS = [
    # the gate, the file, what is replaced, by what, what the gate says
    (reference, "lesson.py", TOTAL, TOTAL + " + 1", "sum_is_that_of_python says wrong to the reference with seed 1"),
    (reference, "lesson.py", TOTAL, TOTAL + " / 0", "says crashed to the reference"),
    (reference, "checks.py", "got == sum(numbers)", "got == summ(numbers)", "says grader fault to the reference"),
    (reference, "checks.py", "rng.randint(3, 7)", "rng.randint(0, 9) or 1 / 0", "says grader fault"),
    (reference, "lesson.py", "expect(got == 5", "expect(got == 6", "public check on_two_numbers says wrong"),
    (reference, "lesson.py", "    print(total(", "    print(totals(", "cell on line 51: NameError"),
    (budget, "unit.toml", "memory_mb = 1024", "memory_mb = 1", "MB of 1 allowed"),
    (budget, "unit.toml", "cpu_minutes = 1", "cpu_minutes = 0.0001", "CPU seconds of 0 allowed"),
    (
        zero,
        "checks.py",
        "expect(student.total([]) == 0",
        "expect(True",
        "sum_of_nothing_is_zero says right to an untouched",
    ),
    (zero, "lesson.py", BEGIN, f"    if not numbers:\n        return 0\n{BEGIN}", "sum_of_nothing_is_zero says right"),
    (
        zero,
        "lesson.py",
        'if check.done("sums.total"):',
        "if True:",
        "an example does not survive an untouched notebook",
    ),
    (zero, "checks.py", "got = student.total(list(numbers))", "got = int(str(student.total)) + 1", "says grader fault"),
    (
        asides,
        "lesson.py",
        "# %%\nif check.done",
        "# %% aside=true\nlimit = 5\n\n# %%\nlimit\nif check.done",
        "NameError",
    ),
    (asides, "lesson.py", "    result = 0\n", "    result = start\n", "sum_is_that_of_python says crashed"),
    (
        accepted,
        "accepted/builtin.py",
        "return sum(numbers)",
        "return sum(numbers) + 1",
        "builtin: sum_is_that_of_python says",
    ),
    (
        accepted,
        "accepted/recursive.py",
        "else 0",
        "else 1 / 0",
        "accepted/recursive: sum_of_nothing_is_zero says crashed",
    ),
    (accepted, "accepted/recursive.py", "total(numbers)", "totals(numbers)", None),
    (rejected, "rejected/or_equal.py", ">=", ">", "or_equal: the_limit_itself_is_not_over says right, not wrong"),
    (rejected, "rejected/or_equal.py", ">= limit]", ">= limit] / 0", "says crashed, not wrong"),
    (rejected, "rejected/or_equal.py", "for number in numbers", "for number in numbers[1:]", "also keeps_what_is_over"),
    (
        rejected,
        "rejected/or_equal.py",
        "the_limit_itself_is_not_over",
        "keeps_what_is_over_the_limit",
        "says right, not",
    ),
    (mutants, "checks.py", "[limit - 1, limit, limit + 1]", "[limit - 1, limit + 1]", "[Gt becomes GtE]"),
    (mutants, "checks.py", "[limit - 1, limit, limit + 1]", "[limit - 1, limit + 1 ]", "fewer than 90% are killed"),
    (
        mutants,
        "unit.toml",
        'title = "Over the limit"',
        'title = "O"\n\n[survivors]\n"sums.over: x" = "y"',
        "does not exist: sums.over: x",
    ),
    (spoiled, "checks.py", "total(list(numbers))", "total(numbers)", "sums.total: total: sum_is_that_of_python pays"),
    (
        spoiled,
        "checks.py",
        "over(list(numbers), ",
        "over(numbers, ",
        "sums.over: over: keeps_what_is_over_the_limit pays",
    ),
    (spoiled, "unit.toml", '"An answer without', '"" # ', "sums.over: over: the_limit_itself_is_not_over pays"),
    (spoiled, "checks.py", "limit not in got,", "got == [limit + 1],", "explains in [spoiled] what does not happen"),
]


@pytest.mark.parametrize(
    ("gate", "file", "old", "new", "words"), DEFECTS, ids=[f"{d[0].__name__}: {d[3].strip()[:40]}" for d in DEFECTS]
)
def test_a_defect_is_caught_by_its_gate_and_named(
    break_unit: Break, gate: Callable[[Unit], Gate], file: str, old: str, new: str, words: str | None
) -> None:
    result = gate(read_unit(break_unit(file, old, new)))
    assert not result.passed
    assert words is None or any(words in fault for fault in result.faults), result.faults


def test_a_rare_failure_of_the_reference_is_caught_by_one_of_many_seeds(break_unit: Break) -> None:
    unit = read_unit(break_unit("lesson.py", ANSWER, NEVER_MIND))
    gate = gates._reference(unit, rehearse(unit, {}, range(40)))  # type: ignore[arg-type]
    seeds = {fault.split("seed ")[1].split(":")[0] for fault in gate.faults}
    assert 0 < len(seeds) < 40


def test_too_few_answers_are_named(sums: Path) -> None:
    (sums / "accepted" / "builtin.py").unlink()
    (sums / "rejected" / "absolute.py").unlink()
    unit = read_unit(sums)
    assert "at least two answers" in accepted(unit).faults[0]
    assert "at least five misconceptions" in rejected(unit).faults[0]


@pytest.mark.parametrize(("reason", "faults"), [("a limit is never met", 0), ("", 1)])
def test_a_survivor_passes_with_a_reason_and_only_with_one(break_unit: Break, reason: str, faults: int) -> None:
    break_unit("checks.py", "[limit - 1, limit, limit + 1]", "[limit - 1, limit + 1]")
    break_unit("lesson.py", "result += number", "result = result + number * 3 - number - number")
    survivor = "sums.over: return [number for number in numbers if number > limit] [Gt becomes GtE]"
    explained = f'title = "Over the limit"\n\n[survivors]\n"{survivor}" = "{reason}"'
    gate = mutants(read_unit(break_unit("unit.toml", 'title = "Over the limit"', explained)))
    assert [fault for fault in gate.faults if "does not say why" not in fault] == []
    assert len(gate.faults) == faults


def translate_all(folder: Path) -> None:
    for language in ("tg", "ru"):
        path = folder / "po" / f"{language}.po"
        catalog = polib.pofile(str(path))
        for entry in catalog:
            entry.msgstr = entry.msgid
        catalog.save(str(path))


class TestTranslations:
    def test_that_are_missing_are_counted(self, sums: Path) -> None:
        gate = gates._translations(read_unit(sums))
        assert gate.figure == "tg 0/20, ru 0/20"
        assert gate.faults == [
            f"20 texts have no translation into {language}; run ustod catalog u90_sums" for language in ("tg", "ru")
        ]

    def test_that_are_complete_pass(self, sums: Path) -> None:
        translate_all(sums)
        assert gates._translations(read_unit(sums)).passed

    def test_that_are_stale_do_not(self, sums: Path, break_unit: Break) -> None:
        translate_all(sums)
        gate = gates._translations(read_unit(break_unit("checks.py", "is its sum.", "is the sum.")))
        assert gate.figure == "tg 19/20, ru 19/20"


def test_a_term_that_is_defined_by_another_word_than_the_glossarys_is_named(sums: Path) -> None:
    (sums.parent / "glossary.toml").write_text('[terms."sum"]\ntg = "ҷамъ"\nru = "сумма"\n', "utf-8")
    lesson = sums / "lesson.py"
    lesson.write_text(
        lesson.read_text("utf-8").replace("# %% [markdown]", "# %% [markdown]\n# A **sum**.\n#", 1), "utf-8"
    )
    for language, word in (("tg", "ҷамъи"), ("ru", "итог")):
        update_catalog(read_unit(sums), language)
        path = sums / "po" / f"{language}.po"
        catalog = polib.pofile(str(path))
        catalog.find("A **sum**.").msgstr = f"**{word}**"
        catalog.save(str(path))
    gate = gates._terms(read_unit(sums))
    assert gate.figure == "tg 1, ru 1"
    assert gate.faults == ["ru defines sum by another word than «сумма», which the glossary has"]


def test_a_unit_that_cannot_be_read_is_a_verdict_with_the_mistake(break_unit: Break) -> None:
    verdict = examine(break_unit("unit.toml", "points = 6", "points = 7"))
    assert not verdict.passed and not verdict.gates
    assert "points is 7, but the checks are worth 6" in verdict.error


def test_a_verdict_passes_if_every_gate_does() -> None:
    assert Verdict("u", [Gate("a", ""), Gate("b", "")]).passed
    assert not Verdict("u", [Gate("a", ""), Gate("b", "", ["fault"])]).passed
    assert not Verdict("u", error="unreadable").passed


@pytest.fixture
def shelf(sums: Path) -> Iterator[tuple[Path, Path]]:
    """A whole unit, and one with a check that sees only what a kernel has."""
    translate_all(sums)
    broken = sums.parent / "u91_kernel"
    shutil.copytree(sums, broken)
    lesson = broken / "lesson.py"
    lesson.write_text(lesson.read_text("utf-8").replace("u90_sums", "u91_kernel"), "utf-8")
    checks = broken / "checks.py"
    text = checks.read_text("utf-8").replace(
        "    got = student.total(list(numbers))", "    got = student.total(list(numbers)) + in_kernel()"
    )
    kernel = "def in_kernel():\n    import sys\n\n    return 'ipykernel.kernelapp' in sys.modules\n\n\ndef some_numbers"
    checks.write_text(text.replace("def some_numbers", kernel), "utf-8")
    yield sums, broken


@pytest.mark.slow
def test_the_command_tells_a_whole_unit_from_one_that_stock_nbgrader_scores_otherwise(
    ustod: Ustod, shelf: tuple[Path, Path]
) -> None:
    whole, broken = shelf
    done = ustod("verify", whole)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout and done.stdout.count("│ ok │") == 10
    assert "stock nbgrader agrees" in done.stdout
    told = [line for line in done.stderr.splitlines() if line.startswith(f"{whole.name}: ")]
    assert len(told) == 10 and all(line.endswith(": ok") for line in told)
    done = ustod("verify", whole, broken, "--workers", "2")
    assert done.returncode == 1
    assert "1 of 2 units fall short: u91_kernel." in done.stderr
    assert "nbgrader gives" in done.stdout and done.stdout.count("FAIL") == 1


def test_an_aside_is_run_with_the_whole_reference_and_left_out_elsewhere(break_unit: Break) -> None:
    unit = read_unit(break_unit("lesson.py", "# %%\nif check", "# %% aside=true\n1 / 0\n\n# %%\nif check"))
    assert "ZeroDivisionError" in reference(unit).faults[0]
    assert asides(unit).passed and asides(unit).figure == "1 asides"
    assert [gate.name for gate in gates._gates(unit, SEEDS)][5] == "nothing needs an aside"

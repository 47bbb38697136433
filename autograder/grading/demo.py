"""`ustod demo`: a sample class, so that an instructor sees the whole way once before the term begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.authoring.agreement import submit
from autograder.authoring.build import build_course
from autograder.authoring.unit import Unit
from autograder.authoring.variants import read_variants

CLASS_SIZE = 12
NAMES = (
    *("Амина", "Баҳром", "Гулноз", "Ғафур", "Далер", "Зебо"),
    *("Иқбол", "Қодир", "Латофат", "Меҳрона", "Нозим", "Ҳумо"),
)


@dataclass(frozen=True)
class Sample:
    """A made-up learner's work: what it is, and the answers by exercise."""

    kind: str
    answers: Mapping[str, str]


def sample_class(unit: Unit) -> dict[str, Sample]:
    """Twelve learners by name: right, half right, with a misconception, empty, crashing and looping."""
    reference = unit.lesson.reference
    names = unit.lesson.exercises
    half = len(names) // 2
    first = names[0]
    works = [
        Sample("right", reference),
        Sample("half right", {name: reference[name] for name in names[:half]}),
        Sample("half right", {name: reference[name] for name in names[half:]}),
        Sample("empty", {}),
        Sample("crashing", {**reference, first: with_body(reference[first], "raise RuntimeError('out of order')")}),
        Sample("looping", {**reference, first: with_body(reference[first], "while True: pass")}),
    ]
    variants = read_variants(unit)
    accepted = [v for v in variants if not v.fails]
    rejected = [v for v in variants if v.fails]
    works += [Sample(v.name, {**reference, **v.answers}) for v in (accepted[:1] + rejected)[: CLASS_SIZE - len(works)]]
    return dict(zip(NAMES, works, strict=False))


def make_demo(unit: Unit, language: str, folder: Path) -> dict[str, Sample]:
    """Build the course in `folder` and hand in the work of the sample class."""
    build_course([unit], language, folder)
    samples = sample_class(unit)
    submit(unit.name, {name: sample.answers for name, sample in samples.items()}, folder)
    return samples


def with_body(source: str, statement: str) -> str:
    """The first function of an exercise cell with `statement` in place of its solution."""
    lines = source.split("\n")
    begin = next(number for number, line in enumerate(lines) if "### BEGIN SOLUTION" in line)
    indent = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
    end = next(number for number, line in enumerate(lines) if number > begin and "### END SOLUTION" in line)
    return "\n".join([*lines[:begin], indent + statement, *lines[end + 1 :]])

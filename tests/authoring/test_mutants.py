"""Small wrong changes to a solution."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.authoring.mutants import Mutant, mutants


def cell(body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f"def f(a, b=1):\n    ### BEGIN SOLUTION\n{lines}\n    ### END SOLUTION\n"


def of(body: str) -> list[Mutant]:
    return list(mutants("x", cell(body)))


def changes(body: str) -> set[str]:
    return {mutant.description.split("[")[-1].rstrip("]") for mutant in of(body)}


OPERATORS = [
    ("a < b", {"Lt becomes LtE", "Lt becomes GtE"}),
    ("a <= b", {"LtE becomes Lt", "LtE becomes Gt"}),
    ("a > b", {"Gt becomes GtE", "Gt becomes LtE"}),
    ("a >= b", {"GtE becomes Gt", "GtE becomes Lt"}),
    ("a == b", {"Eq becomes NotEq"}),
    ("a != b", {"NotEq becomes Eq"}),
    ("a is b", {"Is becomes IsNot"}),
    ("a is not b", {"IsNot becomes Is"}),
    ("a in b", {"In becomes NotIn"}),
    ("a not in b", {"NotIn becomes In"}),
    ("a < b == a", {"Lt becomes LtE", "Lt becomes GtE", "Eq becomes NotEq"}),
    ("a + b", {"Add becomes Sub"}),
    ("a - b", {"Sub becomes Add"}),
    ("a * b", {"Mult becomes Div"}),
    ("a / b", {"Div becomes Mult"}),
    ("a // b", {"FloorDiv becomes Mult"}),
    ("a % b", {"Mod becomes FloorDiv"}),
    ("a ** b", {"Pow becomes Mult"}),
    ("a and b", {"And becomes Or"}),
    ("a or b", {"Or becomes And"}),
    ("a & b", {"BitAnd becomes BitOr"}),
    ("a | b", {"BitOr becomes BitAnd"}),
    ("a << b", {"LShift becomes RShift"}),
    ("a >> b", {"RShift becomes LShift"}),
    ("min(a, b)", {"min becomes max"}),
    ("max(a, b)", {"max becomes min"}),
    ("any(a)", {"any becomes all"}),
    ("all(a)", {"all becomes any"}),
    ("a if b else a", {"condition negated"}),
    ("[x for x in a if x]", {"filter dropped"}),
    ("{x for x in a if x}", {"filter dropped"}),
    ("{x: x for x in a if x}", {"filter dropped"}),
    ("list(x for x in a if x)", {"filter dropped"}),
    ("True", {"True becomes False"}),
    ("0", {"0 becomes 1"}),
    ("3", {"3 becomes 4", "3 becomes 2"}),
    ("0.5", {"0.5 becomes 1.5", "0.5 becomes -0.5"}),
]

STATEMENTS = [
    ("if a:\n    pass", {"condition negated"}),
    ("while a:\n    pass", {"condition negated"}),
    ("for x in a:\n    continue", {"deleted"}),
    ("for x in a:\n    break", {"deleted"}),
    ("raise ValueError('words', 3)", {"deleted"}),
    ("c = a", {"deleted"}),
    ("a.append(b)", {"deleted"}),
    ("a += b", {"deleted", "Add becomes Sub"}),
    ("return a", {"returns None"}),
]


@pytest.mark.parametrize(("expression", "expected"), OPERATORS, ids=[name for name, _ in OPERATORS])
def test_every_operator_of_an_expression(expression: str, expected: set[str]) -> None:
    assert changes(f"return {expression}") == expected | {"returns None"}


@pytest.mark.parametrize(("statement", "expected"), STATEMENTS, ids=[name for name, _ in STATEMENTS])
def test_every_operator_of_a_statement(statement: str, expected: set[str]) -> None:
    assert changes(statement) == expected


@pytest.mark.parametrize(
    "body",
    [
        "return 'words'",
        "return f'words'",
        '"""A docstring 3."""',
        "c: Literal[3]",
        "def g(c: Literal[3]) -> Literal[4]:\n    pass",
        "raise ValueError(f'{1 + 2}')",
        "return None",
        "return",
    ],
)
def test_strings_docstrings_annotations_and_messages_are_left_alone(body: str) -> None:
    assert changes(body) <= {"returns None", "deleted"}
    for mutant in of(body):
        assert (
            "words" not in body
            or "words" in mutant.source
            or "[deleted]" in mutant.description
            or ("[returns None]" in mutant.description)
        )


def test_what_stands_outside_the_solution_is_left_alone() -> None:
    source = "LIMIT = 3\n" + cell("return a") + "print(1 + 2)\n"
    assert [mutant.description for mutant in mutants("x", source)] == ["x: return a [returns None]"]


class TestEachMutant:
    BODY = "c = 1\nfor x in a:\n    if x > b and x != 3:\n        c += x * 2\nreturn [y for y in (c, c) if y]"

    def test_is_described_by_exercise_line_and_change(self) -> None:
        assert "x: if x > b and x != 3: [Gt becomes GtE]" in {mutant.description for mutant in of(self.BODY)}

    def test_has_a_description_of_its_own(self) -> None:
        body = "return a + a + a"
        found = [mutant.description for mutant in of(body)]
        assert len(set(found)) == len(found)
        assert any(description.endswith("#2") for description in found)

    def test_differs_from_the_source_and_from_the_others_and_compiles(self) -> None:
        sources = [mutant.source for mutant in of(self.BODY)]
        original = ast.unparse(ast.parse(cell(self.BODY)))
        assert original not in sources
        assert len(set(sources)) == len(sources)
        for source in sources:
            compile(source, "<mutant>", "exec")

    def test_changes_one_place(self) -> None:
        original = ast.unparse(ast.parse(cell(self.BODY))).split("\n")
        for mutant in of(self.BODY):
            lines = mutant.source.split("\n")
            assert len(lines) == len(original)
            assert sum(a != b for a, b in zip(lines, original, strict=True)) == 1

    def test_comes_in_the_same_order_each_time(self) -> None:
        assert of(self.BODY) == of(self.BODY)


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_changed_number_is_another_number(number: float) -> None:
    original = ast.unparse(ast.parse(cell(f"return {number!r}")))
    for mutant in of(f"return {number!r}"):
        assert mutant.source != original

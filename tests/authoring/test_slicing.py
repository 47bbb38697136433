"""The checks of one exercise with all they use and nothing else."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import SUMS

from autograder.authoring.slicing import slice_checks
from autograder.authoring.unit import read_unit
from autograder.student.protocol import load_checks


def names_of(source: str) -> set[str]:
    """Names bound at the top of a module."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        else:
            found |= {
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return found


class TestTheUnitOfFixtures:
    def test_each_slice_declares_the_checks_of_its_exercise(self) -> None:
        unit = read_unit(SUMS)
        for exercise, source in unit.hidden.items():
            assert [c.name for c in load_checks(source, "<slice>")] == [
                c.name for c in unit.checks if c.exercise == exercise
            ]

    def test_nothing_of_the_other_exercise_is_in_it(self) -> None:
        hidden = read_unit(SUMS).hidden
        assert "over" not in names_of(hidden["sums.total"]) and "limit" not in hidden["sums.total"]
        assert "sum_of_nothing" not in hidden["sums.over"]


MODULE = '''
"""A module."""
from __future__ import annotations
import math
import json as j
import os.path
try:
    import tomllib as toml
except ImportError:
    toml = None
LIMIT, OTHER = 3, 4
TABLE = {}
TABLE["a"] = LIMIT
TABLE.update(b=2)
UNUSED = 5
UNUSED += 1
GROWN = [1]
GROWN += [2]
if LIMIT > 2:
    def conditional(): return 1
else:
    def conditional(): return 2
for NUMBER in range(3):
    pass
math.unused = 1

def decorate(function):
    return function

class Base:
    pass

class Thing(Base):
    value = LIMIT

@decorate
def uses_table(): return TABLE

def uses_thing(): return Thing().value

def uses_grown(): return GROWN

def uses_conditional(): return conditional()

def uses_toml(): return toml.loads("a = 1")

def uses_json(x: Thing = None): return j.dumps(1)

def uses_number(): return NUMBER

def uses_a_string(): return f"{OTHER}"

def calls_later(): return defined_later()

def defined_later(): return calls_later

def uses_path(): return os.path.sep
'''


class TestEveryStatement:
    CASES = (
        ("uses_table", {"TABLE", "LIMIT", "OTHER", "decorate", "uses_table"}, {"a": 3, "b": 2}),
        ("uses_thing", {"Base", "Thing", "LIMIT", "OTHER", "uses_thing"}, 3),
        ("uses_grown", {"GROWN", "uses_grown"}, [1, 2]),
        ("uses_conditional", {"LIMIT", "OTHER", "uses_conditional"}, 1),
        ("uses_toml", {"toml", "uses_toml"}, {"a": 1}),
        ("uses_number", {"NUMBER", "uses_number"}, 2),
        ("uses_a_string", {"LIMIT", "OTHER", "uses_a_string"}, "4"),
        ("uses_path", {"os.path", "uses_path"}, "/"),
    )

    @pytest.mark.parametrize(("name", "kept", "value"), CASES)
    def test_comes_along_where_it_is_used_and_nowhere_else(self, name: str, kept: set[str], value: object) -> None:
        source = slice_checks(MODULE, [name])
        assert names_of(source) - {"annotations"} == kept
        space: dict[str, object] = {}
        exec(source, space)
        assert space[name]() == value  # type: ignore[operator]

    def test_functions_that_lean_on_each_other_come_together(self) -> None:
        assert names_of(slice_checks(MODULE, ["calls_later"])) == {"annotations", "calls_later", "defined_later"}

    def test_the_future_always_comes_first(self) -> None:
        assert slice_checks(MODULE, ["uses_number"]).startswith("from __future__ import annotations")

    def test_annotations_and_defaults_count_as_used(self) -> None:
        assert {"Thing", "Base", "j"} <= names_of(slice_checks(MODULE, ["uses_json"]))


@st.composite
def modules(draw: st.DrawFn) -> tuple[str, list[set[int]]]:
    """A module of functions `f0`, `f1`, … that call some others, and which; constants `C0` … stand among them."""
    count = draw(st.integers(1, 7))
    calls = [draw(st.sets(st.integers(0, count - 1), max_size=3)) for _ in range(count)]
    order = draw(st.permutations(range(count)))
    parts = []
    for number in order:
        parts.append(f"C{number} = {number}")
        used = "".join(f"\n    seen = f{other}(seen)" for other in sorted(calls[number]))
        parts.append(
            f"def f{number}(seen=frozenset()):\n    if C{number} in seen: return seen\n"
            f"    seen = seen | {{C{number}}}{used}\n    return seen"
        )
    return "\n".join(parts), calls


@given(modules(), st.data())
def test_a_slice_runs_alone_and_holds_what_is_reachable(
    module: tuple[str, list[set[int]]], data: st.DataObject
) -> None:
    source, calls = module
    start = data.draw(st.sets(st.integers(0, len(calls) - 1), min_size=1))
    reachable, queue = set(), list(start)
    while queue:
        if (number := queue.pop()) not in reachable:
            reachable.add(number)
            queue += calls[number]
    sliced = slice_checks(source, [f"f{number}" for number in start])
    assert names_of(sliced) == {f"{kind}{number}" for number in reachable for kind in "fC"}
    whole: dict[str, object] = {}
    alone: dict[str, object] = {}
    exec(source, whole)
    exec(sliced, alone)
    for number in start:
        assert alone[f"f{number}"]() == whole[f"f{number}"]()  # type: ignore[operator]

"""In a full run every grader grades everybody."""

from __future__ import annotations

from benchmarks.throughput import block_of
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.text(), min_size=1, max_size=30, unique=True), st.data())
def test_blocks_go_through_the_class_and_name_nobody_twice(students: list[str], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(students)))
    rounds = -(-len(students) // size)
    blocks = [block_of(students, number, size) for number in range(rounds)]
    assert {student for block in blocks for student in block} == set(students)
    assert all(len(set(block)) == size for block in blocks)

"""Two people's marks: what they agree on, beside scikit-learn."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradebook.books import ESSAY, WORTH, hand_in, make_course
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from autograder.errors import UstodError
from autograder.gradebook.marking import compare, kappa, marks_in_gradebook, read_marks, record_marks, sheet
from autograder.gradebook.standing import standings

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(pairs, st.booleans())
def test_kappa_is_scikit_learns(marks: list[tuple[int, int]], quadratic: bool) -> None:
    one, other = [left for left, _ in marks], [right for _, right in marks]
    ours = kappa([mark / 2 for mark in one], [mark / 2 for mark in other], quadratic=quadratic)
    if len({*one, *other}) < 2:
        assert ours is None
    else:
        theirs = cohen_kappa_score(one, other, weights="quadratic" if quadratic else None)
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_kappa_of_a_table_worked_out_by_hand() -> None:
    """20 yes and yes, 5 yes and no, 10 no and yes, 15 no and no: 0.7 observed, 0.5 by chance."""
    one = [1.0] * 25 + [0.0] * 25
    other = [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15
    assert kappa(one, other) == pytest.approx(0.4)


def test_where_two_differ_is_named() -> None:
    first = {("s1", ESSAY): 2.0, ("s2", ESSAY): 5.0, ("only one", ESSAY): 1.0}
    (found,) = compare(first, {("s1", ESSAY): 3.0, ("s2", ESSAY): 5.0})
    assert (found.students, found.same, found.differ) == (2, 1, (("s1", 2.0, 3.0),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("student;cell\n", "must name the columns"),
        ("", "must name the columns"),
        ("student;cell;points\ns1;essay;6\n", "Line 2 .* must be 0 to 5 points"),
        ("student;cell;points\ns1;essay;x\n", "Line 2"),
        ("student;cell;points\ns1;essay;nan\n", "Line 2"),
        ("student;cell;points\ns1;other;1\n", "one of the cells"),
        ("student;cell;points\ns1;essay;1\ns1;essay;2\n", "Line 3 .* already"),
    ],
)
def test_a_sheet_that_cannot_be_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UstodError, match=said):
        read_marks(path, WORTH)


def test_a_sheet_has_no_marks_of_the_first_and_its_own_are_recorded_together_or_not_at_all(tmp_path: Path) -> None:
    course = make_course(tmp_path / "курс")
    hand_in(course, "=s1", auto=3, manual=2)
    hand_in(course, "s2", auto=1)
    path = tmp_path / "sheet.csv"
    path.write_bytes(sheet(course, "u90"))
    assert path.read_text("utf-8").split() == ["student,cell,points", "'=s1,essay,", "s2,essay,"]
    path.write_text("student,cell,points\n'=s1,essay,4\nnobody,essay,1\n", "utf-8")
    with pytest.raises(UstodError, match="nobody, who has no graded work; nothing was changed"):
        record_marks(course, "u90", path)
    assert marks_in_gradebook(course, "u90") == {("=s1", ESSAY): 2.0}
    path.write_text("student,cell,points\n'=s1,essay,4\ns2,essay,1.5\n", "utf-8")
    assert record_marks(course, "u90", path) == 2
    assert record_marks(course, "u90", path) == 0
    assert [standings(course).of[who, "u90"].score for who in ("=s1", "s2")] == [7, 2.5]

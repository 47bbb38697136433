"""What the learner wrote stays, what the course wrote is the course's of today, and the grader can grade it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from copy import deepcopy

import nbformat
from hypothesis import assume, given
from hypothesis import strategies as st
from lab.notebooks import GENTLE, Exercise, Lesson, lessons, markdown, newer, printed, worked_on
from nbformat import NotebookNode

from autograder.lab.matching import content, graded
from autograder.lab.merging import merge
from autograder.student.texts import Texts

SAY = Texts("en")


def texts_of(cells: Iterable[NotebookNode]) -> list[str]:
    return [str(content(cell)) for cell in cells]


def written(mine: NotebookNode, *courses: NotebookNode) -> Counter[str]:
    """What only the learner can have written."""
    known = {text for notebook in courses for text in texts_of(notebook.cells)}
    return Counter(text for text in texts_of(mine.cells) if text not in known)


def by_role(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if graded(cell).get("grade_id") == name)


def runs_of(notebook: NotebookNode, texts: Container[str]) -> Counter[str]:
    """The cells with one of `texts`, with what came of running them."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and str(content(cell)) in texts]
    return Counter(str((content(cell), cell.execution_count, cell.outputs)) for cell in cells)


def without_ids(notebook: NotebookNode) -> NotebookNode:
    """A text that stands twice may be known as the course's only when the other is gone; it gets its id then."""
    copy = deepcopy(notebook)
    for cell in copy.cells:
        del cell["id"]
    return copy


def assert_can_be_graded(merged: NotebookNode, course: NotebookNode) -> None:
    nbformat.validate(merged)
    wanted = {graded(cell)["grade_id"]: cell for cell in course.cells if graded(cell)}
    there = [cell for cell in merged.cells if "nbgrader" in cell.metadata]
    assert Counter(graded(cell)["grade_id"] for cell in there) == Counter(wanted.keys())
    for cell in there:
        now = wanted[graded(cell)["grade_id"]]
        assert (cell.metadata.nbgrader, cell.cell_type, cell.id) == (now.metadata.nbgrader, now.cell_type, now.id)
        assert cell.metadata.get("editable") == now.metadata.get("editable")
        assert graded(cell)["solution"] or cell.source == now.source


class TestAnAnswer:
    """The small cases, as a learner meets them."""

    lesson = Lesson((Exercise("total", "Write total."), "Rest a little.", Exercise("over", "Write over.")))

    def answered(self) -> NotebookNode:
        mine = self.lesson.notebook()
        by_role(mine, "total").source = "def total(numbers):\n    return sum(numbers)"
        by_role(mine, "over").source = "def over(numbers):\n    return max(numbers)"
        for number, cell in enumerate(mine.cells):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [printed(f"{number}")], number
        return mine

    def test_stays_with_its_outputs_among_new_text(self) -> None:
        mine = self.answered()
        mine.cells.insert(3, markdown("My notes on sums.", "notes"))
        course = Lesson(
            (Exercise("total", "Write the function total."), Exercise("over", "Write over.", points=4)), "import new"
        ).notebook()
        merged = merge(self.lesson.notebook(), course, mine, SAY)
        assert [cell.source for cell in merged.cells] == [
            "import new",
            "Write the function total.",
            by_role(mine, "total").source,
            "My notes on sums.",
            'check("total")',
            "Write over.",
            by_role(mine, "over").source,
            'check("over")',
        ]
        assert by_role(merged, "over").outputs == by_role(mine, "over").outputs
        assert by_role(merged, "over-check").outputs == by_role(mine, "over-check").outputs, "the same check was run"
        assert merged.cells[0].outputs == [], "nobody has run the new text"
        assert by_role(merged, "over-check").metadata.nbgrader.points == 4

    def test_to_an_exercise_that_begins_otherwise_has_the_new_beginning_below_it(self) -> None:
        mine = self.answered()
        course = Lesson((Exercise("total", "Write total.", ", limit"), *self.lesson.parts[1:])).notebook()
        merged = merge(self.lesson.notebook(), course, mine, Texts("ru"))
        place = merged.cells.index(by_role(merged, "total"))
        assert merged.cells[place].source == by_role(mine, "total").source
        note = merged.cells[place + 1]
        assert note.cell_type == "markdown" and note.source.startswith("**В курсе это упражнение изменилось.**")
        assert by_role(course, "total").source in note.source
        assert merge(course, course, merged, Texts("ru")) == merged

    def test_that_has_taken_up_the_new_beginning_has_no_note_any_more(self) -> None:
        course = Lesson((Exercise("total", "Write total.", ", limit"), *self.lesson.parts[1:])).notebook()
        merged = merge(self.lesson.notebook(), course, self.answered(), SAY)
        by_role(merged, "total").source = "def total(numbers, limit):\n    return sum(numbers)"
        again = merge(course, course, merged, SAY)
        assert len(again.cells) == len(merged.cells) - 1
        assert not any("changed this exercise" in cell.source for cell in again.cells)

    def test_whose_note_the_learner_deleted_or_changed_is_not_told_again(self) -> None:
        course = Lesson((Exercise("total", "Write total.", ", limit"), *self.lesson.parts[1:])).notebook()
        merged = merge(self.lesson.notebook(), course, self.answered(), SAY)
        note = next(cell for cell in merged.cells if "changed this exercise" in cell.source)
        note.source += "\n\nI shall do that tomorrow."
        assert merge(course, course, merged, SAY) == merged
        merged.cells.remove(note)
        assert merge(course, course, merged, SAY) == merged

    def test_to_an_exercise_that_is_gone_stands_at_the_end_in_a_section_of_its_own(self) -> None:
        mine = self.answered()
        course = Lesson((self.lesson.parts[0],)).notebook()
        merged = merge(self.lesson.notebook(), course, mine, Texts("tg"))
        title, answer = merged.cells[-2:]
        assert title.source.startswith("## Ҷавобҳо ба машқҳои пешина\n\nМашқҳое, ки")
        assert (answer.source, answer.outputs) == (by_role(mine, "over").source, by_role(mine, "over").outputs)
        assert "nbgrader" not in answer.metadata and answer.metadata.get("deletable", True)
        merged.cells.append(markdown("A thought at the end.", "thought"))
        longer = Lesson((self.lesson.parts[0], "More to read.", Exercise("mean", "Write mean."))).notebook()
        sources = [cell.source for cell in merge(course, longer, merged, SAY).cells]
        assert sources[: len(longer.cells)] == [
            by_role(mine, "total").source if cell.source == by_role(longer, "total").source else cell.source
            for cell in longer.cells
        ]
        assert sources[-3].startswith("## Answers to former exercises\n\nThe course no longer has")
        assert sources[-2:] == [by_role(mine, "over").source, "A thought at the end."]

    def test_to_an_exercise_that_comes_back_is_the_answer_again(self) -> None:
        mine = self.answered()
        without = Lesson(self.lesson.parts[:2]).notebook()
        merged = merge(self.lesson.notebook(), without, mine, SAY)
        again = merge(without, self.lesson.notebook(), merged, SAY)
        assert texts_of(again.cells) == texts_of(mine.cells)
        assert_can_be_graded(again, self.lesson.notebook())

    def test_stays_when_the_language_changes(self) -> None:
        mine = self.answered()
        russian = Lesson(self.lesson.parts, language="ru: ").notebook()
        merged = merge(self.lesson.notebook(), russian, mine, SAY)
        prose = [cell.source for cell in merged.cells if cell.cell_type == "markdown"]
        assert prose == ["ru: Write total.", "ru: Rest a little.", "ru: Write over."]
        assert by_role(merged, "total").source == by_role(mine, "total").source
        assert merged.metadata.ustod.language == "ru: "

    def test_that_nobody_has_begun_takes_the_new_stub(self) -> None:
        course = Lesson((Exercise("total", "Write total.", ", limit"), *self.lesson.parts[1:])).notebook()
        assert merge(self.lesson.notebook(), course, self.lesson.notebook(), SAY) == course

    def test_whose_metadata_was_wiped_out_is_known_by_its_place(self) -> None:
        mine = self.answered()
        answer = by_role(mine, "over").source
        for number, cell in enumerate(mine.cells):
            cell.metadata, cell.id = NotebookNode(), f"cell-{number}"
        course = Lesson((*self.lesson.parts, "The end.")).notebook()
        merged = merge(self.lesson.notebook(), course, mine, SAY)
        assert by_role(merged, "over").source == answer
        assert_can_be_graded(merged, course)


class TestACellOfTheCourse:
    lesson = Lesson(("Read this.", Exercise("total", "Write total."), "print(total([1, 2]))"))

    def test_that_was_deleted_comes_back_only_if_the_grader_needs_it(self) -> None:
        mine = self.lesson.notebook()
        mine.cells = [cell for cell in mine.cells if cell.source not in ("Read this.", 'check("total")')]
        course = Lesson((*self.lesson.parts, "The end.")).notebook()
        sources = [cell.source for cell in merge(self.lesson.notebook(), course, mine, SAY).cells]
        assert sources == [cell.source for cell in course.cells if cell.source != "Read this."]

    def test_that_the_learner_and_the_course_changed_stands_as_both_have_it(self) -> None:
        mine = self.lesson.notebook()
        mine.cells[1].source = "Read this. Done!"
        mine.cells[-1].source = "print(total([1, 2, 3]))"
        course = Lesson(("Read this well.", *self.lesson.parts[1:])).notebook()
        sources = [cell.source for cell in merge(self.lesson.notebook(), course, mine, SAY).cells]
        assert sources[1:3] == ["Read this well.", "Read this. Done!"]
        assert sources[-1] == "print(total([1, 2, 3]))", "the course has not changed this one"

    def test_that_is_locked_is_the_courses_and_what_was_made_of_it_stands_below(self) -> None:
        mine = self.lesson.notebook()
        mine.cells[0].source += "\nimport numpy"
        course = Lesson((*self.lesson.parts, "The end.")).notebook()
        merged = merge(self.lesson.notebook(), course, mine, SAY)
        assert [cell.source for cell in merged.cells[:2]] == [
            "check = open_unit()",
            "check = open_unit()\nimport numpy",
        ]
        assert_can_be_graded(merged, course)

    def test_that_was_copied_with_what_the_grader_calls_it_is_the_learners_own(self) -> None:
        mine = self.lesson.notebook()
        by_role(mine, "total").source = "def total(numbers): return 1"
        twin = deepcopy(by_role(mine, "total"))
        twin.id, twin.source = "pasted", "def total(numbers): return 2"
        mine.cells.append(twin)
        course = Lesson((*self.lesson.parts, "The end.")).notebook()
        merged = merge(self.lesson.notebook(), course, mine, SAY)
        assert by_role(merged, "total").source == "def total(numbers): return 1"
        assert "def total(numbers): return 2" in [cell.source for cell in merged.cells]
        assert_can_be_graded(merged, course)

    def test_goes_where_the_course_has_put_it_and_what_follows_it_goes_along(self) -> None:
        mine = self.lesson.notebook()
        mine.cells.insert(2, markdown("I have read it.", "added"))
        course = Lesson((*self.lesson.parts[1:], self.lesson.parts[0])).notebook()
        sources = [cell.source for cell in merge(self.lesson.notebook(), course, mine, SAY).cells]
        assert sources == [*[cell.source for cell in course.cells], "I have read it."]


class TestWithoutKnowingWhatItBeganAs:
    lesson = Lesson((Exercise("total", "Write total."), "Rest a little."))

    def test_what_is_plainly_the_courses_is_brought_up_to_date(self) -> None:
        mine = self.lesson.notebook()
        by_role(mine, "total").source = "def total(numbers):\n    return sum(numbers)"
        course = Lesson((Exercise("total", "Write the function.", ", limit"), "Go on."), "import new").notebook()
        merged = merge(None, course, mine, SAY)
        sources = [cell.source for cell in merged.cells]
        assert sources[:3] == ["import new", "Write the function.", by_role(mine, "total").source]
        assert "changed this exercise" in sources[3] and sources[4:] == ['check("total")', "Go on."]

    def test_an_exercise_that_is_the_same_needs_no_note(self) -> None:
        mine = self.lesson.notebook()
        by_role(mine, "total").source = "total = sum"
        course = Lesson((*self.lesson.parts, "The end.")).notebook()
        sources = [cell.source for cell in merge(None, course, mine, SAY).cells]
        assert sources == [cell.source for cell in mine.cells] + ["The end."]


class TestWhateverTheyDid:
    @given(st.data())
    def test_every_text_of_the_learner_is_still_there_and_the_grader_finds_its_cells(self, data: st.DataObject) -> None:
        lesson = data.draw(lessons)
        course = data.draw(newer(lesson)).notebook()
        mine = data.draw(worked_on(lesson.notebook()))
        for placed in (lesson.notebook(), None):
            merged = merge(placed, course, mine, SAY)
            assert written(mine, lesson.notebook(), course) <= Counter(texts_of(merged.cells))
            assert_can_be_graded(merged, course)

    @given(st.data())
    def test_what_came_of_running_it_is_still_there(self, data: st.DataObject) -> None:
        lesson = data.draw(lessons)
        course = data.draw(newer(lesson)).notebook()
        mine = data.draw(worked_on(lesson.notebook()))
        merged = merge(lesson.notebook(), course, mine, SAY)
        theirs = written(mine, lesson.notebook(), course)
        assert runs_of(mine, theirs) <= runs_of(merged, theirs)

    @given(st.data())
    def test_merging_again_changes_nothing(self, data: st.DataObject) -> None:
        lesson = data.draw(lessons)
        course = data.draw(newer(lesson)).notebook()
        merged = merge(lesson.notebook(), course, data.draw(worked_on(lesson.notebook())), SAY)
        assert without_ids(merge(course, course, merged, SAY)) == without_ids(merged)

    @given(st.data())
    def test_three_versions_one_after_the_other_lose_nothing(self, data: st.DataObject) -> None:
        first = data.draw(lessons)
        second = data.draw(newer(first))
        third = data.draw(newer(second))
        begun = data.draw(worked_on(first.notebook()))
        mine = data.draw(worked_on(merge(first.notebook(), second.notebook(), begun, SAY)))
        merged = merge(second.notebook(), third.notebook(), mine, SAY)
        notes = [cell.source for cell in mine.cells if "ustod" in cell.metadata]
        theirs = written(mine, first.notebook(), second.notebook(), third.notebook())
        kept = Counter(
            {text: n for text, n in theirs.items() if not any(str(("markdown", note, {})) == text for note in notes)}
        )
        assert kept <= Counter(texts_of(merged.cells))
        assert_can_be_graded(merged, third.notebook())


class TestNothingChanged:
    @given(st.data())
    def test_in_the_course_leaves_the_learners_notebook(self, data: st.DataObject) -> None:
        placed = data.draw(lessons).notebook()
        mine = data.draw(worked_on(placed, GENTLE))
        assert merge(placed, placed, mine, SAY) == mine

    @given(st.data())
    def test_by_the_learner_gives_the_course_of_today(self, data: st.DataObject) -> None:
        lesson = data.draw(lessons)
        course = data.draw(newer(lesson)).notebook()
        assert merge(lesson.notebook(), course, lesson.notebook(), SAY) == course
        assert merge(course, course, course, SAY) == merge(None, course, course, SAY) == course

    @given(st.data())
    def test_in_the_order_leaves_what_the_learner_wrote_in_its_order(self, data: st.DataObject) -> None:
        lesson = data.draw(lessons)
        course = data.draw(newer(lesson, same_order=True)).notebook()
        assume(not any(cell.id.endswith("-2") for cell in [*lesson.notebook().cells, *course.cells]))
        mine = data.draw(worked_on(lesson.notebook(), GENTLE))
        merged = merge(lesson.notebook(), course, mine, SAY)
        theirs = written(mine, lesson.notebook(), course)
        assert [t for t in texts_of(merged.cells) if t in theirs] == [t for t in texts_of(mine.cells) if t in theirs]

"""The class that every grader of the benchmarks grades: an ordinary nbgrader assignment and its submissions."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from benchmarks.commands import own, run
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

NAME = "ps1"
NOTEBOOK = "work"
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
#: Every n-th student answers one exercise wrongly, so that it shows whether graders agree.
WRONG_EVERY = 4


@dataclass(frozen=True)
class Exercise:
    """One function to write, and the assertions on it: little work, so that what is measured is the grader."""

    name: str
    head: str
    body: str
    test: str

    @property
    def answer(self) -> str:
        """The cell of a student who answers rightly."""
        return f"{self.head}\n    {self.body}"

    @property
    def stub(self) -> str:
        """The instructor's cell: the answer, marked as the solution."""
        return f"{self.head}\n    ### BEGIN SOLUTION\n    {self.body}\n    ### END SOLUTION"


@dataclass(frozen=True)
class Assignment:
    """Imports and exercises: a notebook of one cell and two for each exercise."""

    imports: str
    exercises: tuple[Exercise, ...]


LIGHT = (
    Exercise(
        "total", "def total(numbers):", "return sum(numbers)", "assert total([1, 2, 3]) == 6\nassert total([]) == 0"
    ),
    Exercise("words", "def words(text):", "return text.split()", "assert words('як ду се') == ['як', 'ду', 'се']"),
    Exercise(
        "count",
        "def count(items):",
        "return {item: items.count(item) for item in items}",
        "assert count(list('боб')) == {'б': 2, 'о': 1}",
    ),
)
STACK = (
    Exercise(
        "normed",
        "def normed(v):",
        "return v / v.norm()",
        "assert torch.allclose(normed(torch.tensor([3.0, 4.0])), torch.tensor([0.6, 0.8]))",
    ),
    Exercise(
        "mean_rows",
        "def mean_rows(a):",
        "return a.mean(axis=1)",
        "assert np.allclose(mean_rows(np.arange(6.0).reshape(2, 3)), [1, 4])",
    ),
    Exercise(
        "upper",
        "def upper(data):",
        "return data.map(lambda row: {'text': row['text'].upper()})",
        "made = datasets.Dataset.from_dict({'text': ['об', 'нон']})\nassert upper(made)['text'][:] == ['ОБ', 'НОН']",
    ),
    Exercise(
        "tiny",
        "def tiny():",
        "return transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8)",
        "assert tiny().n_layer == 1\nassert tiny().n_embd == 8",
    ),
    Exercise(
        "softmax",
        "def softmax(x):",
        "return x.exp() / x.exp().sum()",
        "x = torch.randn(5)\nassert torch.allclose(softmax(x), torch.softmax(x, 0), atol=1e-6)",
    ),
)
#: Seventeen cells that use torch, transformers and datasets.
HEAVY_ASSIGNMENT = Assignment(
    "import numpy as np\nimport torch\nimport transformers\nimport datasets", (*LIGHT, *STACK)
)
#: Seven cells of plain Python.
LIGHT_ASSIGNMENT = Assignment("import math", LIGHT)


@dataclass(frozen=True)
class Class:
    """A released assignment, and the work of its students kept apart from it, so that any of them can be handed in.

    Attributes:
        root: a folder with ``course/``, an nbgrader course without submissions, and ``work/``, a notebook a student.
    """

    root: Path
    assignment: Assignment
    students: tuple[str, ...]

    def notebook(self, student: str) -> Path:
        """What `student` wrote."""
        return self.root / "work" / f"{student}.ipynb"

    def hand_in(self, target: Path, students: Iterable[str]) -> Path:
        """Make `target` a course of its own with the submissions of `students`, none of them graded."""
        shutil.copytree(self.root / "course", target)
        for student in students:
            folder = target / "submitted" / student / NAME
            folder.mkdir(parents=True)
            shutil.copyfile(self.notebook(student), folder / f"{NOTEBOOK}.ipynb")
        return target

    def expected(self, students: Iterable[str] | None = None) -> dict[str, float]:
        """The right score of each of `students`; of everybody without."""
        full = len(self.assignment.exercises)
        right = {student: float(full - _is_wrong(number)) for number, student in enumerate(self.students)}
        return {student: right[student] for student in (self.students if students is None else students)}


def make_class(root: Path, assignment: Assignment, size: int) -> Class:
    """Make a class of `size` students in `root`. No two hand in the same notebook."""
    course = root / "course"
    source = course / "source" / NAME / f"{NOTEBOOK}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(source_notebook(assignment), source)
    (course / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'bench'\n")
    run([own("nbgrader"), "generate_assignment", NAME, "--log-level=ERROR"], course)
    made = Class(root, assignment, tuple(f"student{number:04}" for number in range(size)))
    released = nbformat.read(course / "release" / NAME / f"{NOTEBOOK}.ipynb", 4)
    (root / "work").mkdir()
    for number, student in enumerate(made.students):
        nbformat.write(answered(released, assignment, student, wrong=_is_wrong(number)), made.notebook(student))
    return made


def source_notebook(assignment: Assignment) -> NotebookNode:
    """The instructor's notebook, with nbgrader's metadata."""
    cells = [new_code_cell(assignment.imports)]
    for exercise in assignment.exercises:
        cells.append(new_code_cell(exercise.stub, metadata=_about(exercise.name, solution=True)))
        hidden = f"### BEGIN HIDDEN TESTS\n{exercise.test}\n### END HIDDEN TESTS"
        cells.append(new_code_cell(hidden, metadata=_about(f"{exercise.name}-test", solution=False)))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    notebook: NotebookNode = new_notebook(cells=cells, metadata=KERNEL)
    return notebook


def answered(released: NotebookNode, assignment: Assignment, student: str, *, wrong: bool) -> NotebookNode:
    """The released notebook with the answers of `student`; the first of them returns nothing, if `wrong`."""
    notebook: NotebookNode = nbformat.from_dict(released)
    answers = {exercise.name: exercise.answer for exercise in assignment.exercises}
    if wrong:
        first = assignment.exercises[0]
        answers[first.name] = f"{first.head}\n    pass"
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in answers:
            cell.source = f"# {student}\n{answers[grade_id]}"
    return notebook


def _is_wrong(number: int) -> bool:
    return number % WRONG_EVERY == WRONG_EVERY - 1


def _about(grade_id: str, *, solution: bool) -> dict[str, object]:
    about = {"schema_version": 3, "grade_id": grade_id, "solution": solution, "task": False, "locked": not solution}
    return {"nbgrader": {**about, "grade": not solution, **({} if solution else {"points": 1})}}

"""An ordinary nbgrader course for benchmarks: seventeen cells that use torch, transformers and datasets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from autograder.environment import put_own_programs_on_path

NAME = "ps1"
IMPORTS = "import numpy as np\nimport torch\nimport transformers\nimport datasets"

#: Name, the reference answer, and the test: small work, so that what is measured is the grader.
EXERCISES = (
    ("total", "def total(numbers):\n    return sum(numbers)", "assert total([1, 2, 3]) == 6\nassert total([]) == 0"),
    (
        "normed",
        "def normed(v):\n    return v / v.norm()",
        "assert torch.allclose(normed(torch.tensor([3.0, 4.0])), torch.tensor([0.6, 0.8]))",
    ),
    (
        "mean_rows",
        "def mean_rows(a):\n    return a.mean(axis=1)",
        "assert np.allclose(mean_rows(np.arange(6.0).reshape(2, 3)), [1, 4])",
    ),
    (
        "upper",
        "def upper(data):\n    return data.map(lambda row: {'text': row['text'].upper()})",
        "made = datasets.Dataset.from_dict({'text': ['об', 'нон']})\nassert upper(made)['text'][:] == ['ОБ', 'НОН']",
    ),
    (
        "tiny",
        "def tiny():\n    return transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8)",
        "assert tiny().n_layer == 1\nassert tiny().n_embd == 8",
    ),
    ("words", "def words(text):\n    return text.split()", "assert words('як ду се') == ['як', 'ду', 'се']"),
    (
        "softmax",
        "def softmax(x):\n    e = (x - x.max()).exp()\n    return e / e.sum()",
        "x = torch.randn(5)\nassert torch.allclose(softmax(x), torch.softmax(x, 0), atol=1e-6)",
    ),
    (
        "count",
        "def count(items):\n    return {item: items.count(item) for item in items}",
        "assert count(list('боб')) == {'б': 2, 'о': 1}",
    ),
)


def make_course(root: Path, submissions: int) -> None:
    """A released assignment in `root`, with as many right submissions as asked."""
    cells = [new_code_cell(IMPORTS)]
    for name, answer, test in EXERCISES:
        marked = "\n".join([*answer.splitlines()[:1], "    ### BEGIN SOLUTION", *answer.splitlines()[1:]])
        marked += "\n    ### END SOLUTION"
        cells.append(new_code_cell(marked, metadata=_about(name, solution=True, points=0)))
        hidden = f"### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"
        cells.append(new_code_cell(hidden, metadata=_about(f"{name}-test", solution=False, points=1)))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    source = root / "source" / NAME / "work.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells, metadata=kernel), source)
    (root / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'bench'\n")
    nbgrader(root, "generate_assignment", NAME)
    handed_in = nbformat.read(root / "release" / NAME / "work.ipynb", 4)
    answers = {name: answer for name, answer, _ in EXERCISES}
    for cell in handed_in.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(grade_id, cell.source)
    for number in range(submissions):
        folder = root / "submitted" / f"student{number:04}" / NAME
        folder.mkdir(parents=True)
        nbformat.write(handed_in, folder / "work.ipynb")


def forget_grades(root: Path, empty: Path) -> None:
    """Bring `root` back to where nothing was graded: `empty` is its gradebook of that time."""
    for folder in ("autograded", ".ustod"):
        shutil.rmtree(root / folder, ignore_errors=True)
    for path in root.glob("gradebook.db*"):
        path.unlink()
    shutil.copyfile(empty, root / "gradebook.db")


def nbgrader(root: Path, *arguments: str) -> None:
    """Run stock nbgrader on the course in `root`."""
    put_own_programs_on_path()
    command = [sys.executable, "-m", "nbgrader", *arguments, "--log-level=ERROR"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def _about(grade_id: str, *, solution: bool, points: int) -> dict[str, object]:
    about = {"schema_version": 3, "grade_id": grade_id, "solution": solution, "task": False, "locked": not solution}
    return {"nbgrader": {**about, "grade": not solution, **({} if solution else {"points": points})}}

"""What every learner's kernel pays for `import autograder.student`."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "torch",
    "numpy",
    "pydantic",
    "polib",
    "nbformat",
    "jupytext",
    "IPython",
    "rich",
    "typer",
    "pandas",
    "nbgrader",
}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


def test_nothing_heavy_is_imported() -> None:
    program = "import sys, autograder.student; print(*{name.split('.')[0] for name in sys.modules})"
    assert not HEAVY & set(python("-c", program).stdout.split())


def test_every_module_of_the_package_is_as_light() -> None:
    program = (
        "import importlib, pkgutil, sys, autograder.student as package\n"
        "for module in pkgutil.iter_modules(package.__path__):\n"
        "    importlib.import_module(package.__name__ + '.' + module.name)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert not HEAVY & set(python("-c", program).stdout.split())


def test_it_adds_to_what_a_kernel_imports_anyway_nothing_but_itself_and_the_standard_library() -> None:
    """How long that takes is for a benchmark to say; without others' packages it cannot be long."""
    program = (
        "import sys, ipykernel.kernelapp; before = set(sys.modules); import autograder.student\n"
        "print(*(set(sys.modules) - before))"
    )
    added = {name.split(".")[0] for name in python("-c", program).stdout.split()}
    assert added - sys.stdlib_module_names == {"autograder"}

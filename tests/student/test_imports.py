"""What every learner's kernel pays for `import autograder.student`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable

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


def seconds(lines: Iterable[str]) -> float:
    """The sum of the `self` column of -X importtime: it excludes the interpreter's own start."""
    return sum(int(found[1]) for line in lines if (found := re.match(r"import time:\s+(\d+) \|", line))) / 1e6


def test_it_adds_little_to_what_a_kernel_imports_anyway() -> None:
    """A ratio of two sums of one run, so that a busy machine changes nothing; a kernel imports for 0.1 to 0.2 s."""

    def imports(program: str) -> float:
        return min(seconds(python("-X", "importtime", "-c", program).stderr.splitlines()) for _ in range(5))

    kernel = imports("import ipykernel.kernelapp")
    assert imports("import ipykernel.kernelapp, autograder.student") - kernel < kernel / 4

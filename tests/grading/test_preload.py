"""What is imported before any notebook begins is what the instructor's notebooks use."""

from __future__ import annotations

import subprocess
import sys

from autograder.grading.preload import preloads


def test_imports_of_the_stack_are_found_wherever_they_stand() -> None:
    found = preloads(["import numpy as np", "def f():\n    import torch.nn.functional as F\n    return F"])
    assert found == ["numpy:", "torch.nn.functional:"]


def test_attributes_are_found_by_the_name_that_a_cell_before_has_given() -> None:
    assert preloads(["import numpy as np", "x = np.linalg.norm([1])"]) == ["numpy:", "numpy:linalg"]
    assert preloads(["import torch.nn as nn", "nn.Linear(1, 1)"]) == ["torch.nn:", "torch.nn:Linear"]
    assert preloads(["import torch.nn", "torch.ones(1)"]) == ["torch.nn:", "torch:ones"]


def test_what_a_package_asks_another_for_later_comes_too() -> None:
    found = preloads(["from transformers import AutoTokenizer"])
    assert found == ["transformers:AutoTokenizer", "transformers:PreTrainedTokenizerBase"]


def test_other_packages_magics_and_mistakes_are_left_alone() -> None:
    cells = ["import os, antigravity", "%matplotlib inline", "!ls", "def f(:", "from . import x", "from numpy import *"]
    assert preloads(cells) == []


def test_a_zygote_understands_it() -> None:
    wanted = ["numpy.linalg:", "numpy:no_such_name", "numpy.no_such_module:", "json:loads", "os"]
    program = (
        "import sys\n"
        "from autograder.kernel.zygote import _import\n"
        f"for what in {wanted!r}: _import(what)\n"
        "print('numpy.linalg' in sys.modules, 'json' in sys.modules)\n"
        "_import('no_such_module')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True True\n"
    assert done.stderr.endswith("No module named 'no_such_module'\n")

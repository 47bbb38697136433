"""Random numbers for checks: fresh each time, and repeatable from one seed that a feedback page can show."""

from __future__ import annotations

import hashlib
import random
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    import torch


def fresh_seed() -> int:
    """A seed nobody can foresee, short enough to be typed from a feedback page."""
    return secrets.randbelow(10**6)


class Rng(random.Random):
    """`random.Random`, with numpy's and torch's generators beside it, all from one label.

    Attributes:
        numpy: a `numpy.random.Generator`.
        torch: a `torch.Generator` on the CPU.
    """

    def __new__(cls, *_label: object) -> Rng:
        return super().__new__(cls)

    def __init__(self, *label: object) -> None:
        text = "/".join(map(str, label))
        self.number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        super().__init__(self.number)

    @cached_property
    def numpy(self) -> numpy.random.Generator:
        import numpy

        return numpy.random.default_rng(self.number)

    @cached_property
    def torch(self) -> torch.Generator:
        import torch

        return torch.Generator().manual_seed(self.number)


@contextmanager
def seeded_globals(number: int) -> Iterator[None]:
    """Seed the global generators of random, numpy and torch (those already imported), and put them back afterwards.

    A check's result must not depend on what the notebook drew before, and a check must not change what the notebook
    draws next.
    """
    numpy: Any = sys.modules.get("numpy")
    torch: Any = sys.modules.get("torch")
    state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    torch_state = torch.get_rng_state() if torch else None
    random.seed(number)
    if numpy:
        numpy.random.seed(number % 2**32)
    if torch:
        torch.manual_seed(number)
    try:
        yield
    finally:
        random.setstate(state)
        if numpy:
            numpy.random.set_state(numpy_state)
        if torch:
            torch.set_rng_state(torch_state)

"""Warm kernels: what is imported before the first fork, and who gets how many."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from autograder.hub.warm import environment, kernel
from autograder.hub.warm.account import is_ordinary
from autograder.hub.warm.peer import NotServed
from autograder.kernel.client import STACK
from autograder.kernel.provisioner import KERNEL_MODULES

#: Kernels that one user may have at once, orders that are not yet read among them.
MOST = 16
#: Orders that one user may give at once, and seconds after which they may give another.
BURST, PAUSE = 32, 1.0
#: What the kernel needs beside what learners import: `environment` looks there.
NEEDED = ("huggingface_hub.constants", "datasets.config", "transformers.dynamic_module_utils")
#: Parts that libraries import only when they are first used, which for a small model is half of all its memory.
PARTS = (
    "transformers:AutoModelForCausalLM",
    "transformers:AutoTokenizer",
    "transformers:LlamaForCausalLM",
    "transformers:BertModel",
    "transformers:PreTrainedTokenizerFast",
    "transformers:Trainer",
    "transformers:pipeline",
    "transformers.integrations.tensor_parallel:",
    "sklearn.linear_model:",
    "sklearn.feature_extraction.text:",
    "sklearn.pipeline:",
    "peft:LoraConfig",
    "accelerate:Accelerator",
)
MODULES = (*STACK, *KERNEL_MODULES, *NEEDED, *PARTS)


@dataclass
class _User:
    """How many orders a user may still give, as of the time `since`."""

    left: float = BURST
    since: float = field(default_factory=time.monotonic)

    def may_order(self) -> bool:
        now = time.monotonic()
        self.left = min(BURST, self.left + (now - self.since) / PAUSE)
        self.since = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Kernels:
    """A `daemon.Service`, once `MODULES` are imported: kernels for whoever asks, under their own account.

    Args:
        prefixes: how the names of accounts begin that get kernels; none for any ordinary user.
    """

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = prefixes
        self._users: dict[int, _User] = {}
        self._copies = environment.find_copies()

    def admit(self, uid: int, children: int) -> None:
        """Raises NotServed if the user gets no kernel now."""
        if not is_ordinary(uid):
            raise NotServed("this user gets no kernels here")
        if children >= MOST:
            raise NotServed(f"there are {MOST} kernels of this user already")
        if not self._users.setdefault(uid, _User()).may_order():
            raise NotServed("there were too many orders of this user in a short time")

    def run(self, line: socket.socket) -> NoReturn:
        """Become the client's kernel."""
        kernel.run(line, self._prefixes, self._copies)

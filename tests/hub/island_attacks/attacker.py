"""A student who means harm: what they type runs in their own kernel, with their own rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hub.seats import Seat

_HERE = Path(__file__).parent
_TOOLS = [_HERE.parent / "warm" / "inside" / "attacks.py", _HERE / "inside.py"]


class Attacker:
    """Sits at `seat`, whose server runs.

    Args:
        kernel: which of the lab's kernels they use.
    """

    def __init__(self, seat: Seat, kernel: str = "python3") -> None:
        self.seat, self.kernel = seat, seat.start_kernel(kernel)
        for tools in _TOOLS:
            said = seat.run(self.kernel, tools.read_text("utf-8"))
            assert said == "", said

    def gets(self, expression: str, patience: float = 90) -> Any:
        """The value of `expression`, or the kind of error that stopped it after "stopped by"."""
        said = self.seat.run(self.kernel, _TRY.format(expression=expression), patience=patience)
        lines = [line for line in said.splitlines() if line.startswith(_MARK)]
        assert lines, said
        return json.loads(lines[-1].removeprefix(_MARK))

    def is_stopped(self, expression: str) -> bool:
        """Whether Linux does not let them have `expression`."""
        got = self.gets(expression)
        return got in ("stopped by PermissionError", "stopped by OSError 1", "stopped by OSError 18")


_MARK = "@got "
_TRY = """
try:
    _got = ({expression})
except (OSError, ValueError) as _error:
    _got = "stopped by " + (type(_error).__name__ if type(_error) is not OSError else f"OSError {{_error.errno}}")
print("\\n@got " + __import__("json").dumps(_got, default=repr) + "\\n", end="", flush=True)
"""

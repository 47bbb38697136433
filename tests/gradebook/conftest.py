"""The command `ustod`, in this process: what it imports takes longer than what it does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from autograder.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command with arguments."""
    monkeypatch.delenv("USTOD_DEBUG", raising=False)

    def ustod(*arguments: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["ustod", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code if isinstance(ended.value.code, int) else int(bool(ended.value.code))
        return subprocess.CompletedProcess(sys.argv, code, said.out, said.err)

    return ustod

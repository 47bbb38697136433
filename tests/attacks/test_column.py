"""Many attacks on one grader, in processes of their own; a grader without a sandbox is shut in as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from attacks.column import results, throw_away, titled
from attacks.corpus import read_corpus
from attacks.graders import STOCK, USTOD
from attacks.watch import Canary, Listener


def inside(folder: Path, source: str) -> str:
    command = [*throw_away(folder), sys.executable, "-c", source]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class TestAThrowAwaySandbox:
    def test_lets_one_folder_be_written_to(self, tmp_path: Path) -> None:
        open_, shut = tmp_path / "open", tmp_path / "shut"
        open_.mkdir()
        shut.mkdir()
        source = f"import os\nfor folder in {[str(open_), str(shut)]}: print(os.access(folder, os.W_OK))"
        assert inside(open_, source).split() == ["True", "False"]

    def test_has_a_loopback_of_its_own(self, tmp_path: Path) -> None:
        listener = Listener("secret")
        try:
            source = (
                "import socket\nwith socket.create_server(('127.0.0.1', 0)) as server:\n"
                "    socket.create_connection(server.getsockname()).close()\n"
                f"print(socket.socket().connect_ex(('127.0.0.1', {listener.port})) != 0)"
            )
            assert inside(tmp_path, source) == "True"
        finally:
            listener.close()

    def test_has_no_process_of_the_machines(self, tmp_path: Path) -> None:
        canary = Canary()
        try:
            source = f"import os\ntry: os.kill({canary.pid}, {signal.SIGKILL:d})\nexcept OSError: print('gone')"
            assert os.getpid() > 2 and inside(tmp_path, source) == "gone"
            assert canary.harm() == ""
        finally:
            canary.close()


def test_every_attack_has_a_title_of_its_own() -> None:
    assert [titled(attack.title) for attack in read_corpus()] == read_corpus()


@pytest.mark.slow
def test_each_result_is_told_with_its_attack() -> None:
    attacks = [titled("forge/grade"), titled("read/home"), titled("harm/writes_home")]
    stock, ustod = dict(results(attacks, STOCK)), dict(results(attacks, USTOD))
    assert [stock[attack].failed for attack in attacks] == [False] * 3
    assert stock[attacks[0]].points_forged > 0 and stock[attacks[1]].secrets_read == {"home"}
    assert [ustod[attack].failed for attack in attacks] == [True] * 3

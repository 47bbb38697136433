"""What a student saves takes the place of what was there when all of it is on the disk, and not before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from autograder.hub.contents import WholeFiles

MODEL = {"type": "file", "format": "text", "content": "нав\n"}


@pytest.fixture
def manager(tmp_path: Path) -> WholeFiles:
    return WholeFiles(root_dir=str(tmp_path))


def test_while_a_file_is_being_written_what_was_there_is_there(manager: WholeFiles, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("кӯҳна")
    with manager.atomic_writing(str(path)) as file:
        file.write("н")
        file.flush()
        assert path.read_text() == "кӯҳна"
        file.write("ав")
    assert path.read_text() == "нав"
    assert list(tmp_path.iterdir()) == [path]


def test_a_save_that_fails_changes_nothing(manager: WholeFiles, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("кӯҳна")
    with pytest.raises(ZeroDivisionError), manager.atomic_writing(str(path)) as file:
        file.write("н")
        raise ZeroDivisionError
    assert path.read_text() == "кӯҳна"
    assert list(tmp_path.iterdir()) == [path]


def test_a_saved_file_keeps_its_rights_and_a_link_stays_a_link(manager: WholeFiles, tmp_path: Path) -> None:
    path, link = tmp_path / "run.sh", tmp_path / "link.sh"
    path.write_text("кӯҳна")
    path.chmod(0o750)
    link.symlink_to("run.sh")
    asyncio.run(manager.save(dict(MODEL), "link.sh"))
    assert link.is_symlink()
    assert path.read_text() == "нав\n"
    assert path.stat().st_mode & 0o777 == 0o750


def test_a_new_file_is_its_owners_alone(manager: WholeFiles, tmp_path: Path) -> None:
    asyncio.run(manager.save(dict(MODEL), "new.txt"))
    assert (tmp_path / "new.txt").read_bytes() == "нав\n".encode()
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o600

"""Class lists that somebody has tampered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub.island_attacks.scene import HOMES, HUB, Scene
from hub.whole_lab import COURSE, FOLDER, INSTRUCTOR, ustod

from autograder.errors import UstodError
from autograder.hub.changes import add_students
from autograder.hub.lab import read_lab

pytestmark = pytest.mark.slow

FILES = [FOLDER / "lab.toml", FOLDER / "ml.csv", Path("/etc/passwd"), Path("/etc/group")]


@pytest.mark.parametrize(
    "person",
    [
        "../x",
        "a/b",
        "..",
        "-rf",
        '"x;reboot"',
        '"x\nroot"',
        "$(id)",
        "x y",
        "<script>",
        "s:0:0",
        "Ӣброҳим",
        "a" * 26,
        "grader-ml",
        "ustod-proxy",
        "lab\x01",
        "=1+1",
        INSTRUCTOR,
        "%2e%2e",
        "x\\y",
    ],
)
def test_no_class_list_makes_a_person_of_what_is_no_id(scene: Scene, person: str, tmp_path: Path) -> None:
    before = [path.read_bytes() for path in FILES]
    with pytest.raises(UstodError, match=r"cannot be an id|is an instructor"):
        add_students(read_lab(FOLDER / "lab.toml"), COURSE, written(tmp_path, person))
    assert [path.read_bytes() for path in FILES] == before


def test_a_class_list_that_is_refused_leaves_the_lab_as_it_is(scene: Scene, tmp_path: Path) -> None:
    before = [path.read_bytes() for path in FILES]
    with pytest.raises(AssertionError, match=r"cannot\s+be\s+an\s+id"):
        ustod("add-students", COURSE, written(tmp_path, "../x"))
    assert [path.read_bytes() for path in FILES] == before
    assert not (HOMES / "new7").exists()
    assert not [path for path in FILES[:2] if path.stat().st_mode & 0o007]


def written(folder: Path, person: str) -> Path:
    """A class list with somebody new, and `person`."""
    path = folder / "evil.csv"
    path.write_text(f"id;name\nnew7;Нав\n{person};Нав\n", "utf-8")
    return path


def test_a_name_on_a_class_list_is_only_a_name(scene: Scene, tmp_path: Path) -> None:
    script, formula = "<script>alert(1)</script>", '=HYPERLINK("http://evil.example")'
    roster = tmp_path / "odd.csv"
    roster.write_text(
        f"id;name;email\nroot;{script};x@y\nodd1;a:0:0:root:/root:/bin/sh;{script}\n"
        f"odd2;'{formula}';$(touch /tmp/ran)\n"
        "odd3;{{ 7*7 }}{% raw %}\u202e;`touch /tmp/ran`\n",
        "utf-8",
    )
    assert "4 students are new" in ustod("add-students", COURSE, roster)
    lines = [line.split(":") for line in Path("/etc/passwd").read_text("utf-8").splitlines()]
    assert [line[0] for line in lines if line[2] == "0"] == ["root"]
    assert all(len(line) == 7 for line in lines)
    added = {line[0]: int(line[2]) for line in lines if line[0] in ("lab-root", "lab-odd1", "lab-odd2", "lab-odd3")}
    assert len(added) == 4 and min(added.values()) >= 1000
    for page in (HUB / "slips").glob("*.html"):
        assert "<script>alert" not in page.read_text("utf-8")
    shown = scene.whole.instructor.ask("GET", "hub/people").text
    assert "odd1" in shown and "<script>alert" not in shown and "{{ 7*7 }}" in shown
    assert not Path("/tmp/ran").exists()

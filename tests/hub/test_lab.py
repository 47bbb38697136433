"""``lab.toml``: what it may say, and how a mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.errors import UstodError
from autograder.hub.changes import add_course, add_students
from autograder.hub.lab import Lab, read_lab

EXAMPLE = Path(__file__).parents[2] / "environments" / "jupyterhub" / "lab.toml"

TEXT = """# The lab of building 2.
name = "Лаборатория"

[limits]
memory = "2 GiB"  # enough for SmolLM2

[[instructors]]
id = "karimova"

[[courses]]
name = "ml"
instructors = ["karimova"]
roster = "ml.csv"
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "lab.toml").write_text(TEXT, "utf-8")
    (tmp_path / "ml.csv").write_text("id;name\ns1;Раҳимова Фирӯза\ns2;Ғафуров Далер\n", "utf-8-sig")
    return read_lab(tmp_path / "lab.toml")


def test_the_example_that_comes_with_the_project_is_a_lab() -> None:
    lab = read_lab(EXAMPLE)
    assert lab.address == "https://lab.local/"
    assert set(lab.people) == {"karimova", "s2301", "s2302", "s2303"}
    assert lab.people["s2302"].name == "Ғафуров Далер"


def test_sizes_are_bytes_and_the_rest_has_defaults(lab: Lab) -> None:
    assert lab.limits.memory == 2 << 30
    assert lab.storage.homes == Path("/srv/ustod/homes")
    assert lab.account("s1") == "lab-s1"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('memory = "2 GiB"', 'memmory = "2 GiB"', 5, "no such setting"),
        ('memory = "2 GiB"', 'memory = "much"', 5, "limits.memory"),
        ('memory = "2 GiB"', "memory = 5", 5, "write a size"),
        ('name = "ml"', 'name = "M L"', 11, "small Latin letters"),
        ('name = "ml"', 'name = "exchange"', 11, "the lab's own"),
        ('name = "ml"', 'name = "ml-"', 11, "small Latin letters"),
        ('instructors = ["karimova"]', "instructors = []", 12, "at least 1 item"),
        ('instructors = ["karimova"]', 'instructors = ["nobody"]', 1, "not among the instructors"),
        ('id = "karimova"', 'id = "../root"', 8, "instructors.0.id"),
        ("[limits]", "[limit]", 4, "no such setting"),
    ],
)
def test_a_mistake_is_told_with_its_line(lab: Lab, old: str, new: str, line: int, said: str) -> None:
    assert old in TEXT
    lab.path.write_text(TEXT.replace(old, new), "utf-8")
    with pytest.raises(UstodError, match=said) as raised:
        read_lab(lab.path)
    assert str(raised.value).startswith(f"Line {line} of {lab.path}: ")


def test_what_is_not_toml_is_told_with_its_line(lab: Lab) -> None:
    lab.path.write_text(TEXT.replace("[limits]", "[limits"), "utf-8")
    with pytest.raises(UstodError, match=r"is not TOML: .*line 4"):
        read_lab(lab.path)


def test_an_instructor_cannot_be_a_student_too(lab: Lab) -> None:
    (lab.path.parent / "ml.csv").write_text("id\nkarimova\n", "utf-8")
    with pytest.raises(UstodError, match="who is an instructor"):
        read_lab(lab.path)


class TestChanges:
    def test_a_course_is_added_and_what_people_wrote_stays(self, lab: Lab) -> None:
        changed = add_course(lab, "nlp", ["sharipov"], title="Забон", units=["u04"], language="tg")
        assert changed.course("nlp").units == ["u04"] and changed.course("nlp").instructors == ["sharipov"]
        assert [one.id for one in changed.instructors] == ["karimova", "sharipov"]
        text = lab.path.read_text("utf-8")
        assert "# The lab of building 2." in text and "# enough for SmolLM2" in text
        assert text.startswith(TEXT[:40])

    @pytest.mark.parametrize("name", ["ml", "exchange", "A", "../x"])
    def test_a_course_that_cannot_be_leaves_the_file_as_it_was(self, lab: Lab, name: str) -> None:
        with pytest.raises(UstodError):
            add_course(lab, name, ["karimova"], language=None)
        assert lab.path.read_text("utf-8") == TEXT
        assert sorted(path.name for path in lab.path.parent.iterdir()) == ["lab.toml", "ml.csv"]

    def test_students_are_added_to_those_who_are_there(self, lab: Lab, tmp_path: Path) -> None:
        more = tmp_path / "more.csv"
        more.write_text("id,name,email\ns2,Ғафуров Далер,d@example.org\ns3,Қодирова Ҷамила,\n", "utf-8")
        changed, new, gone = add_students(lab, "ml", more)
        assert (new, gone) == (1, 0)
        assert {one.id: one.email for one in changed.rosters["ml"]} == {"s1": "", "s2": "d@example.org", "s3": ""}

    def test_with_replace_the_others_are_taken_off(self, lab: Lab, tmp_path: Path) -> None:
        more = tmp_path / "more.csv"
        more.write_text("id\ns3\n", "utf-8")
        changed, new, gone = add_students(lab, "ml", more, replace=True)
        assert (new, gone, [one.id for one in changed.rosters["ml"]]) == (1, 2, ["s3"])

    def test_a_course_without_a_list_gets_one(self, lab: Lab, tmp_path: Path) -> None:
        more = tmp_path / "more.csv"
        more.write_text("id\ns9\n", "utf-8")
        changed, new, _ = add_students(add_course(lab, "nlp", ["karimova"], language=None), "nlp", more)
        assert new == 1 and changed.course("nlp").roster == Path("rosters/nlp.csv")
        assert read_lab(lab.path).people["s9"].id == "s9"

    def test_an_instructor_on_the_list_changes_nothing(self, lab: Lab, tmp_path: Path) -> None:
        more = tmp_path / "more.csv"
        more.write_text("id\nkarimova\n", "utf-8")
        with pytest.raises(UstodError, match="is an instructor"):
            add_students(lab, "ml", more)
        assert [one.id for one in read_lab(lab.path).rosters["ml"]] == ["s1", "s2"]

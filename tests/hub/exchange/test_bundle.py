"""A folder on its way: what goes in comes out, and nothing else can."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import UstodError
from autograder.hub.exchange import bundle
from autograder.hub.exchange.bundle import Listing, Reader, check_path, pack, unpack

NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), blacklist_characters="/\\"), min_size=1
)
SMALL = NAMES.filter(lambda name: name not in (".", "..") and len(name.encode()) < 60)
TREES = st.dictionaries(st.lists(SMALL, min_size=1, max_size=3).map("/".join), st.binary(max_size=2000), max_size=6)
LIMIT = 1 << 20


def is_tree(files: dict[str, bytes]) -> bool:
    return not any(other.startswith(f"{path}/") for path in files for other in files)


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def raw(files: list[object], content: bytes = b"") -> bytes:
    return json.dumps({"files": files}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" + content


def entry(path: object, data: bytes = b"") -> list[object]:
    return [path, len(data), hashlib.sha256(data).hexdigest()]


@given(files=TREES.filter(is_tree), step=st.integers(1, 700))
def test_any_tree_of_files_comes_out_as_it_went_in(files: dict[str, bytes], step: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        source, target = Path(temporary, "source"), Path(temporary, "target")
        source.mkdir(), target.mkdir()
        fill(source, files)
        packed = pack(source)
        sent = b"".join(packed.pieces())
        assert len(sent) == packed.size
        listing = unpack((sent[at : at + step] for at in range(0, len(sent), step)), target, LIMIT)
        assert files_of(target) == files
        assert listing.sha256 == packed.listing.sha256 == pack(target).listing.sha256


@given(files=TREES.filter(is_tree).filter(bool), data=st.data())
def test_one_changed_byte_is_noticed(files: dict[str, bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        fill(Path(temporary), files)
        packed = pack(Path(temporary))
        sent = bytearray(b"".join(packed.pieces()))
    sent[data.draw(st.integers(0, len(sent) - 1))] ^= data.draw(st.integers(1, 255))
    reader = Reader(LIMIT)
    try:
        reader.feed(bytes(sent))
        listing = reader.end()
    except UstodError:
        return
    assert listing.sha256 != packed.listing.sha256  # a name that is another name


ELSEWHERE = ["/etc/passwd", "../up", "a/../../up", "a//b", ".", "a/.", "", "a\\b"]
DECEIVING = ["a\nb", "a\x00b", "a\x7f", "evil\u202etxt.exe", "\ud800"]
LONG = ["я" * 200, "/".join("abcd" * 10), "a/" * 600 + "b"]


@pytest.mark.parametrize("path", [*ELSEWHERE, *DECEIVING, *LONG])
def test_names_that_lead_elsewhere_or_deceive_are_refused(path: str) -> None:
    with pytest.raises(UstodError):
        check_path(path)
    reader = Reader(LIMIT)
    with pytest.raises(UstodError):
        reader.feed(json.dumps({"files": [entry(path)]}, separators=(",", ":")).encode() + b"\n")


@pytest.mark.parametrize(
    "name", ["Дарси якум.ipynb", "ғӣқӯҳҷ/ҷадвал (1).csv", "نوشته\u200cها.txt", "a b+c.txt", ".hidden"]
)
def test_names_that_people_use_are_taken(name: str) -> None:
    check_path(name)


@pytest.mark.parametrize(
    "sent",
    [
        raw([entry("a"), entry("a")]),
        raw([entry("b"), entry("a")]),
        raw([entry("a"), entry("a/b")]),
        raw([["a", -1, "0" * 64]]),
        raw([["a", True, "0" * 64]]),
        raw([["a", 1.0, "0" * 64]]),
        raw([["a", 0, "0" * 63]]),
        raw([["a", 0, "0" * 64]]),
        raw([["a", 0, "0" * 64, "link"]]),
        raw([["a", "0", "0" * 64]]),
        raw([[["a"], 0, "0" * 64]]),
        raw([entry(1)]),
        b'{"files": []}\n',
        b'{"files":[],"link":"/etc"}\n',
        b"[]\n",
        b"null\n",
        b"[" * 100_000 + b"\n",
        b'{"files":[["a",' + b"9" * 5000 + b',"x"]]}\n',
        b"\x1f\x8b\x08 a gzip\n",
        b"\xff\xfe\n",
        raw([entry("a", b"one")], b"two"),
        raw([entry("a", b"one")], b"one and more"),
        b"x" * (bundle.LONGEST_LIST + 1),
        raw([entry(f"{number:05}") for number in range(bundle.MOST_FILES + 1)]),
    ],
)
def test_what_is_no_bundle_is_refused_in_a_sentence(sent: bytes) -> None:
    reader = Reader(LIMIT)
    with pytest.raises(UstodError) as refusal:
        reader.feed(sent)
        reader.end()
    assert len(str(refusal.value)) < 600


def test_a_list_that_promises_too_much_is_refused_before_the_bytes_come() -> None:
    with pytest.raises(UstodError, match="at most 1048576"):
        Reader(LIMIT).feed(raw([["big", 1 << 60, "0" * 64]]))


@pytest.mark.parametrize("cut", [0, 5, 90, -1])
def test_what_breaks_off_is_not_whole(cut: int) -> None:
    sent = raw([entry("a", b"one" * 50)], b"one" * 50)
    reader = Reader(LIMIT)
    reader.feed(sent[:cut])
    with pytest.raises(UstodError, match="broke off"):
        reader.end()


def test_links_and_what_is_no_file_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another's")
    for kind in ("file", "folder", "pipe"):
        folder = tmp_path / kind
        folder.mkdir()
        if kind == "pipe":
            os.mkfifo(folder / "x")
        else:
            (folder / "x").symlink_to(tmp_path / "secret" if kind == "file" else tmp_path)
        with pytest.raises(UstodError, match=r"is a link|is no file"):
            pack(folder)


def test_a_folder_over_the_limit_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(LIMIT + 1))
    with pytest.raises(UstodError, match="more than 1 MB"):
        pack(tmp_path, limit=LIMIT)


def test_the_hash_is_of_names_and_contents_alone() -> None:
    """Written out by hand, so that both ends, and any later version, agree."""
    line = b'{"files":[["a.txt",3,"' + hashlib.sha256(b"one").hexdigest().encode() + b'"]]}\n'
    assert Listing.read(line).sha256 == hashlib.sha256(line).hexdigest()

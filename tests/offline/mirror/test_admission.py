"""What may be published: looked at by its content, whatever it is called."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import pickletools
import random
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from autograder.offline.mirror.admission import NotAdmitted, admit, is_pickle, read_safetensors
from autograder.offline.mirror.names import Refused, Repository, check_file_name


def look(name: str, content: bytes, folder: Path, *, allowed: bool = False) -> None:
    path = folder / "sent"
    path.write_bytes(content)
    admit(name, path, pickle=allowed)


class Runs:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("run",))


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


PICKLES = {f"protocol {number}": pickle.dumps(Runs(), protocol=number) for number in range(6)}
HIDDEN = {
    "damaged after its call": b"cos\nsystem\n(S'true'\ntR and what follows is no pickle",
    "with its call far behind": b"(" + b"N0" * 40_000 + PICKLES["protocol 0"],
    "gzip": gzip.compress(PICKLES["protocol 4"], mtime=0),
    "zlib": zlib.compress(PICKLES["protocol 4"]),
    "bzip2": bz2.compress(PICKLES["protocol 4"]),
    "xz": lzma.compress(PICKLES["protocol 4"]),
    "zip": zipped({"archive/data.pkl": PICKLES["protocol 2"]}),
    "zip with another name": zipped({"archive/weights": PICKLES["protocol 2"]}),
    "damaged zip": zipped({"a": b"b"})[:-10],
}
WEIGHTS = save({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(3, np.int64)})


@pytest.mark.parametrize("kind", [*PICKLES, *HIDDEN])
def test_a_pickle_is_not_taken_under_any_name(kind: str, tmp_path: Path) -> None:
    content = {**PICKLES, **HIDDEN}[kind]
    for name in ("model.bin", "notes.txt", "weights", "data.json"):
        with pytest.raises(NotAdmitted, match=f"{name} is or may be a pickle"):
            look(name, content, tmp_path)
        look(name, content, tmp_path, allowed=True)


@pytest.mark.parametrize("name", ["a.bin", "A.PT", "x/b.pkl", "c.ckpt", "d.joblib", "e.pth"])
def test_names_under_which_programs_look_for_pickles_are_not_taken(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotAdmitted):
        look(name, b"harmless", tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "# Салом\n(dp0 is no pickle)\n".encode()),
        ("a.csv", b"(1,2)\n(3,4)\n"),
        ("cc.txt", b"cos\nsin\ntan\nare functions, c is a letter"),
        ("merges.txt", b"c a\nI am\nF G\n"),
        ("table.xlsx", zipped({"xl/workbook.xml": b"<x/>"})),
        ("a.npz", zipped({"x.npy": b"\x93NUMPY"})),
        ("empty", b""),
        ("data.json", b"{}"),
        ("log.gz", gzip.compress(b"plain text", mtime=0)),
        ("model.safetensors", WEIGHTS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ordinary_files_are_taken(name: str, content: bytes, tmp_path: Path) -> None:
    look(name, content, tmp_path)


@given(st.one_of(st.binary(max_size=3000), st.text(max_size=1000).map(str.encode)), st.sampled_from("(]}cIX\x8c"))
def test_hardly_anything_else_is_taken_for_a_pickle(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, first: str
) -> None:
    content = first.encode("latin-1") + data
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    if is_pickle(content, path):
        names = [instruction.name for instruction, _, _ in some(pickletools.genops(content))]
        assert {"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"} & set(names)


def some(instructions):
    """As many of `instructions` as there are before the first that is none."""
    try:
        yield from instructions
    except Exception:
        return


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_noise_is_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    for seed in range(2000):
        content = random.Random(seed).randbytes(5000)
        if content[:1] != b"\x80":
            path.write_bytes(content)
            assert not is_pickle(content, path), seed


def packed(header: object, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "data", "why"),
    [
        ({"a": ONE}, b"\0" * 7, "tensors have 8 bytes, and 7 follow"),
        ({"a": ONE}, b"\0" * 9, "tensors have 8 bytes, and 9 follow"),
        ({"a": ONE, "b": {**ONE, "data_offsets": [4, 12]}}, b"\0" * 12, "shares bytes"),
        ({"a": ONE, "b": {**ONE, "data_offsets": [9, 17]}}, b"\0" * 17, "does not follow"),
        ({"a": {**ONE, "shape": [3]}}, b"\0" * 8, "not as many bytes"),
        ({"a": {**ONE, "shape": [-2]}}, b"\0" * 8, "not described"),
        ({"a": {**ONE, "dtype": "OBJECT"}}, b"\0" * 8, "not described"),
        ({"a": {**ONE, "shape": [True, 2]}}, b"\0" * 8, "not described"),
        ({"a": [1]}, b"\0" * 8, "not described"),
        ([1], b"", "no list of tensors"),
        (b"{" * 100_000, b"", "cannot be read"),
        (b"[" * 100_000, b"", "cannot be read"),
        (b'{"a": 1, "a": 2}', b"", "twice"),
        ({"__metadata__": {"a": 1}}, b"", "not of texts"),
        (b"\xff\xfe", b"", "cannot be read"),
    ],
)
def test_a_safetensors_file_must_be_what_its_header_says(header: object, data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotAdmitted, match=why):
        look("model.safetensors", packed(header, data), tmp_path)


@given(st.integers(0, len(WEIGHTS) - 1))
def test_a_safetensors_file_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(NotAdmitted):
        read_safetensors(io.BytesIO(WEIGHTS[:length]))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(content: bytes) -> None:
    with pytest.raises(NotAdmitted):
        read_safetensors(io.BytesIO(b"\1" + content))


def test_a_gguf_file_must_be_what_its_header_says(tmp_path: Path) -> None:
    look("m.gguf", b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + b"\0" * 64, tmp_path)
    for head in (b"GGUF", b"GGML" + b"\0" * 60, b"GGUF" + struct.pack("<IQQ", 3, 1 << 40, 1), b"GGUF" + b"\xff" * 30):
        with pytest.raises(NotAdmitted, match="no whole GGUF"):
            look("m.gguf", head, tmp_path)


BAD_NAMES = ["../a", "a/../b", "/a", "a//b", "a/", "", ".", "a/./b", "C:/x", "a\\b", "a\nb", ".git/config", "a/.git/b"]


@pytest.mark.parametrize("name", [*BAD_NAMES, "a" * 256, "\u202egnp.exe", "a /b"])
def test_a_file_s_name_stays_in_its_folder(name: str) -> None:
    with pytest.raises(Refused):
        check_file_name(name)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=6))
def test_a_name_that_is_taken_leads_nowhere_else(parts: list[str]) -> None:
    name = "/".join(parts)
    try:
        check_file_name(name)
    except Refused:
        return
    inside = Path("/store") / name
    assert inside.resolve().is_relative_to("/store") and inside != Path("/store") and "\0" not in name


@pytest.mark.parametrize(
    "name", ["../x", "a/b/c", "a--b", "x.git", "-a", "a/-b", "", "datasets/x", "api", "a/resolve", "ё"]
)
def test_a_repository_s_name_is_a_folder_s(name: str) -> None:
    with pytest.raises(Refused):
        Repository.checked("model", name)


@pytest.mark.parametrize("name", ["gpt2", "org/name", "HuggingFaceTB/SmolLM2-135M-Instruct", "a/b.c_d"])
def test_a_repository_is_found_again_by_its_folder(name: str) -> None:
    for kind in ("model", "dataset"):
        repository = Repository.checked(kind, name)
        assert Repository.of_slug(repository.slug) == repository

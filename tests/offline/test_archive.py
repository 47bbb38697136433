"""Reading wheels, npm tarballs and Debian packages, whole and damaged."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import UstodError
from autograder.offline.archive import Archive, ar_members, deb_control

CONTENT = {"usr/lib/a.txt": "салом".encode(), "usr/lib/empty": b"", "usr/share/b.bin": bytes(range(256)) * 300}
KINDS = ["wheel", "npm", "deb"]


def packed(pack, kind: str) -> tuple[Path, str]:
    return getattr(pack, kind)("thing", "1.0", CONTENT), "package/" if kind == "npm" else ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_packed_comes_out(pack, tmp_path: Path, kind: str) -> None:
    path, prefix = packed(pack, kind)
    with Archive(path) as archive:
        for name, content in CONTENT.items():
            assert archive.read(prefix + name) == content
        archive.copy(f"{prefix}usr/share/b.bin", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT["usr/share/b.bin"]


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_find_members_in_order(pack, kind: str) -> None:
    path, prefix = packed(pack, kind)
    with Archive(path) as archive:
        assert archive.match(f"{prefix}usr/lib/*") == [f"{prefix}usr/lib/a.txt", f"{prefix}usr/lib/empty"]
        with pytest.raises(UstodError, match=r"holds no file \*\.mo"):
            archive.match("*.mo")


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_cut_short_is_refused(pack, kind: str) -> None:
    path, prefix = packed(pack, kind)
    whole = path.read_bytes()
    for keep in (0, 1, 10, 70, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:keep])
        with pytest.raises(UstodError, match="is damaged"), Archive(path) as archive:
            archive.read(f"{prefix}usr/share/b.bin")


def test_a_flipped_byte_in_a_wheel_is_noticed(pack) -> None:
    path, _ = packed(pack, "wheel")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"b.bin") + 30] ^= 0xFF
    path.write_bytes(raw)
    with Archive(path) as archive, pytest.raises(UstodError, match="is damaged"):
        archive.read("usr/share/b.bin")


def test_a_debian_package_says_its_name_and_version(pack) -> None:
    path = pack.deb("thing", "4:7.4.7-1+deb12u14", {"a": b"a"})
    assert deb_control(path)["Package"] == "thing"
    assert deb_control(path)["Version"] == "4:7.4.7-1+deb12u14"
    assert "Description" in deb_control(path)


def test_what_is_no_debian_package_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"<html>Log in to the campus network</html>")
    with pytest.raises(UstodError, match=r"x\.deb is damaged \(not an ar archive\)"):
        deb_control(path)


names = st.text("abcdefghijklmnop.-", min_size=1, max_size=15)


@given(st.dictionaries(names, st.binary(max_size=50), max_size=5))
def test_ar_members_lie_where_they_are_said_to(members: dict[str, bytes]) -> None:
    raw = b"!<arch>\n"
    for name, content in members.items():
        raw += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        raw += content + b"\n" * (len(content) % 2)
    found = {name: raw[start : start + size] for name, start, size in ar_members(io.BytesIO(raw))}
    assert found == members


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_an_ar_archive(raw: bytes) -> None:
    for candidate in (raw, b"!<arch>\n" + raw):
        try:
            members = list(ar_members(io.BytesIO(candidate)))
        except ValueError:
            continue
        assert all(start + size <= len(candidate) for _, start, size in members)

"""A lab's backup: whole or not at all, also of a lab at work, and put back as it was."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zlib
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hub.small import declare, small_lab
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import wait_for

from autograder.errors import UstodError
from autograder.hub import packing
from autograder.hub.archive import MANIFEST, Manifest
from autograder.hub.backup import backup, is_due, last_backup, make, nightly, verify_backup
from autograder.hub.lab import Lab
from autograder.hub.restore import restore
from autograder.hub.supervisor import on_record

NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
ROOT = os.geteuid() == 0


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return small_lab(tmp_path)


def names_in(file: Path) -> set[str]:
    with tarfile.open(file, errors="surrogateescape") as tar:
        return set(tar.getnames())


def grades(database: Path) -> list[tuple[str, float]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("select * from grade").fetchall()


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything in `folder`: kind, rights, time and content of each file."""
    found: dict[str, tuple[object, ...]] = {}
    for top, inner, files in os.walk(folder):
        for name in (*inner, *files):
            path = os.path.join(top, name)
            about = os.lstat(path)
            content: object = None
            if os.path.islink(path):
                content, mode, when = os.readlink(path), None, None
            else:
                mode, when = about.st_mode & 0o777, about.st_mtime_ns
                content = None if os.path.isdir(path) else Path(path).read_bytes()
            found[os.path.relpath(path, folder)] = (about.st_mode >> 12, mode, when, content)
    return found


# --- what is in it


def test_one_file_holds_what_the_lab_cannot_do_without(lab: Lab) -> None:
    file = backup(lab, now=NOW)
    assert file == lab.backup.folder / "ustod-lab-1-20261124T023000Z.tar.gz"
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert names_in(file) >= {
        "hub/jupyterhub.sqlite",
        "hub/secrets.json",
        "courses/ml/gradebook.db",
        "courses/ml/source/ps1/ps1.ipynb",
        "exchange/ml/s1/ps1.zip",
        "homes/s1/work/ps1.ipynb",
        "lab/lab.toml",
        "lab/lists/ml.csv",
        MANIFEST,
    }
    assert not [name for name in names_in(file) if "logs" in name or "incoming" in name]
    manifest = verify_backup(file)
    assert manifest.files["exchange/ml/s1/ps1.zip"] == hashlib.sha256(b"handed in").hexdigest()
    assert not manifest.torn and not manifest.passed_over


def test_homes_are_in_it_only_if_asked_for(tmp_path: Path) -> None:
    assert not [name for name in names_in(backup(small_lab(tmp_path, homes=False))) if name.startswith("homes")]


def test_class_lists_and_certificates_that_stand_elsewhere_are_in_it(tmp_path: Path) -> None:
    lab = small_lab(tmp_path)
    elsewhere = tmp_path / "dean" / "students.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text("id\ns2\n")
    lab.path.write_text(lab.path.read_text().replace("lists/ml.csv", str(elsewhere)))
    from autograder.hub.lab import read_lab

    file = backup(read_lab(lab.path))
    assert f"elsewhere{elsewhere}" in names_in(file)
    elsewhere.unlink()
    restore(file, lab.path)
    assert elsewhere.read_text() == "id\ns2\n"


def test_links_of_students_are_never_followed_and_odd_files_passed_over(lab: Lab, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the answers of the exam")
    home = lab.storage.homes / "s1"
    (home / "answers").symlink_to(secret)
    (home / "everything").symlink_to(tmp_path)
    (lab.storage.courses / "ml" / "out").symlink_to(secret)
    (lab.storage.courses / "ml" / "within").symlink_to("source/ps1")
    os.mkfifo(home / "pipe\nwith a line")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(home)  # a socket's path has at most a hundred letters
        listener.bind("socket")
        os.chdir("/")
        made = make(lab)
    with tarfile.open(made.path) as tar:
        assert tar.getmember("homes/s1/answers").linkname == str(secret)
        assert tar.getmember("courses/ml/within").linkname == "source/ps1"
        assert not any(b"answers of the exam" in tar.extractfile(m).read() for m in tar if m.isreg())  # type: ignore[union-attr]
    assert len(made.manifest.passed_over) == made.manifest.passed_over_count == 3
    assert any(line.startswith("homes/s1/pipe\\nwith a line: ") for line in made.manifest.passed_over)


def test_a_folder_that_becomes_a_link_is_not_followed(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student swaps a folder for a link between the look and the step."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "answers").write_text("the answers of the exam")
    work, stat = lab.storage.homes / "s1" / "work", os.stat

    def look(path: str, **options: object) -> os.stat_result:
        status = stat(path, **options)  # type: ignore[arg-type]
        if path == "work" and not work.is_symlink():
            shutil.rmtree(work)
            work.symlink_to(tmp_path / "secret")
        return status

    monkeypatch.setattr(packing.os, "stat", look)
    file = backup(lab)
    monkeypatch.undo()
    assert not [name for name in names_in(file) if name.startswith("homes/s1/work/")]


def test_mischief_in_a_home_stops_no_backup(lab: Lab) -> None:
    home = lab.storage.homes / "s1"
    os.chdir(home)
    try:
        for _ in range(200):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
    finally:
        os.chdir("/")
    with open(home / "holes", "wb") as file:
        file.truncate(1 << 40)
    with open(home / "small holes", "wb") as file:
        file.truncate(1 << 30)
    (home / ".cache" / "pip").mkdir(parents=True)
    (home / ".cache" / "pip" / "wheel").write_text("can be had again")
    start = time.monotonic()
    made = make(lab)
    assert time.monotonic() - start < 20
    assert made.path.stat().st_size < 1 << 20
    assert made.manifest.passed_over_count == 3
    assert not [name for name in names_in(made.path) if "wheel" in name]
    restore(made.path, lab.path)
    subprocess.run(["rm", "-rf", str(home), *map(str, lab.storage.root.glob("homes*"))], check=True)


# --- round trip

NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: not set(b"/\0") & set(name) and name not in (b".", b"..")
)
FILES = st.tuples(st.binary(max_size=300), st.sampled_from([0o600, 0o644, 0o755, 0o400, 0o000]))
TREES = st.recursive(
    FILES | NAMES.map(lambda target: b"/" + target),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def grow(folder: bytes, content: object) -> None:
    match content:
        case dict():
            os.makedirs(folder, exist_ok=True)
            for name, inner in content.items():
                grow(folder + b"/" + name, inner)
        case bytes():
            os.symlink(content, folder)
        case (bytes() as data, int() as mode):
            with open(folder, "wb") as file:
                file.write(data)
            os.chmod(folder, mode)


def age(folder: Path) -> None:
    """Give everything in `folder` a time that can be written as a fraction."""
    for top, _, files in os.walk(folder, topdown=False):
        for name in (*files, "."):
            os.utime(os.path.join(top, name), (1, 1_700_000_000.125), follow_symlinks=name == ".")


@settings(max_examples=30)
@given(content=st.dictionaries(NAMES, TREES, max_size=5))
def test_whatever_a_home_holds_comes_back_as_it_was(content: dict[bytes, object]) -> None:
    with tempfile.TemporaryDirectory() as place:
        lab = small_lab(Path(place))
        grow(os.fsencode(lab.storage.homes / "s1" / "work"), content)
        shutil.rmtree(lab.storage.exchange / "incoming")  # what is not yet handed in is left out
        age(lab.storage.root)
        before = {name: tree(lab.storage.root / name) for name in ("courses", "exchange", "homes")}
        file = backup(lab)
        shutil.rmtree(lab.storage.root)
        shutil.rmtree(lab.path.parent)
        restored = restore(file, lab.path)
        assert {name: tree(lab.storage.root / name) for name in before} == before
        assert restored.lab.model_dump() == lab.model_dump() and not restored.kept
        assert declare(Path(place)).rosters == lab.rosters


# --- a lab at work

WRITER = """
import sqlite3, sys, itertools, time
database = sqlite3.connect(sys.argv[1], timeout=60)
database.execute(f"pragma journal_mode = {sys.argv[2]}")
with database:
    database.execute("create table paid (n integer)")
    database.execute("create table got (n integer, filler blob)")
print("ready", flush=True)
for n in itertools.count():
    with database:
        database.execute("insert into paid values (?)", (n,))
        database.execute("insert into got values (?, randomblob(20000))", (n,))
    time.sleep(0.01)
    if n % 100 == 99:
        with database:
            database.execute("delete from paid")
            database.execute("delete from got")
"""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_that_is_written_to_is_copied_as_of_one_moment(lab: Lab, mode: str) -> None:
    path = lab.storage.hub / "jupyterhub.sqlite"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), mode], stdout=subprocess.PIPE, text=True)
    with writer:
        assert writer.stdout and writer.stdout.readline() == "ready\n"
        files = []
        for _ in range(5):
            files.append(backup(lab))
            time.sleep(random.random() / 5)
        assert writer.poll() is None
        writer.kill()
    for file in files:
        assert not [name for name in names_in(file) if name.endswith(("-wal", "-shm", "-journal"))]
        restore(file, lab.path)
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
            paid = database.execute("select n from paid order by n").fetchall()
            assert paid == database.execute("select n from got order by n").fetchall()


def test_a_damaged_database_is_in_it_as_it_is_and_that_is_told(lab: Lab) -> None:
    gradebook = lab.storage.courses / "ml" / "gradebook.db"
    gradebook.write_bytes(b"SQLite format 3\0" + bytes(5000))
    made = make(lab)
    assert made.manifest.passed_over[0].startswith("courses/ml/gradebook.db: it is copied as a file, since SQLite says")
    with tarfile.open(made.path) as tar:
        assert tar.extractfile("courses/ml/gradebook.db").read() == gradebook.read_bytes()  # type: ignore[union-attr]


def test_a_file_that_shrinks_grows_or_vanishes_meanwhile_stops_no_backup(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "SMALL", 1000)
    home = lab.storage.homes / "s1"
    for name in ("shrinks", "vanishes", "grows"):
        (home / name).write_bytes(os.urandom(300_000))
    (home / "vanishes").unlink()
    (home / "vanishes").symlink_to("/")  # listed, and gone when it is opened
    read, stat = packing._Exactly.read, os.stat

    def look(path: str, **options: object) -> os.stat_result:
        if path == "vanishes":
            (home / "vanishes").unlink(missing_ok=True)
        return stat(path, **options)  # type: ignore[arg-type]

    def change(self: packing._Exactly, size: int = -1) -> bytes:
        content, path = read(self, size), os.readlink(f"/proc/self/fd/{self._file.fileno()}")
        if path.endswith("shrinks"):
            os.truncate(path, 10)
        elif path.endswith("grows"):
            with open(path, "ab") as file:
                file.write(b"more")
        return content

    monkeypatch.setattr(packing.os, "stat", look)
    monkeypatch.setattr(packing._Exactly, "read", change)
    made = make(lab)
    assert sorted(made.manifest.torn) == ["homes/s1/grows", "homes/s1/shrinks"]
    assert "homes/s1/vanishes" not in made.manifest.files
    assert verify_backup(made.path) == made.manifest


# --- whole or not at all

LOOP = """
import sys
from pathlib import Path
from autograder.hub.backup import backup
from autograder.hub.lab import read_lab
lab = read_lab(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    backup(lab)
"""


def test_killed_at_any_moment_it_leaves_no_file_that_is_not_whole(tmp_path: Path) -> None:
    lab = small_lab(tmp_path, keep=3)
    (lab.storage.homes / "s1" / "noise").write_bytes(os.urandom(1 << 20))
    stick = tmp_path / "stick"
    for _ in range(8):
        before = len(list(stick.glob("ustod-*")))
        process = subprocess.Popen([sys.executable, "-c", LOOP, str(lab.path)], stdout=subprocess.PIPE, text=True)
        with process:
            assert process.stdout and process.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0, 0.4))
            process.kill()
        whole = list(stick.glob("ustod-*"))
        assert min(before, 3) <= len(whole) <= 4
        for file in whole:
            verify_backup(file)
    backup(lab)
    assert not list(stick.glob(".*"))
    assert len(list(stick.glob("ustod-*"))) == 3


def run_on_small_disk(lab: Lab, script: str) -> str:
    """What `script` prints with a disk of 400 kB in place of the folder for backups, which holds `old` already."""
    folder = lab.backup.folder
    mounts = f"mount -t tmpfs -o size=400k small '{folder}' && echo old > '{folder}/old'"
    program = f"""
import sys
from pathlib import Path
from autograder.errors import UstodError
from autograder.hub.backup import backup
from autograder.hub.lab import read_lab
lab = read_lab(Path({str(lab.path)!r}))
{script}
print(*sorted(path.name for path in lab.backup.folder.iterdir()))
"""
    command = [
        "unshare",
        "-m" if ROOT else "-rm",
        "sh",
        "-c",
        f'{mounts} && exec "$0" -c "$1"',
        sys.executable,
        program,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


TRY = "try:\n    backup(lab)\nexcept UstodError as error:\n    print(error)"


def test_on_a_full_stick_nothing_is_left_of_it(lab: Lab) -> None:
    (lab.storage.homes / "s1" / "noise").write_bytes(os.urandom(1 << 20))
    said, left = run_on_small_disk(lab, TRY).splitlines()
    assert said.endswith(
        f"the disk that holds {lab.backup.folder} is full; make room there, or choose a smaller number to keep."
    )
    assert left == "old"


def test_a_stick_that_holds_it_takes_it(lab: Lab) -> None:
    assert "tar.gz" in run_on_small_disk(lab, TRY)


def test_when_the_stick_is_pulled_out_that_is_told(lab: Lab) -> None:
    (lab.storage.homes / "s1" / "noise").write_bytes(os.urandom(8 << 20))
    folder = lab.backup.folder
    assert folder

    def pull() -> None:
        wait_for(lambda: list(folder.glob(".ustod-*")))
        shutil.rmtree(folder)

    thread = threading.Thread(target=pull)
    thread.start()
    with pytest.raises(UstodError, match=r"was not made: the disk that holds .* has gone"):
        backup(lab)
    thread.join()
    with pytest.raises(UstodError, match="is not there; make it, or plug in"):
        backup(lab)


def test_the_newest_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    lab = small_lab(tmp_path, keep=2)
    stick = tmp_path / "stick"
    others = {stick / "photo.jpg", stick / "ustod-other-20200101T000000Z.tar.gz"}
    for path in others:
        path.write_text("somebody's")
    files = [backup(lab, now=NOW + timedelta(days=day)) for day in range(4)]
    assert set(stick.iterdir()) == others | set(files[2:])
    assert last_backup(lab, NOW + timedelta(days=9)) == (NOW + timedelta(days=3), files[3])
    same = backup(lab, now=NOW + timedelta(days=3))
    assert same != files[3] and files[3].exists()


def test_backups_of_a_wrong_clock_go_first(tmp_path: Path) -> None:
    lab = small_lab(tmp_path, keep=2)
    future, past, now = (backup(lab, now=NOW.replace(year=year)) for year in (2099, 2025, 2026))
    assert (future.exists(), past.exists(), now.exists()) == (False, True, True)


def test_if_it_cannot_be_read_back_the_older_ones_stay(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    old = backup(lab, now=NOW)

    fsync = os.fsync

    def bad_disk(descriptor: int) -> None:
        fsync(descriptor)
        os.pwrite(os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY), b"nonsense", 200)

    monkeypatch.setattr(os, "fsync", bad_disk)
    with pytest.raises(UstodError, match="does not give back what was written"):
        backup(lab, now=NOW + timedelta(days=1))
    assert [path for path in lab.backup.folder.iterdir()] == [old]  # type: ignore[union-attr]


def test_it_is_not_put_into_what_it_is_of(lab: Lab) -> None:
    with pytest.raises(UstodError, match="itself in what is backed up"):
        backup(lab, lab.storage.hub)


# --- when it is due


@given(
    now=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),
    age=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3)),
    at=st.times(),
)
def test_a_backup_is_due_once_for_every_time_that_the_clock_shows(now: datetime, age: timedelta, at: object) -> None:
    zone = timezone(timedelta(hours=5))
    here, at_text = now.replace(tzinfo=zone), f"{at:%H:%M}"
    last = here - age
    moments = [
        (here - timedelta(days=days)).replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)  # type: ignore[attr-defined]
        for days in range(5)
    ]
    assert is_due(at_text, last.astimezone(UTC), here) == any(last < moment <= here for moment in moments)


def test_a_first_backup_is_due_and_one_of_the_future_does_not_count(lab: Lab) -> None:
    assert is_due("02:30", None, NOW)
    assert is_due("02:30", NOW + timedelta(days=900), NOW)
    assert nightly(lab, NOW)
    assert not nightly(lab, NOW, tried=NOW - timedelta(minutes=50))
    backup(lab, now=NOW)
    assert not nightly(lab, NOW + timedelta(hours=23))
    assert nightly(lab, NOW + timedelta(hours=25))


# --- what is not to be trusted


def forge(file: Path, members: list[tuple[tarfile.TarInfo, bytes]], manifest: Manifest | None = None) -> Path:
    made = manifest or Manifest("Lab", NOW.isoformat())
    with tarfile.open(file, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for about, content in members:
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
            if about.isreg() and manifest is None:
                made.files[about.name] = hashlib.sha256(content).hexdigest()
        text = json.dumps({"format": 1, **vars(made)}).encode()
        about = tarfile.TarInfo(MANIFEST)
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text))
    return file


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname, about.mode = kind, link, 0o4755
    return about


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.DIRTYPE), b""


HOSTILE = {
    "a path upwards": [folder("hub"), (member("hub/../../evil"), b"x")],
    "a folder upwards": [folder("hub"), folder("hub/.."), (member("hub/../evil"), b"x")],
    "an absolute path": [(member("/tmp/evil"), b"x")],
    "a file through a link": [
        folder("homes"),
        (member("homes/a", tarfile.SYMTYPE, "/tmp"), b""),
        (member("homes/a/evil"), b"x"),
    ],
    "a folder in place of a link": [
        folder("homes"),
        (member("homes/a", tarfile.SYMTYPE, "/tmp"), b""),
        folder("homes/a"),
    ],
    "a link out of a course": [folder("courses"), (member("courses/a", tarfile.SYMTYPE, "../../etc"), b"")],
    "an absolute link in the hub's folder": [folder("hub"), (member("hub/a", tarfile.SYMTYPE, "/etc/shadow"), b"")],
    "a hard link": [folder("homes"), (member("homes/a", tarfile.LNKTYPE, "/etc/shadow"), b"")],
    "a device": [folder("homes"), (member("homes/sda", tarfile.BLKTYPE), b"")],
    "a pipe": [folder("homes"), (member("homes/pipe", tarfile.FIFOTYPE), b"")],
    "a tree that is none of a lab's": [folder("boot"), (member("boot/vmlinuz"), b"x")],
    "the same name twice": [folder("hub"), (member("hub/a"), b"x"), (member("hub/a"), b"y")],
    "a tree that is a link": [(member("hub", tarfile.SYMTYPE, "/etc"), b"")],
    "a bare file": [(member("hub"), b"x")],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_archive_made_to_harm_is_refused_and_nothing_changes(lab: Lab, tmp_path: Path, what: str) -> None:
    settings = [folder("lab"), (member("lab/lab.toml"), lab.path.read_bytes())]
    file = forge(tmp_path / "forged.tar.gz", settings + HOSTILE[what])
    before = tree(tmp_path)
    with pytest.raises(UstodError, match="not to be trusted"):
        restore(file, lab.path)
    assert tree(tmp_path) == before


def test_files_beside_lab_toml_are_not_replaced_and_no_right_is_gained(lab: Lab, tmp_path: Path) -> None:
    hostile = [folder("lab/.ssh"), (member("lab/.ssh/authorized_keys"), b"x"), (member("lab/bashrc"), b"x")]
    programs = [folder("homes"), (member("homes/tool"), b"#!/bin/sh")]
    table = tmp_path / "cron.d" / "lab"
    text = lab.path.read_text().replace("lists/ml.csv", str(table))
    settings = [folder("lab"), (member("lab/lab.toml"), text.encode()), *hostile, *programs]
    above = [folder(f"elsewhere{parent}".rstrip("/")) for parent in reversed(table.parents)]
    elsewhere = [*above, (member(f"elsewhere{table}"), b"* * * * * root evil")]
    file = forge(tmp_path / "forged.tar.gz", [*settings, *elsewhere])
    restore(file, lab.path)
    assert {path.name for path in lab.path.parent.iterdir() if ".before-" not in path.name} == {"lab.toml", "lists"}
    assert not table.exists()
    assert os.stat(lab.storage.homes / "tool").st_mode & 0o7000 == 0


def is_same(damaged: bytes, whole: bytes) -> bool:
    """Whether nothing but compression differs."""
    try:
        return gzip.decompress(damaged) == gzip.decompress(whole)
    except (OSError, EOFError, zlib.error):
        return False


def test_every_damage_is_noticed(lab: Lab, tmp_path: Path) -> None:
    whole = backup(lab).read_bytes()
    file = tmp_path / "damaged.tar.gz"
    chance = random.Random(1)
    damages = [whole[:length] for length in (0, 1, 100, len(whole) // 2, len(whole) - 1)]
    for _ in range(60):
        place = chance.randrange(10, len(whole))
        damages.append(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
    for damaged in damages:
        file.write_bytes(damaged)
        if is_same(damaged, whole):
            continue  # a bit that fills up the last byte
        with pytest.raises(UstodError, match="use another one"):
            verify_backup(file)


def test_a_file_that_is_not_as_the_manifest_says_is_noticed(lab: Lab, tmp_path: Path) -> None:
    with gzip.open(backup(lab)) as plain:
        content = plain.read().replace(b"handed in", b"handed IN")
    file = tmp_path / "changed.tar.gz"
    file.write_bytes(gzip.compress(content))
    with pytest.raises(UstodError, match=r"exchange/ml/s1/ps1\.zip is not as the manifest says"):
        verify_backup(file)
    (tmp_path / "text").write_text("no backup")
    for wrong in (tmp_path / "text", tmp_path / "nothing", tmp_path):
        with pytest.raises(UstodError, match="backup"):
            verify_backup(wrong)


# --- putting it back


def test_what_was_there_is_kept_beside(lab: Lab) -> None:
    file = backup(lab)
    gradebook = lab.storage.courses / "ml" / "gradebook.db"
    with closing(sqlite3.connect(gradebook)) as database, database:
        database.execute("update grade set score = 0")
    (lab.storage.homes / "s1" / "new").write_text("written after the backup")
    lab.path.write_text(lab.path.read_text() + "# changed")
    restored = restore(file, lab.path, now=NOW)
    assert grades(gradebook) == [("s1", 7.5)]
    assert not (lab.storage.homes / "s1" / "new").exists()
    assert "# changed" not in lab.path.read_text()
    kept = {path.name.partition(".before-")[0]: path for path in restored.kept}
    assert kept.keys() == {"hub", "courses", "exchange", "homes", "lab.toml", "ml.csv"}
    assert grades(kept["courses"] / "ml" / "gradebook.db") == [("s1", 0.0)]
    assert (kept["homes"] / "s1" / "new").read_text() == "written after the backup"
    assert kept["lab.toml"].name == "lab.toml.before-20261124T023000Z"
    assert not [path for path in lab.storage.root.iterdir() if path.name.startswith(".")]


def test_it_is_refused_while_the_lab_is_up(lab: Lab) -> None:
    file = backup(lab)
    lab.storage.run.mkdir()
    before = tree(lab.storage.root)
    with (
        on_record(lab),
        pytest.raises(UstodError, match=rf"The lab is up \(process {os.getpid()}\); stop it with ustod hub down"),
    ):
        restore(file, lab.path)
    assert tree(lab.storage.root) == before
    (lab.storage.run / "supervisor.pid").write_text(f"{os.getpid()} 1.00")
    restore(file, lab.path)  # the pid file of one that was killed is no obstacle


def test_it_is_refused_where_there_is_no_room(lab: Lab, tmp_path: Path) -> None:
    manifest = Manifest("Lab", NOW.isoformat(), bytes=1 << 60)
    manifest.files["lab/lab.toml"] = hashlib.sha256(lab.path.read_bytes()).hexdigest()
    file = forge(tmp_path / "large.tar.gz", [folder("lab"), (member("lab/lab.toml"), lab.path.read_bytes())], manifest)
    with pytest.raises(UstodError, match=r"MB free, and 1099511627776 MB are needed"):
        restore(file, lab.path)


def test_if_something_cannot_be_swapped_all_is_as_it_was(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    file, rename = backup(lab), os.rename

    def busy(old: Path, new: Path) -> None:
        if Path(old) == lab.storage.exchange:
            raise OSError(16, "Device or resource busy", str(old))
        rename(old, new)

    before = tree(lab.path.parent.parent)
    monkeypatch.setattr("autograder.hub.restore.os.rename", busy)
    with pytest.raises(UstodError, match=r"was not restored: Device or resource busy \(.*exchange\)"):
        restore(file, lab.path)
    assert tree(lab.path.parent.parent).keys() == before.keys()


def in_machine(users: dict[str, int], folder: Path, program: str) -> str:
    """What `program` prints on a machine with the accounts `users`: its own /etc, and nothing else."""
    etc = Path(tempfile.mkdtemp(dir=folder))
    accounts = "".join(f"useradd -M -u {uid} {name} && " for name, uid in users.items())
    mounts = f"cp -a /etc/. '{etc}' && mount --bind '{etc}' /etc && "
    command = ["unshare", "-m", "sh", "-c", f'{mounts}{accounts}exec "$0" -c "$1"', sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not ROOT, reason="accounts are made, in a namespace, by root alone")
def test_on_another_machine_files_belong_to_the_same_people(lab: Lab, tmp_path: Path) -> None:
    start = f"""
import os, subprocess
from pathlib import Path
from autograder.hub.backup import backup
from autograder.hub.lab import read_lab
from autograder.hub.restore import restore
from autograder.hub.supervisor import on_record
toml = Path({str(lab.path)!r})
def own(path, user):
    subprocess.run(["chown", "-R", f"{{user}}:{{user}}", path], check=True)
"""
    old = {"lab-s1": 3001, "grader-ml": 3002, "ustod-exchange": 3003, "rahimova": 3004}
    (lab.storage.homes / "rahimova").mkdir()
    (lab.storage.homes / "rahimova" / "link").symlink_to("/etc/passwd")
    owned = f"""
root = Path({str(lab.storage.root)!r})
own(root / "homes/s1", "lab-s1"); own(root / "courses/ml", "grader-ml"); own(root / "exchange", "ustod-exchange")
own(root / "homes/rahimova", "rahimova")
os.lchown(root / "homes/rahimova/link", 3001, 3001)
print(backup(read_lab(toml)))
"""
    file = in_machine(old, tmp_path, start + owned).strip()
    shutil.rmtree(lab.storage.root)
    put_back = f"""
def ensure(name, home):
    assert (name, home) == ("grader-ml", Path({str(lab.storage.courses / "ml")!r})), name
    subprocess.run(["useradd", "-M", "-u", "4002", name], check=True)
    home.mkdir()
restored = restore(Path({file!r}), toml, ensure_account=ensure)
print(*restored.strangers, *(path for path in restored.kept if "srv" in path.parts))
"""
    new = {"somebody": 3001, "lab-s1": 4001, "ustod-exchange": 4003}
    assert in_machine(new, tmp_path, start + put_back).split() == ["rahimova"]
    root = lab.storage.root
    owners = {
        name: (os.lstat(root / name).st_uid, os.lstat(root / name).st_gid)
        for name in (
            "homes/s1/work/ps1.ipynb",
            "courses/ml/gradebook.db",
            "exchange",
            "homes/rahimova",
            "homes/rahimova/link",
        )
    }
    assert [uid for uid, gid in owners.values()] == [4001, 4002, 4003, 0, 4001]
    assert all(uid == gid for uid, gid in owners.values())

"""What the exchange keeps: releases, submissions and feedback, each there whole or not at all.

    key                                                  signs the receipts
    incoming/                                            what is not finished; swept at the start
    courses/<course>/<assignment>/release                a bundle
    courses/<course>/<assignment>/submissions/<student>/0001-<random>/{bundle,receipt.json}
    courses/<course>/<assignment>/feedback/<student>/<moment of the submission>
    courses/<course>/<assignment>/requests/<student>/0001-<random>/{bundle,receipt.json}

Whatever comes is first written to ``incoming``, forced to the disk, and then renamed. A submission is never written
again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import threading
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from autograder.errors import UstodError, one_line
from autograder.hub.exchange.bundle import LONGEST_LIST, PIECE, Listing, Reader, sync
from autograder.hub.exchange.receipts import NBGRADER_TIME, Receipt, Seal

log = logging.getLogger("ustod.exchange")

#: Letters that mean something in nbgrader's names of folders, in patterns and in paths.
_BAD_IN_NAMES = re.compile(r"[/\\+*?%\[\]{}]")


class Refused(UstodError):
    """The exchange does not do what was asked. `status` says why in HTTP's way."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def check_name(what: str, name: str) -> str:
    """`name`, if a folder may be called so.

    Raises:
        Refused: if not.
    """
    bad = any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in name)
    if (
        bad
        or not name
        or name != name.strip()
        or name[0] == "."
        or _BAD_IN_NAMES.search(name)
        or len(name.encode()) > 200
    ):
        raise Refused(400, f"{one_line(name)[:100]!r} cannot be the name of {what}.")
    return name


def check_moment(text: str) -> str:
    """`text`, if it is a moment as ``timestamp.txt`` says it, in any of the ways of nbgrader.

    Raises:
        Refused: if not.
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[ T][0-9:.]{5,20}( ?[A-Za-z0-9+:-]{1,8})?", text):
        raise Refused(400, f"{one_line(text)[:50]!r} is not the time of a submission.")
    return text


@dataclass(frozen=True)
class Quota:
    """What the exchange takes in.

    `upload` and `release` are bytes of one submission or feedback, and of one release. One student may hand in
    `submissions` times to one assignment, and `uploads` times `upload` bytes in all. `free` bytes of the disk stay
    free.
    """

    upload: int = 64 << 20
    release: int = 1 << 30
    submissions: int = 50
    uploads: int = 10
    free: int = 1 << 30


class Store:
    """The folder `root`. Its methods wait for the disk: call them from a thread."""

    def __init__(self, root: Path, quota: Quota | None = None) -> None:
        self.root, self.quota = root, quota or Quota()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.chmod(0o700)
        self._incoming = root / "incoming"
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(mode=0o700)
        (root / "courses").mkdir(mode=0o700, exist_ok=True)
        sync(root)
        self.seal = Seal(root / "key")
        self._locks = [threading.Lock() for _ in range(64)]

    # What is released

    def assignments(self, course: str) -> list[str]:
        """What is released in `course`, sorted."""
        return sorted(path.parent.name for path in self._course(course).glob("*/release"))

    def release(self, course: str, assignment: str) -> Path:
        """The bundle that is released.

        Raises:
            Refused: if there is none.
        """
        path = self._assignment(course, assignment) / "release"
        if not path.is_file():
            raise Refused(404, f"There is no assignment {assignment} released in the course {course}.")
        return path

    def put_release(self, course: str, assignment: str, upload: Upload, force: bool) -> Listing:
        """Release what `upload` holds. With `force` it takes the place of what is released already.

        Raises:
            Refused: if something is released already.
        """
        listing = upload.finish()
        path = self._make(self._assignment(course, assignment)) / "release"
        with self._lock(path):
            if path.exists() and not force:
                raise Refused(
                    409,
                    f"The assignment {assignment} of {course} is released already, and another would take its place for"
                    " students who have not fetched it; add --force if that is meant.",
                )
            upload.move(path)
        return listing

    def remove_release(self, course: str, assignment: str) -> None:
        """Release it no longer. What was handed in stays."""
        path = self.release(course, assignment)
        path.unlink()
        sync(path.parent)

    # What is handed in

    def submit(self, course: str, assignment: str, student: str, upload: Upload) -> Receipt:
        """Take what `upload` holds as handed in by `student` now.

        Raises:
            Refused: if the assignment is not released, or the student has handed in too often.
        """
        listing = upload.finish()
        if taken := [e.path for e in listing.entries if e.path in ("timestamp.txt", "submission_secret.txt")]:
            raise Refused(400, f"The file {taken[0]} says when something was handed in, and only the exchange does.")
        self.release(course, assignment)
        return self._file("submissions", course, assignment, student, upload, listing)

    def check_submission(self, course: str, assignment: str, student: str) -> None:
        """Refuse now what `submit` would refuse anyhow, before it is sent."""
        self.release(course, assignment)
        self._check_quota(self._receipts(self._submissions(course, assignment, student)), None)

    def students(self, course: str, assignment: str) -> list[str]:
        """Whoever has handed in or has feedback, sorted."""
        folder = self._assignment(course, assignment)
        return sorted({path.name for kind in ("submissions", "feedback") for path in folder.glob(f"{kind}/*")})

    def submissions(self, course: str, assignment: str, student: str) -> list[Receipt]:
        """What `student` has handed in, in that order."""
        return self._receipts(self._submissions(course, assignment, student))

    def submission(self, course: str, assignment: str, student: str, name: str) -> Path:
        """The bundle that was handed in.

        Raises:
            Refused: if there is none such.
        """
        path = self._submissions(course, assignment, student) / check_name("a submission", name) / "bundle"
        if not path.is_file():
            raise Refused(404, f"{student} has not handed in {name} to {assignment}.")
        return path

    # What is asked for

    def ask(self, course: str, assignment: str, student: str, upload: Upload) -> Receipt:
        """Take what `upload` holds as a request of `student` to look at their grade again.

        Raises:
            Refused: if they have handed nothing in, or have asked too often.
        """
        listing = upload.finish()
        self.check_request(course, assignment, student)
        return self._file("requests", course, assignment, student, upload, listing)

    def check_request(self, course: str, assignment: str, student: str) -> None:
        """Refuse now what `ask` would refuse anyhow, before it is sent."""
        if not self.submissions(course, assignment, student):
            raise Refused(404, f"{student} has handed in nothing to {assignment}: there is no grade to ask about.")
        self._check_quota(self.requests(course, assignment, student), None)

    def requests(self, course: str, assignment: str, student: str) -> list[Receipt]:
        """What `student` has asked for, in that order."""
        return self._receipts(self._of(course, assignment, "requests", student))

    def request(self, course: str, assignment: str, student: str, name: str) -> Path:
        """The bundle of a request.

        Raises:
            Refused: if there is none such.
        """
        path = self._of(course, assignment, "requests", student) / check_name("a request", name) / "bundle"
        if not path.is_file():
            raise Refused(404, f"{student} has not asked {name} about {assignment}.")
        return path

    # What comes back

    def put_feedback(self, course: str, assignment: str, student: str, moment: str, upload: Upload) -> Listing:
        """Feedback on what `student` handed in at `moment`; it takes the place of any before."""
        name, folder = check_moment(moment), self._feedback(course, assignment, student)
        listing = upload.finish()
        upload.move(self._make(folder) / name)
        return listing

    def feedback(self, course: str, assignment: str, student: str) -> dict[str, Path]:
        """The bundles of a student's feedback, by the moment of what it is on."""
        folder = self._feedback(course, assignment, student)
        return {path.name: path for path in sorted(folder.iterdir())} if folder.is_dir() else {}

    # All of it

    def all_assignments(self, course: str) -> list[str]:
        """Those of `course` of which something is kept, released or not."""
        folder = self._course(course)
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def upload(self, limit: int, announced: int) -> Upload:
        """A place for a bundle of at most `limit` bytes, of which `announced` bytes are said to come.

        Raises:
            Refused: if that is too much, or the disk is nearly full.
        """
        if announced > limit + LONGEST_LIST:
            raise Refused(413, f"{announced >> 20} MB were to be sent; at most {limit >> 20} MB are taken.")
        if shutil.disk_usage(self.root).free - announced < self.quota.free:
            raise Refused(507, "The disk of the exchange is nearly full; nothing was taken; tell the administrator.")
        return Upload(self._incoming, limit)

    def _course(self, course: str) -> Path:
        return self.root / "courses" / check_name("a course", course)

    def _assignment(self, course: str, assignment: str) -> Path:
        return self._course(course) / check_name("an assignment", assignment)

    def _of(self, course: str, assignment: str, kind: str, student: str) -> Path:
        """Where the submissions, the requests or the feedback of `student` lie."""
        return self._assignment(course, assignment) / kind / check_name("a student", student)

    def _submissions(self, course: str, assignment: str, student: str) -> Path:
        return self._of(course, assignment, "submissions", student)

    def _feedback(self, course: str, assignment: str, student: str) -> Path:
        return self._of(course, assignment, "feedback", student)

    def _file(self, kind: str, course: str, assignment: str, student: str, upload: Upload, listing: Listing) -> Receipt:
        """Keep what was uploaded whole, under the next number, with a signed receipt."""
        folder = self._make(self._of(course, assignment, kind, student))
        with self._lock(folder):
            before = self._receipts(folder)
            self._check_quota(before, listing)
            now = datetime.now(UTC)
            while (received := now.strftime(NBGRADER_TIME)) in {receipt.received for receipt in before}:
                now += timedelta(microseconds=1)
            number = max((receipt.number for receipt in before), default=0) + 1
            name = f"{number:04}-{secrets.token_hex(4)}"
            receipt = Receipt(course, assignment, student, name, received, listing.sha256, listing.size)
            receipt = self.seal.sign(receipt)
            upload.move_with(receipt.text, folder / name)
        return receipt

    def _receipts(self, folder: Path) -> list[Receipt]:
        found = []
        for path in folder.glob("*/receipt.json"):
            try:
                found.append(Receipt.read(json.loads(path.read_bytes())))
            except (UstodError, ValueError) as error:  # the disk has spoilt it: the others are still listed
                log.error("%s is spoilt: %s", path, error)
        return sorted(found, key=lambda receipt: receipt.number)

    def _check_quota(self, before: list[Receipt], listing: Listing | None) -> None:
        used = sum(receipt.size for receipt in before)
        if len(before) >= self.quota.submissions:
            raise Refused(
                429, f"You have handed this in {len(before)} times, and no more are taken; ask your instructor."
            )
        if used + (listing.size if listing else 0) > self.quota.uploads * self.quota.upload:
            raise Refused(429, f"What you have handed in here has {used >> 20} MB already; ask your instructor.")

    def _lock(self, path: Path) -> threading.Lock:
        return self._locks[zlib.crc32(os.fsencode(path)) % len(self._locks)]

    def _make(self, folder: Path) -> Path:
        """`folder`, which is there and stays there when the power goes."""
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            sync(folder.parent)
        return folder


class Upload:
    """A bundle on its way to the disk. Whoever asked for it calls `discard` at the end, whatever happened."""

    def __init__(self, incoming: Path, limit: int) -> None:
        self._folder = incoming / secrets.token_hex(8)
        self._folder.mkdir(mode=0o700)
        self._path = self._folder / "bundle"
        self._reader = Reader(limit)
        self._file: IO[bytes] = self._path.open("xb")
        self.size = 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            Refused: if they are not those of a bundle that is taken.
        """
        try:
            self._reader.feed(piece)
        except UstodError as error:
            raise Refused(400, str(error)) from None
        self._file.write(piece)
        self.size += len(piece)

    def finish(self) -> Listing:
        """Its list of files, once all of it is on the disk.

        Raises:
            Refused: if it is not whole.
        """
        try:
            listing = self._reader.end()
        except UstodError as error:
            raise Refused(400, str(error)) from None
        self._file.flush()
        os.fsync(self._file.fileno())
        return listing

    def move(self, path: Path) -> None:
        """Put the bundle at `path`, in the place of what may be there."""
        os.rename(self._path, path)
        sync(path.parent)

    def move_with(self, receipt: str, path: Path) -> None:
        """Make a folder `path` of the bundle and its `receipt`."""
        with (self._folder / "receipt.json").open("x", encoding="utf-8") as file:
            file.write(receipt)
            file.flush()
            os.fsync(file.fileno())
        sync(self._folder)
        os.rename(self._folder, path)
        sync(path.parent)

    def discard(self) -> None:
        """Close it, and remove what was not put anywhere."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def listing_of(path: Path) -> Listing:
    """The list of files with which the stored bundle `path` begins."""
    with path.open("rb") as file:
        return Listing.read(file.readline(LONGEST_LIST + 1))


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of the stored bundle `path`."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece

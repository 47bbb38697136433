"""What was handed in, put into a course directory for grading."""

from __future__ import annotations

import ctypes
import errno
import fnmatch
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry

from autograder.errors import UstodError
from autograder.files import needs_room, sync, write_text
from autograder.hub.exchange.client import Client
from autograder.hub.exchange.receipts import Receipt, verify_receipt
from autograder.hub.exchange.store import check_name

#: Of folders that are not finished.
STAGED = ".ustod-collect-"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def collect(job: Any) -> None:
    """Collect for `job`, an `ExchangeCollect`: into ``submitted/`` what is newer than what is there.

    One that cannot be collected is told of, and the others are collected all the same.

    Raises:
        UstodError: if the exchange refuses.
    """
    course, assignment, coursedir = job.course, job.coursedir.assignment_id, job.coursedir
    answer = job.client.get("courses", course, "submissions", assignment=assignment)
    of_student: dict[str, list[Receipt]] = {}
    for one in answer["submissions"]:
        of_student.setdefault(one["student"], []).append(Receipt.read(one["receipt"]))
    excluded = {name for name in coursedir.student_id_exclude.split(",") if name}
    due = _due(coursedir, assignment) if job.before_duedate else None
    faults = 0
    for student, receipts in sorted(of_student.items()):
        if not fnmatch.fnmatchcase(student, coursedir.student_id or "*") or student in excluded:
            continue
        mine = sorted(receipts, key=lambda receipt: receipt.number)
        in_time = [receipt for receipt in mine if due and receipt.time.replace(tzinfo=None) <= due]
        receipt = (in_time or mine)[-1]
        try:
            check_name("a student", student)
            target = Path(coursedir.format_path(coursedir.submitted_directory, student, assignment))
            _mend(target)
            if target.is_dir():
                there = (
                    (target / "timestamp.txt").read_text("utf-8").strip()
                    if (target / "timestamp.txt").is_file()
                    else ""
                )
                if there == receipt.received or not (
                    job.before_duedate or (job.update and _is_newer(receipt, there, mine))
                ):
                    job.log.info("No newer submission to collect, or not without --update: %s %s", student, assignment)
                    continue
            job.log.info("Collecting submission: %s %s (%s)", student, assignment, receipt.received)
            with needs_room(Path(coursedir.root)):
                _take(job.client, job.me, (course, assignment, student), receipt, target, Path(coursedir.root))
        except (UstodError, OSError) as error:
            job.log.error("The submission of %s to %s is not collected: %s", student, assignment, error)
            faults += 1
    if not of_student:
        job.log.warning("No submissions of '%s' for course '%s' to collect", assignment, course)
    if faults:
        raise UstodError(f"{faults} submissions to {assignment} are not collected; the lines above say why.")


def _due(coursedir: Any, assignment: str) -> Any:
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            return gradebook.find_assignment(assignment).duedate
        except MissingEntry:
            return None


def _is_newer(receipt: Receipt, there: str, all_of_them: list[Receipt]) -> bool:
    """Whether `receipt` is of a later submission than the one in place, whose time is `there`.

    Numbers decide, where the one in place came through the exchange: clocks may have been set back in between.
    """
    for other in all_of_them:
        if other.received == there:
            return receipt.number > other.number
    return not there or receipt.received[:19] > there[:19]


def _take(client: Client, me: Any, said: tuple[str, str, str], receipt: Receipt, target: Path, root: Path) -> None:
    """Put into `target` what `receipt` is for, if owner, content and signature are right."""
    verify_receipt(receipt, me["key"])
    course, assignment, student = said
    if (receipt.course, receipt.assignment, receipt.student) != said:
        raise UstodError(f"Its receipt is one of {receipt.student} for {receipt.assignment}; nothing was collected.")
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=STAGED, dir=target.parent))
    try:
        where = ("courses", course, "assignments", assignment, "submissions", student, receipt.submission)
        listing = client.fetch(staged, *where, limit=me["limits"]["upload"])
        if listing.sha256 != receipt.sha256:
            raise UstodError("What the exchange sent is not what its receipt is for; nothing was collected.")
        (staged / "timestamp.txt").write_text(receipt.received)
        os.chmod(staged, 0o755)
        sync(staged)
        file_receipt(root, receipt, me["key"])
        _swap(staged, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def file_receipt(root: Path, receipt: Receipt, key: str) -> Path:
    """Keep `receipt` and the key that verifies it under ``.ustod/receipts`` of the course directory `root`."""
    folder = root / ".ustod" / "receipts"
    path = folder / receipt.assignment / receipt.student / f"{receipt.submission}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{receipt.key}.pub", key + "\n")
    write_text(path, receipt.text)
    return path


def _swap(staged: Path, target: Path) -> None:
    """Let `target` be what `staged` is, in one step where the file system can do that.

    Where it cannot, `_mend` puts the old one back if this is killed between its two steps.
    """
    if target.exists():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(_AT_FDCWD, os.fsencode(staged), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0:
            sync(target.parent)
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))
        os.rename(target, _old(target))
    os.rename(staged, target)
    sync(target.parent)
    shutil.rmtree(_old(target), ignore_errors=True)


def _old(target: Path) -> Path:
    return target.parent / f".ustod-old-{target.name}"


def _mend(target: Path) -> None:
    """Finish what a collect that was killed left behind."""
    if _old(target).is_dir() and not target.exists():
        os.rename(_old(target), target)
    for left in (*target.parent.glob(f"{STAGED}*"), _old(target)):
        shutil.rmtree(left, ignore_errors=True)

"""nbgrader's Exchange, spoken over the service: its commands, formgrader and the assignment list work unchanged.

Who somebody is, and when something came, is what the service says. Nothing is read from a folder that others can write.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from nbgrader.exchange import default
from nbgrader.utils import ignore_patterns
from traitlets import default as default_of

from autograder.errors import UstodError
from autograder.files import write_text
from autograder.hub.exchange.bundle import Bundle, pack
from autograder.hub.exchange.client import Client
from autograder.hub.exchange.collecting import collect
from autograder.hub.exchange.receipts import Receipt, verify_receipt

#: Files in which nbgrader notes what the exchange's receipt says.
NOTES = ("timestamp.txt", "submission_secret.txt")


class Exchange(default.Exchange):  # type: ignore[misc]
    """What all of them share: the service, and its refusals as nbgrader's."""

    @default_of("root")
    def _root_default(self) -> str:
        """Shown by formgrader; nothing is there that could be opened."""
        return os.environ.get("USTOD_EXCHANGE_URL", "the exchange service")

    @cached_property
    def client(self) -> Client:
        """The service."""
        return Client()

    @cached_property
    def me(self) -> Any:
        """Who the service says that we are."""
        return self.client.get("me")

    @property
    def course(self) -> str:
        """The course that was asked for; if none was, the only one there is."""
        if not self.coursedir.course_id:
            mine = sorted({*self.me["student_of"], *self.me["instructor_of"]})
            if len(mine) != 1:
                self.fail(f"Say which course, with --course; yours are {', '.join(mine) or 'none'}.")
            self.coursedir.course_id = mine[0]
        return str(self.coursedir.course_id)

    def start(self) -> Any:
        """As nbgrader's, with what goes wrong in one sentence."""
        try:
            return self.run()
        except UstodError as error:
            self.fail(str(error))
        except OSError as error:
            self.fail(f"{error.filename or 'The disk'}: {error.strerror or error}.")

    def run(self) -> Any:
        """nbgrader's order of work."""
        self.init_src()
        self.init_dest()
        return self.copy_files()

    def init_src(self) -> None:
        """Find what is to be sent."""

    def init_dest(self) -> None:
        """Find where it is to go."""

    def pack(self, folder: str, limit: int, leave: tuple[str, ...] = ()) -> Bundle:
        """`folder` without what nbgrader leaves out, and without `leave` at its top."""
        ignored = ignore_patterns(
            exclude=self.coursedir.ignore,
            include=self.coursedir.include,
            max_file_size=self.coursedir.max_file_size,
            log=self.log,
        )

        def left(inside: str, names: list[str]) -> set[str]:
            return {*ignored(inside, names), *(leave if inside == folder else ())}

        return pack(Path(folder), left, limit)

    def in_my_folder(self) -> str:
        """The student's folder of the assignment, from where they work."""
        parts = [self.course] if self.path_includes_course else []
        return os.path.abspath(os.path.join(self.assignment_dir, *parts, self.coursedir.assignment_id))

    @contextmanager
    def staging(self, beside: Path) -> Iterator[Path]:
        """An empty folder on the same disk as `beside`, gone afterwards."""
        beside.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".ustod-", dir=beside.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class ExchangeFetchAssignment(Exchange, default.ExchangeFetchAssignment):  # type: ignore[misc]
    """``nbgrader fetch_assignment``."""

    def init_src(self) -> None:
        self.src_path = f"{self.course}/{self.coursedir.assignment_id}"

    def init_dest(self) -> None:
        self.dest_path = self.in_my_folder()
        if os.path.isdir(self.dest_path) and not self.replace_missing_files:
            self.fail(f"You already have a copy of the assignment in this directory: {self.dest_path}")

    def copy_files(self) -> None:
        target = Path(self.dest_path)
        with self.staging(target) as staged:
            folder = staged / target.name
            folder.mkdir()
            where = ("courses", self.course, "assignments", self.coursedir.assignment_id)
            self.client.fetch(folder, *where, limit=self.me["limits"]["release"])
            if target.is_dir():
                self.do_copy(str(folder), self.dest_path)
            else:
                os.rename(folder, target)
        self.log.info("Fetched as: %s %s", self.course, self.coursedir.assignment_id)


class ExchangeSubmit(Exchange, default.ExchangeSubmit):  # type: ignore[misc]
    """``nbgrader submit``. In whose name and when, the service knows."""

    def init_src(self) -> None:
        default.ExchangeSubmit.init_src(self)

    def init_dest(self) -> None:
        if self.coursedir.student_id not in ("*", self.me["name"]):
            self.fail(f"You are {self.me['name']}, and can hand in only your own work.")

    def copy_files(self) -> None:
        assignment = self.coursedir.assignment_id
        self.log.info("Source: %s", self.src_path)
        self._compare_with_release(assignment)
        bundle = self.pack(self.src_path, self.me["limits"]["upload"], NOTES)
        answer = self.client.send(
            "POST", "courses", self.course, "assignments", assignment, "submissions", bundle=bundle
        )
        receipt = Receipt.read(answer)
        verify_receipt(receipt, self.me["key"])
        if (receipt.student, receipt.assignment, receipt.sha256) != (
            self.me["name"],
            assignment,
            bundle.listing.sha256,
        ):
            self.fail("The exchange's receipt is for something else; hand in again, and tell your instructor.")
        folder = Path(self.cache) / "receipts" / self.course
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{assignment} {receipt.submission}.json"
        write_text(kept, receipt.text)
        self.log.info("Submitted as: %s %s %s", self.course, assignment, receipt.received)
        self.log.info("Receipt: SHA-256 %s, received %s, kept in %s", receipt.sha256, receipt.received, kept)

    def _compare_with_release(self, assignment: str) -> None:
        """nbgrader's own warning about notebooks that are missing, or its refusal with --strict."""
        released = self.client.get("assignments", course=self.course)["assignments"]
        found = [one for one in released if one["assignment"] == assignment]
        if not found:
            self.fail(f"Assignment not found: {assignment} is not released in the course {self.course}.")
        with tempfile.TemporaryDirectory() as self.release_path:
            for name, _ in found[0]["files"]:
                if name.endswith(".ipynb"):
                    path = Path(self.release_path, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
            self.check_filename_diff()


class ExchangeReleaseAssignment(Exchange, default.ExchangeReleaseAssignment):  # type: ignore[misc]
    """``nbgrader release_assignment``."""

    def init_src(self) -> None:
        default.ExchangeReleaseAssignment.init_src(self)

    def init_dest(self) -> None:
        """The service knows."""

    def copy_files(self) -> None:
        assignment = self.coursedir.assignment_id
        bundle = self.pack(os.path.abspath(self.src_path), self.me["limits"]["release"])
        force = {"force": "1"} if self.force else {}
        self.client.send("PUT", "courses", self.course, "assignments", assignment, bundle=bundle, **force)
        self.log.info("Released as: %s %s", self.course, assignment)


class ExchangeCollect(Exchange, default.ExchangeCollect):  # type: ignore[misc]
    """``nbgrader collect``."""

    def init_src(self) -> None:
        """The service knows."""

    def init_dest(self) -> None:
        """nbgrader's course directory knows."""

    def copy_files(self) -> None:
        collect(self)


class ExchangeReleaseFeedback(Exchange, default.ExchangeReleaseFeedback):  # type: ignore[misc]
    """``nbgrader release_feedback``: to each student what is theirs."""

    def init_src(self) -> None:
        default.ExchangeReleaseFeedback.init_src(self)

    def init_dest(self) -> None:
        """The service knows."""

    def copy_files(self) -> None:
        assignment = self.coursedir.assignment_id
        place = self.coursedir.format_path(
            self.coursedir.feedback_directory, "(?P<student>[^/]+)", assignment, escape=True
        )
        excluded = {name for name in self.coursedir.student_id_exclude.split(",") if name}
        faults = 0
        for folder in sorted(glob.glob(self.src_path)):
            found = re.fullmatch(place, folder)
            if not found or found["student"] in excluded or not glob.glob(os.path.join(glob.escape(folder), "*.html")):
                continue
            try:
                moment = Path(folder, "timestamp.txt").read_text("utf-8").strip()
                bundle = self.pack(folder, self.me["limits"]["upload"], tuple(_not_pages(folder)))
                where = ("courses", self.course, "assignments", assignment, "feedback", found["student"], moment)
                self.client.send("PUT", *where, bundle=bundle)
                self.log.info("Feedback released to %s on %s (%s)", found["student"], assignment, moment)
            except (UstodError, OSError) as error:
                self.log.error("The feedback of %s on %s is not released: %s", found["student"], assignment, error)
                faults += 1
        if faults:
            self.fail(f"The feedback of {faults} students on {assignment} is not released; the lines above say why.")


def _not_pages(folder: str) -> list[str]:
    return [name for name in os.listdir(folder) if not name.endswith(".html")]


class ExchangeFetchFeedback(Exchange, default.ExchangeFetchFeedback):  # type: ignore[misc]
    """``nbgrader fetch_feedback``: one's own, on every submission that has any."""

    def init_src(self) -> None:
        if self.coursedir.student_id not in ("*", "", self.me["name"]):
            self.fail(f"You are {self.me['name']}, and can fetch only your own feedback.")

    def init_dest(self) -> None:
        self.dest_path = os.path.join(self.in_my_folder(), "feedback")

    def copy_files(self) -> None:
        assignment, name = self.coursedir.assignment_id, self.me["name"]
        feedback = self.client.get("submissions", course=self.course)["feedback"]
        found = [one["moment"] for one in feedback if one["assignment"] == assignment]
        if not found:
            self.log.warning("There is no feedback on %s yet", assignment)
        for moment in found:
            target = Path(self.dest_path) / moment
            target.mkdir(parents=True, exist_ok=True)
            with self.staging(target) as staged:
                where = ("courses", self.course, "assignments", assignment, "feedback", name, moment)
                listing = self.client.fetch(staged, *where, limit=self.me["limits"]["upload"])
                for entry in listing.entries:
                    os.replace(staged / entry.path, target / entry.path)
                    self.log.info("Fetched feedback: %s", target / entry.path)


class ExchangeList(Exchange, default.ExchangeList):  # type: ignore[misc]
    """``nbgrader list``: what is released, what one has handed in (--cached), what was handed in to one (--inbound)."""

    def start(self) -> Any:
        if self.inbound and self.cached:
            self.fail("Options --inbound and --cached are incompatible.")
        return super().start()

    def run(self) -> Any:
        if self.remove:
            return self._unrelease()
        return self.list_files()

    def parse_assignments(self) -> list[dict[str, Any]]:
        """In the form that nbgrader's own programs expect."""
        return self._submitted() if self.inbound or self.cached else self._released()

    def _unrelease(self) -> list[dict[str, Any]]:
        if self.inbound or self.cached:
            self.fail("What was handed in cannot be removed from the exchange.")
        found = self._released()
        for one in found:
            self.client.send("DELETE", "courses", one["course_id"], "assignments", one["assignment_id"])
            one["status"] = "removed"
            self.log.info("Released no longer: %s %s", one["course_id"], one["assignment_id"])
        return found

    def _folder(self, course: str, assignment: str) -> str:
        return os.path.join(self.assignment_dir, *([course] if self.path_includes_course else []), assignment)

    def _query(self) -> dict[str, str]:
        course = self.coursedir.course_id
        return {"course": course} if course and course != "*" else {}

    def _wanted(self, assignment: str) -> bool:
        return self.coursedir.assignment_id in ("", "*", assignment)

    def _released(self) -> list[dict[str, Any]]:
        found = []
        for one in self.client.get("assignments", **self._query())["assignments"]:
            if not self._wanted(one["assignment"]):
                continue
            folder = self._folder(one["course"], one["assignment"])
            fetched = os.path.isdir(folder)
            path = os.path.abspath(folder)
            names = glob.glob("*.ipynb", root_dir=path) if fetched else _notebooks(name for name, _ in one["files"])
            found.append(
                {
                    "course_id": one["course"],
                    "assignment_id": one["assignment"],
                    "status": "fetched" if fetched else "released",
                    "path": path,
                    "notebooks": [
                        {"notebook_id": name.removesuffix(".ipynb"), "path": os.path.join(path, name)}
                        for name in sorted(names)
                    ],
                }
            )
        return found

    def _submitted(self) -> list[dict[str, Any]]:
        """Submissions, in groups of a course, a student and an assignment."""
        answers = [self.client.get("submissions", **self._query())] if self.cached else self._inboxes()
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for answer in answers:
            pages = {
                (one["course"], one["assignment"], one["student"], one["moment"]): dict(one["files"])
                for one in answer["feedback"]
            }
            for one in answer["submissions"]:
                receipt = Receipt.read(one["receipt"])
                if self._wanted(receipt.assignment) and self.coursedir.student_id in ("", "*", receipt.student):
                    page = pages.get((receipt.course, receipt.assignment, receipt.student, receipt.received), {})
                    key = (receipt.course, receipt.student, receipt.assignment)
                    groups.setdefault(key, []).append(self._submission(receipt, one["files"], page))
        return [
            {
                "course_id": course,
                "student_id": student,
                "assignment_id": assignment,
                "status": "submitted",
                "submissions": sorted(groups[course, student, assignment], key=lambda info: info["timestamp"]),
            }
            for course, student, assignment in sorted(groups)
        ]

    def _inboxes(self) -> list[Any]:
        courses = self._query().values() or self.me["instructor_of"]
        return [self.client.get("courses", course, "submissions") for course in courses]

    def _submission(self, receipt: Receipt, files: list[str], pages: dict[str, str]) -> dict[str, Any]:
        """One submission; `pages` are those of its feedback in the exchange, with their hashes."""
        folder = os.path.join(self._folder(receipt.course, receipt.assignment), "feedback", receipt.received)
        notebooks = []
        for name in _notebooks(files):
            page = f"{name.removesuffix('.ipynb')}.html"
            local = os.path.join(folder, page)
            fetched = os.path.isfile(local)
            newer = fetched and page in pages and sha256(Path(local).read_bytes()).hexdigest() != pages[page]
            notebooks.append(
                {
                    "notebook_id": name.removesuffix(".ipynb"),
                    "path": os.path.abspath(os.path.join(self._folder(receipt.course, receipt.assignment), name)),
                    "has_local_feedback": fetched,
                    "has_exchange_feedback": page in pages,
                    "local_feedback_path": local if fetched else None,
                    "feedback_updated": newer,
                }
            )
        fetched = bool(notebooks) and all(one["has_local_feedback"] for one in notebooks)
        return {
            "course_id": receipt.course,
            "student_id": receipt.student,
            "assignment_id": receipt.assignment,
            "timestamp": receipt.received,
            "status": "submitted",
            "path": os.path.abspath(self._folder(receipt.course, receipt.assignment)),
            "notebooks": notebooks,
            "has_local_feedback": fetched,
            "has_exchange_feedback": bool(notebooks) and all(one["has_exchange_feedback"] for one in notebooks),
            "feedback_updated": any(one["feedback_updated"] for one in notebooks),
            "local_feedback_path": os.path.abspath(folder) if fetched else None,
            "receipt": json.loads(receipt.text),
        }


def _notebooks(names: Any) -> list[str]:
    """Of the paths `names` those of notebooks at the top."""
    return sorted(name for name in names if name.endswith(".ipynb") and "/" not in name)

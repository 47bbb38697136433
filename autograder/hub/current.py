"""The lab as its file says it is now."""

from __future__ import annotations

import logging
from pathlib import Path

from autograder.errors import UstodError
from autograder.hub.lab import Lab, read_lab
from autograder.hub.roster import Person

log = logging.getLogger(__name__)


class CurrentLab:
    """The lab that `path` declares, read again when the file or one of its class lists has changed.

    While a file is wrong, being edited perhaps, the lab stays as it was.

    Raises:
        UstodError: if it cannot be read at first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lab = read_lab(path)
        self._people = self._lab.people
        self._seen = self._state()

    @property
    def lab(self) -> Lab:
        """The lab."""
        if (state := self._state()) != self._seen:
            self._seen = state
            try:
                self._lab = read_lab(self.path)
                self._people = self._lab.people
                self._seen = self._state()  # there may be other class lists now
            except UstodError as error:
                log.warning("%s The lab stays as it was.", error)
        return self._lab

    @property
    def people(self) -> dict[str, Person]:
        """Everybody who may log in, by id."""
        _ = self.lab
        return self._people

    def taught_by(self, person: str) -> dict[str, list[Person]]:
        """The class lists of the courses that `person` teaches, by the course's name."""
        lab = self.lab
        return {course.name: lab.rosters[course.name] for course in lab.courses if person in course.instructors}

    def _state(self) -> list[tuple[int, int, int] | None]:
        rosters = [self.path.parent / course.roster for course in self._lab.courses if course.roster]
        return [_stamp(path) for path in (self.path, *rosters)]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino

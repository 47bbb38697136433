"""Who asks: what the hub says of a token, and nothing that the request itself says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from jupyterhub.services.auth import HubAuth
from tornado import web

from autograder.hub.exchange.store import Refused

#: Seconds for which the hub's answer is believed; so long a token works after it was revoked.
BELIEVED = 10
#: Seconds that the hub may take.
PATIENCE = 30


@dataclass(frozen=True)
class Caller:
    """Somebody whom the hub knows: a person, or the program of a course (a service of the hub of the course's name)."""

    name: str
    is_person: bool
    student_of: frozenset[str]
    instructor_of: frozenset[str]

    @property
    def courses(self) -> list[str]:
        """All that they may look into, sorted."""
        return sorted(self.student_of | self.instructor_of)

    def must_be_in(self, course: str) -> None:
        """Refuse strangers. What they are told is the same whether there is such a course or not."""
        if course not in self.student_of | self.instructor_of:
            raise Refused(403, f"{self.name} is not in a course {course}.")

    def must_teach(self, course: str) -> None:
        """Refuse whoever does not teach `course`."""
        if course not in self.instructor_of:
            raise Refused(403, f"{self.name} does not teach a course {course}.")

    def must_be(self, student: str, course: str) -> None:
        """Refuse whoever is neither `student` nor teaches them."""
        if course not in self.instructor_of:
            self.must_be_in(course)
            if not (self.is_person and student == self.name):
                raise Refused(403, f"{self.name} may see only what is their own.")


class Identities:
    """Asks the hub at `api_url` whose token it is, and whether it opens the service `service`."""

    def __init__(self, api_url: str, service: str) -> None:
        self._hub = HubAuth(api_url=api_url, cache_max_age=BELIEVED)
        self._scope = f"access:services!service={service}"

    async def of(self, header: str) -> Caller:
        """Who sent the header ``Authorization: token …``.

        Raises:
            Refused: if nobody did whom the hub knows and lets in here.
        """
        match = self._hub.auth_header_pat.fullmatch(header)
        if not match:
            raise Refused(401, "A token of the hub is needed; start your server anew.")
        try:
            model = await asyncio.wait_for(self._hub.user_for_token(match[1], sync=False), PATIENCE)
        except (web.HTTPError, TimeoutError):
            raise Refused(503, "The hub does not answer just now; try again in a minute.") from None
        if model is None:
            raise Refused(401, "The hub does not know this token, or no longer; start your server anew.")
        if not self._hub.check_scopes({self._scope}, model):
            raise Refused(403, "This token does not open the exchange.")
        return _caller(model)


def _caller(model: dict[str, Any]) -> Caller:
    name = model["name"]
    if model.get("kind") != "user":
        return Caller(name, False, frozenset(), frozenset({name}))
    groups = model.get("groups") or []

    def courses(prefix: str) -> frozenset[str]:
        return frozenset(group.removeprefix(prefix) for group in groups if group.startswith(prefix))

    return Caller(name, True, courses("nbgrader-"), courses("formgrade-"))

"""Where instructors help students of their courses to log in again."""

from __future__ import annotations

from typing import Any

from tornado import web

from autograder.hub.pages import Private


class PeopleHandler(Private):
    """The students of the courses that the reader teaches: a new first-login code for one, or an end to their lock-out.

    Nobody else's: neither other instructors', nor students' of other courses only. Every act is written down.
    """

    @web.authenticated
    async def get(self) -> None:
        await self._show()

    @web.authenticated
    async def post(self) -> None:
        who, whom = self.current_user.name, self.get_body_argument("id", "")
        students = {person.id: person for roster in self._taught().values() for person in roster}
        act = self.get_body_argument("act", "")
        if whom not in students or act not in ("reset", "unlock"):
            raise web.HTTPError(403)
        accounts = self.authenticator.register
        accounts.record(who, act, whom)
        self.log.info("%s: %s %s", who, act, whom)
        code = ""
        if act == "reset":
            code = await self.authenticator.in_background(accounts.reset, whom)
            user = self.find_user(whom)
            if user and accounts.sessions_must_end(whom):
                self.authenticator.end_sessions(user)
        else:
            accounts.unlock(whom)
        await self._show(person=students[whom], code=code, act=act)

    def _taught(self) -> dict[str, list[Any]]:
        """The reader's courses. Who teaches none has no business here."""
        taught: dict[str, list[Any]] = self.authenticator.current.taught_by(self.current_user.name)
        if not taught:
            raise web.HTTPError(403)
        return taught

    async def _show(self, **fields: Any) -> None:
        accounts, lab = self.authenticator.register, self.authenticator.current.lab
        await self.show(
            "people.html",
            courses=[(lab.course(name), roster) for name, roster in self._taught().items()],
            accounts={person: account.kind.value for person, account in accounts.accounts().items()},
            locked=accounts.locked(),
            address=lab.address,
            **fields,
        )

"""Who logs in to the hub: people on the lab's class lists, with an account of `autograder.hub.accounts`."""

from __future__ import annotations

import asyncio
import pwd
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from traitlets import Float, Unicode, default

from autograder.hub.accounts import Accounts, Outcome, Verdict
from autograder.hub.current import CurrentLab
from autograder.hub.origin import address_of
from autograder.hub.roster import RESERVED
from autograder.hub.words import page_words

T = TypeVar("T")
#: Marks a browser in which somebody has logged in, by "id mark".
BROWSER_COOKIE = "ustod-browser"
BROWSER_DAYS = 180
#: How the hub notes the token of a student's own server.
_SERVER_TOKEN = "Server at "


class RosterAuthenticator(Authenticator):  # type: ignore[misc]
    """Logs in whoever stands on a class list of the lab or teaches in it, and knows their password.

    Removing somebody from every list ends their sessions, and so does a new password or code.
    """

    accounts = Unicode(config=True, help="The SQLite file of accounts.")
    lab_file = Unicode(config=True, help="The lab.toml that says who may log in; read again when it changes.")
    proxy_account = Unicode(
        "", config=True, help="The account that the proxy runs in, if it is neither root's nor the hub's."
    )
    code_days = Float(30, config=True, help="How many days a first-login code is good for.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register = Accounts(Path(self.accounts), code_days=self.code_days)
        self.current = CurrentLab(Path(self.lab_file))
        # A hash takes a tenth of a second of one core: thirty at once must not keep the hub from its other work.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="scrypt")
        self._trusted = {pwd.getpwnam(self.proxy_account).pw_uid} if self.proxy_account else set()
        self._gone: set[str] = set()
        #: The language in which somebody last read our pages, for those that the hub writes by itself.
        self.reads = dict[str, str]()

    @default("auth_refresh_age")
    def _refreshed_often(self) -> int:
        """Seconds for which an ended session may live on; asking costs one look into SQLite."""
        return 10

    @default("any_allow_config")
    def _lists_are_config(self) -> bool:
        return True

    async def in_background(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run what hashes beside the hub's loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def check(self, handler: Any, person: str, secret: str) -> Outcome:
        """What to answer somebody at `handler` who wants to be `person` and gives `secret`."""
        outcome = await self.in_background(self.register.check, person, secret, *self._whereabouts(handler, person))
        return self._unless_gone(person, outcome)

    async def set_password(self, handler: Any, person: str, secret: str, new: str) -> Outcome:
        """Give `person` the password `new`, if `secret` is right and they are on a list.

        Raises:
            PasswordRefused: if `new` is too easy to guess.
        """
        if person not in self.current.people:
            return await self.check(handler, person, secret)
        whereabouts = self._whereabouts(handler, person)
        return await self.in_background(self.register.set_password, person, secret, new, *whereabouts)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """The id of whoever logs in; `handler.outcome` tells the page why not."""
        person: str = self.normalize_username(data.get("username", "").strip())
        handler.outcome = outcome = await self.check(handler, person, data.get("password", ""))
        if outcome.verdict is not Verdict.RIGHT:
            return None
        user = handler.find_user(person)
        if self.register.sessions_must_end(person) and user:
            self.end_sessions(user)
        if not self._browser(handler, person):
            value = f"{person} {orm.new_token()}"
            handler._set_cookie(BROWSER_COOKIE, value, path=handler.hub.base_url, expires_days=BROWSER_DAYS)
        return person

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Whether `username` stands on a list now."""
        return username in self.current.people

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:
        """Whether the session goes on: not for who is on no list any more, nor after a new password or code."""
        if user.name.startswith(RESERVED):
            return True
        if user.name not in self.current.people:
            if user.name not in self._gone:
                self._gone.add(user.name)
                self.end_sessions(user)
            return False
        self._gone.discard(user.name)
        if self.register.sessions_must_end(user.name):
            self.end_sessions(user)
            return False
        return True

    def end_sessions(self, user: Any) -> None:
        """Log the hub's `user` out of every browser, and take back their tokens; their running work goes on."""
        database = user.db
        for token in list(user.orm_user.api_tokens):
            if not (token.note or "").startswith(_SERVER_TOKEN):
                database.delete(token)
        user.orm_user.cookie_id = orm.new_token()
        database.commit()
        self.log.info("The sessions of %s have ended", user.name)

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """Our pages, before the hub's own."""
        from autograder.hub.pages import HANDLERS
        from autograder.hub.people import PeopleHandler

        def language_of(user: Any) -> str:
            return self.reads.get(getattr(user, "name", ""), self.current.lab.languages[0])

        app.template_vars.update(
            page_words(language_of),
            lab_name=lambda user: self.current.lab.name,
            teaches=lambda user: bool(user and self.current.taught_by(user.name)),
            has_password=True,
        )
        return [*HANDLERS, ("/people", PeopleHandler)]

    def _unless_gone(self, person: str, outcome: Outcome) -> Outcome:
        """Whoever is on no list hears what somebody unknown hears."""
        if outcome.verdict is Verdict.LOCKED or person in self.current.people:
            return outcome
        return Outcome(Verdict.WRONG)

    def _whereabouts(self, handler: Any, person: str) -> tuple[str, str | None]:
        return address_of(handler.request, self._trusted), self._browser(handler, person)

    def _browser(self, handler: Any, person: str) -> str | None:
        """The mark of this browser, if it was `person` who last logged in with it."""
        value = handler.get_secure_cookie(BROWSER_COOKIE, max_age_days=BROWSER_DAYS)
        name, _, mark = (value or b"").decode("utf-8", "replace").partition(" ")
        return mark if mark and name == person else None

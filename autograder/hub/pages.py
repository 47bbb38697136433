"""The hub's pages around logging in, in the reader's language."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.login import LoginHandler, LogoutHandler
from jupyterhub.handlers.pages import HomeHandler
from tornado import web

from autograder.hub.accounts import Outcome, Verdict
from autograder.hub.passwords import PasswordRefused
from autograder.hub.words import NAMES, best_language, words
from autograder.student.texts import Texts

LANGUAGE_COOKIE = "ustod-language"


class Speaking(BaseHandler):  # type: ignore[misc]
    """A page in the language that its reader has chosen; ``?lang=`` chooses."""

    async def prepare(self) -> None:
        await super().prepare()
        if self.request.method == "GET" and self._finished is False and self._remember_language():
            rest = [(name, self.get_query_argument(name)) for name in self.request.query_arguments if name != "lang"]
            self.redirect(self.request.path + (f"?{urlencode(rest)}" if rest else ""))

    def get_content_type(self) -> str:
        return "text/html; charset=utf-8"

    @property
    def language(self) -> str:
        """The reader's."""
        languages = self.authenticator.current.lab.languages
        chosen = getattr(self, "_chosen", None) or self.get_cookie(LANGUAGE_COOKIE)
        return best_language(chosen, self.request.headers.get("Accept-Language", ""), languages)

    @property
    def say(self) -> Texts:
        """Says a text in the reader's language."""
        return words(self.language)

    @property
    def template_namespace(self) -> dict[str, Any]:
        languages = {language: NAMES[language] for language in self.authenticator.current.lab.languages}
        own = {"say": self.say, "language": self.language, "languages": languages, "here": self.request.path}
        own["next_page"] = self.get_argument("next", "")
        self._note_reader()
        return {**super().template_namespace, **own}

    def _note_reader(self) -> None:
        """From here on the hub's other pages and JupyterLab are in the reader's language, too."""
        if self.current_user:
            self.authenticator.reads[self.current_user.name] = self.language

    def _remember_language(self) -> bool:
        """Keep the language that the request asks for, if it asks for one that the lab has."""
        chosen = self.get_argument("lang", "")
        if chosen not in self.authenticator.current.lab.languages:
            return False
        self._chosen = chosen
        self._set_cookie(LANGUAGE_COOKIE, chosen, encrypted=False, path=self.base_url, expires_days=365, samesite="Lax")
        return True

    def why_not(self, outcome: Outcome) -> str:
        """What to tell somebody who was not let in; who it is makes no difference."""
        match outcome.verdict:
            case Verdict.LOCKED if outcome.seconds > 90:
                minutes = -(-outcome.seconds // 60)
                return self.say("Too many wrong attempts. Try again in {minutes} min.", minutes=minutes)
            case Verdict.LOCKED:
                return self.say("Too many wrong attempts. Try again in {seconds} s.", seconds=outcome.seconds)
            case Verdict.EXPIRED:
                return self.say("This code is too old. Ask your instructor for a new one.")
            case _:
                return self.say("The login or the password is wrong. If you cannot get in, ask your instructor.")

    def refuse(self, outcome: Outcome) -> None:
        """Set the status of the answer to somebody who was not let in."""
        self.set_status(429 if outcome.verdict is Verdict.LOCKED else 403)
        if outcome.seconds:
            self.set_header("Retry-After", str(outcome.seconds))

    def check_xsrf_cookie(self) -> None:
        try:
            super().check_xsrf_cookie()
        except web.HTTPError as error:
            self.log.warning("XSRF error on %s: %s", self.request.path, error)
            raise web.HTTPError(403, self.say("This page was open for too long. Try again.")) from None


class Private(Speaking):
    """A page with something on it for its reader alone: for a person to open, not for a script, and not to be kept."""

    async def prepare(self) -> None:
        await super().prepare()
        self.set_header("Cache-Control", "no-store")
        # Students' own pages have the same origin as the hub's: a script there must not read this one.
        if self.request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            raise web.HTTPError(403)

    async def show(self, template: str, **fields: Any) -> None:
        """Answer with `template`."""
        self.set_header("Cache-Control", "no-store")
        self.finish(await self.render_template(template, **fields))

    async def new_password(self, person: str, secret: str) -> str:
        """Take the new password of the form for `person`, who gave `secret`; returns what is wrong with it, or nothing.

        The person is logged in anew with it.
        """
        new = self.get_body_argument("new", "", strip=False)
        if new != self.get_body_argument("again", "", strip=False):
            self.set_status(400)
            return self.say("The two new passwords differ. Type the same one twice.")
        try:
            outcome = await self.authenticator.set_password(self, person, secret, new)
        except PasswordRefused as refusal:
            self.set_status(400)
            return self.say(str(refusal))
        user = None
        if outcome.verdict is Verdict.RIGHT:
            user = await self.login_user({"username": person, "password": new})
        if user is None:
            self.refuse(outcome)
            return self.why_not(outcome)
        self._jupyterhub_user = user
        return ""


class LoginPage(Speaking, LoginHandler):  # type: ignore[misc]
    """The login page. A first-login code leads on to choosing a password."""

    outcome: Outcome = Outcome(Verdict.WRONG)

    async def post(self) -> None:
        person = self.get_body_argument("username", "")
        secret = self.get_body_argument("password", "", strip=False)
        user = await self.login_user({"username": person, "password": secret})
        if user:
            self._jupyterhub_user = user
            self._note_reader()
            self.redirect(self.get_next_url(user))
            return
        if self.outcome.verdict is Verdict.MUST_CHOOSE:
            person = self.authenticator.normalize_username(person)
            self.set_header("Cache-Control", "no-store")
            self.finish(await self.render_template("choose_password.html", person=person, code=secret))
            return
        self.refuse(self.outcome)
        self.finish(await self._render(login_error=self.why_not(self.outcome), username=person[:32]))


class ChoosePasswordPage(Private):
    """Where somebody with a first-login code chooses a password. The page carries the code; nothing is kept of it."""

    def get(self) -> None:
        self.redirect(self.settings["login_url"])

    async def post(self) -> None:
        person = self.authenticator.normalize_username(self.get_body_argument("username", ""))
        code = self.get_body_argument("code", "", strip=False)
        fault = ""
        if not self._remember_language():
            fault = await self.new_password(person, code)
            if not fault:
                self._note_reader()
                self.redirect(self.get_next_url(self.current_user))
                return
        await self.show("choose_password.html", person=person, code=code, fault=fault)


class ChangePasswordPage(Private):
    """Where somebody who is logged in changes their password; it ends their sessions in other browsers."""

    @web.authenticated
    async def get(self) -> None:
        await self.show("change_password.html")

    @web.authenticated
    async def post(self) -> None:
        old = self.get_body_argument("old", "", strip=False)
        fault = await self.new_password(self.current_user.name, old)
        await self.show("change_password.html", fault=fault, done=not fault)


class LogoutPage(LogoutHandler):  # type: ignore[misc]
    """Logging out ends a person's sessions in every browser: cookies that somebody has copied are worth nothing."""

    async def default_handle_logout(self) -> None:
        if self.current_user:
            self.authenticator.end_sessions(self.current_user)
        await super().default_handle_logout()


class HomePage(Speaking, HomeHandler):  # type: ignore[misc]
    """The hub's home page, in the reader's language."""


HANDLERS: list[tuple[str, Any]] = [
    ("/login", LoginPage),
    ("/logout", LogoutPage),
    ("/home", HomePage),
    ("/choose-password", ChoosePasswordPage),
    ("/password", ChangePasswordPage),
]

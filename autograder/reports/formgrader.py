"""Formgrader beside `ustod grade`: two programs that use one gradebook."""

from __future__ import annotations

import os
import sys
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from autograder.audit import watch

_NAMED = "ustod_knows_who"


def read_anew() -> None:
    """In a Jupyter server, let every query read the gradebook, whatever was read before; elsewhere do nothing.

    Formgrader has one session as long as the server runs, and goes on showing the scores that it saw first while
    another program grades.
    """
    jupyter = sys.modules.get("jupyter_server.serverapp")
    if jupyter and jupyter.ServerApp.initialized() and not event.contains(Session, "do_orm_execute", _forget):
        event.listen(Session, "do_orm_execute", _forget)


def keep_log() -> None:
    """Log every change of a grade that this process makes; in a Jupyter server as made by whoever is logged in.

    `nbgrader autograde` in a course that calls this is logged too.
    """
    watch.watch()
    jupyter = sys.modules.get("jupyter_server.serverapp")
    if jupyter and jupyter.ServerApp.initialized():
        from nbgrader.server_extensions.formgrader.base import BaseHandler

        if not hasattr(BaseHandler, _NAMED):
            setattr(BaseHandler, _NAMED, True)
            BaseHandler.prepare = _named(BaseHandler.prepare)


def _named(prepare: Any) -> Any:
    """`prepare` of a request's handler, which says afterwards whose request it is."""

    async def prepare_and_say(handler: Any) -> None:
        made = prepare(handler)
        if made is not None:
            await made
        if "JUPYTERHUB_API_URL" in os.environ:  # elsewhere a server makes up a name
            watch.made_by(str(getattr(handler.current_user, "username", "")))

    return prepare_and_say


def _forget(state: ORMExecuteState) -> None:
    if state.is_select:
        state.update_execution_options(populate_existing=True)

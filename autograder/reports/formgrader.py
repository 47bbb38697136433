"""Formgrader beside `ustod grade`: two programs that use one gradebook."""

from __future__ import annotations

import sys

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session


def read_anew() -> None:
    """In a Jupyter server, let every query read the gradebook, whatever was read before; elsewhere do nothing.

    Formgrader has one session as long as the server runs, and goes on showing the scores that it saw first while
    another program grades.
    """
    jupyter = sys.modules.get("jupyter_server.serverapp")
    if jupyter and jupyter.ServerApp.initialized() and not event.contains(Session, "do_orm_execute", _forget):
        event.listen(Session, "do_orm_execute", _forget)


def _forget(state: ORMExecuteState) -> None:
    if state.is_select:
        state.update_execution_options(populate_existing=True)

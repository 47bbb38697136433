"""nbgrader in a lab: everything that passes between students and instructors goes through the exchange service."""

from __future__ import annotations

from typing import Any

_PLUGIN = "autograder.hub.exchange.plugin"
#: The parts of nbgrader's exchange, by the names of their settings.
_PARTS = {
    "exchange": "Exchange",
    "fetch_assignment": "ExchangeFetchAssignment",
    "fetch_feedback": "ExchangeFetchFeedback",
    "release_assignment": "ExchangeReleaseAssignment",
    "release_feedback": "ExchangeReleaseFeedback",
    "list": "ExchangeList",
    "submit": "ExchangeSubmit",
    "collect": "ExchangeCollect",
}


def exchange_config(c: Any) -> None:
    """Let nbgrader, configured by `c`, use the exchange service. The settings are texts: they can stand in a file."""
    for part, name in _PARTS.items():
        c.ExchangeFactory[part] = f"{_PLUGIN}.{name}"


def configure_student(c: Any) -> None:
    """Settings of ``nbgrader`` and of JupyterLab's list of assignments in a student's server."""
    exchange_config(c)
    c.Authenticator.plugin_class = "nbgrader.auth.JupyterHubAuthPlugin"
    c.Exchange.path_includes_course = True


def configure_instructor(c: Any) -> None:
    """Settings of ``nbgrader`` and of formgrader in the server of a course."""
    exchange_config(c)
    c.Authenticator.plugin_class = "nbgrader.auth.JupyterHubAuthPlugin"

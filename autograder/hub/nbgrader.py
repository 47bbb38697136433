"""nbgrader in a lab: everything that passes between students and instructors goes through the exchange service."""

from __future__ import annotations

from typing import Any

from autograder.hub.exchange.plugin import exchange_config


def configure_student(c: Any) -> None:
    """Settings of ``nbgrader`` and of JupyterLab's list of assignments in a student's server."""
    exchange_config(c)
    c.Authenticator.plugin_class = "nbgrader.auth.JupyterHubAuthPlugin"
    c.Exchange.path_includes_course = True


def configure_instructor(c: Any) -> None:
    """Settings of ``nbgrader`` and of formgrader in the server of a course."""
    exchange_config(c)
    c.Authenticator.plugin_class = "nbgrader.auth.JupyterHubAuthPlugin"

"""Who may do what: JupyterHub's groups, roles and services for a lab, with the least rights that work."""

from __future__ import annotations

from typing import Any

from autograder.hub import state
from autograder.hub.lab import Course, Lab

EXCHANGE = "exchange"
#: The lab's own commands: `ustod hub status`, and the supervisor.
CONTROL = "ustod-control"

#: What lets the lab's own commands tell a running hub that ``lab.toml`` has changed.
APPLY_SCOPE = "custom:ustod:apply"
CUSTOM_SCOPES = {APPLY_SCOPE: {"description": "Apply a changed lab.toml to the running hub"}}

#: What the token in a student's server is good for: that server itself, and handing in.
SERVER_SCOPES = [
    "users:activity!user",
    "access:servers!user",
    f"access:services!service={EXCHANGE}",
    "read:users:name!user",
    "read:users:groups!user",
]

#: What nbgrader asks of group names.
STUDENTS, INSTRUCTORS = "nbgrader-", "formgrade-"


def groups(lab: Lab) -> dict[str, dict[str, list[str]]]:
    """The members of each group. The account that grades a course counts among its instructors, as nbgrader expects."""
    members: dict[str, dict[str, list[str]]] = {}
    for course in lab.courses:
        members[STUDENTS + course.name] = {"users": sorted(person.id for person in lab.rosters[course.name])}
        members[INSTRUCTORS + course.name] = {"users": [*sorted(set(course.instructors)), course.account]}
    return members


def roles(lab: Lab) -> list[dict[str, Any]]:
    """The scopes of each group and service."""
    control = {
        "name": CONTROL,
        "services": [CONTROL],
        "scopes": [APPLY_SCOPE, "list:users", "read:users", "read:servers", "delete:servers", "read:hub"],
    }
    exchange: dict[str, Any] = {"name": "exchange", "services": [EXCHANGE], "scopes": []}
    return [control, exchange, *(role for course in lab.courses for role in _roles_of(course))]


def _roles_of(course: Course) -> list[dict[str, Any]]:
    hand_in = f"access:services!service={EXCHANGE}"
    grader = f"user={course.account}"
    return [
        {"name": f"students-{course.name}", "groups": [STUDENTS + course.name], "scopes": [hand_in]},
        {
            "name": f"instructors-{course.name}",
            "groups": [INSTRUCTORS + course.name],
            "scopes": [
                hand_in,
                f"access:services!service={course.name}",
                "list:services",
                f"read:services!service={course.name}",
            ],
        },
        {
            "name": f"course-{course.name}",
            "services": [course.name],
            "scopes": [
                hand_in,
                f"read:users:name!{grader}",
                f"read:users:groups!{grader}",
                "list:groups",
                f"read:groups!group={STUDENTS}{course.name}",
                f"groups!group={STUDENTS}{course.name}",
            ],
        },
    ]


def services(lab: Lab) -> list[dict[str, Any]]:
    """What stands behind ``/services/``; the supervisor runs all of it."""
    exchange = {
        "name": EXCHANGE,
        "url": state.url(lab, state.EXCHANGE),
        "api_token": state.secret(lab, EXCHANGE),
        "oauth_no_confirm": True,
        "display": False,
    }
    control = {"name": CONTROL, "api_token": state.secret(lab, CONTROL), "display": False}
    return [control, exchange, *(_service_of(lab, course) for course in lab.courses)]


def _service_of(lab: Lab, course: Course) -> dict[str, Any]:
    return {
        "name": course.name,
        "url": f"http://127.0.0.1:{state.course_port(lab, course.name)}",
        "api_token": state.secret(lab, f"course-{course.name}"),
        "oauth_no_confirm": True,
    }

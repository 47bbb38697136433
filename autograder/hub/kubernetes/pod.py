"""What runs in pods and nowhere else: the hub's settings that values cannot say, and the first start of a course.

usage: python -m autograder.hub.kubernetes.pod COURSE
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from autograder.errors import UstodError
from autograder.hub.config import our_pages
from autograder.hub.kubernetes.names import ROOT
from autograder.hub.lab import Lab, read_lab
from autograder.hub.rights import INSTRUCTORS, groups


def configure(c: Any) -> None:
    """Finish the hub's configuration `c`, which the chart has filled from the values, with what the class lists say."""
    lab = _lab()
    c.JupyterHub.load_groups = groups(lab)
    our_pages(c, lab)
    # Who may log in stands in lab.toml and its class lists, whoever says who they are.
    if lab.login.kind == "roster":
        c.RosterAuthenticator.accounts = str(ROOT / "hub" / "accounts.sqlite")
        c.RosterAuthenticator.lab_file = str(lab.path)
        enrol(lab)
    else:
        c.Authenticator.allowed_users = set(lab.people)
    choose_by_group(c)


def choose_by_group(c: Any) -> None:
    """Let those who teach choose among the sizes of server; the others get the plain one and are not asked."""
    profiles = c.KubeSpawner.profile_list

    def of(spawner: Any) -> list[dict[str, Any]]:
        teaches = any(group.name.startswith(INSTRUCTORS) for group in spawner.user.groups)
        return [one for one in profiles if teaches or one.get("default")]

    async def form(spawner: Any) -> str:
        return str(await spawner._render_options_form_dynamically(spawner)) if len(of(spawner)) > 1 else ""

    c.KubeSpawner.profile_list = of
    c.KubeSpawner.options_form = form


def enrol(lab: Lab) -> None:
    """Give everybody new on the class lists a first-login code, and print the codes on slips beside the database."""
    from autograder.hub.slips import enrol_with_slips

    enrol_with_slips(lab, Path(ROOT / "hub"))


def make_course(name: str) -> None:
    """Build the units of a course that it does not have yet, and enter its students.

    Raises:
        UstodError: if the lab has no such course.
    """
    from autograder.hub.coursework import fill, order_for

    lab = _lab()
    fill(order_for(lab, lab.course(name), Path(ROOT / "courses" / name)))


def _lab() -> Lab:
    return read_lab(Path(os.environ["USTOD_LAB"]))


if __name__ == "__main__":
    try:
        make_course(sys.argv[1])
    except UstodError as error:
        sys.exit(str(error))

"""Warm servers: what they are forked from knows nothing that a student's own environment says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOOK = Path(__file__).with_name("inside") / "imports.py"

#: Variables that a student's server has of its own, beside those that the lab gives to all.
OWN = {
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTERHUB_API_TOKEN",
    "JPY_API_TOKEN",
    "JUPYTERHUB_CLIENT_ID",
    "JUPYTERHUB_USER",
    "JUPYTERHUB_SERVER_NAME",
    "JUPYTERHUB_SERVICE_PREFIX",
    "JUPYTERHUB_SERVICE_URL",
    "JUPYTERHUB_OAUTH_CALLBACK_URL",
    "JUPYTERHUB_OAUTH_SCOPES",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES",
    "JUPYTERHUB_ACTIVITY_URL",
}


def test_what_is_read_from_a_students_environment_at_import_is_told_by_arguments() -> None:
    said = subprocess.run([sys.executable, "-s", LOOK], check=True, capture_output=True, text=True).stdout
    about = json.loads(said.splitlines()[-1])
    assert about["threads"] == 1
    # Of these, HOME leads to the paths below; see `servers.late_arguments` for the others.
    assert OWN & {*about["names"]} == {"HOME", "USER", "JUPYTERHUB_SERVICE_PREFIX"}
    told = {"user_settings_dir", "workspaces_dir"}
    kept = {way for way in about["found"] if not told & {*way.split(".")}}
    assert {way for way in kept if not way.startswith("send2trash.plat_other.")} == {  # which is imported anew
        "sysconfig._CONFIG_VARS.userbase",  # of packages of a user's own, which no server has
        "wsgiref.handlers.BaseHandler.os_environ.HOME",  # of servers of another kind
    }

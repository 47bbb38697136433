"""Students' servers where systemd runs: it keeps the limits and the reserve, and each in a unit of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.hub.lab import PREFIX, Lab
from autograder.hub.reserve import WEIGHT, memory_for_students
from autograder.hub.student_process import OOM_SCORE, OPEN_FILES

#: All students' units are in this slice. Its limits are the reserve.
SLICE = "ustod-students.slice"


def runs_systemd(lab: Lab) -> bool:
    """Whether systemd is to start the students' servers of `lab`."""
    return lab.spawner.kind == "systemd" or (lab.spawner.kind == "auto" and Path("/run/systemd/system").is_dir())


def systemd_config(c: Any, lab: Lab) -> None:
    """Settings of the hub `c` that let systemd run the students' servers of `lab`; see jupyterhub-systemdspawner."""
    c.JupyterHub.spawner_class = "autograder.hub.systemd_spawner.LabSystemdSpawner"
    c.SystemdSpawner.username_template = ("" if lab.login.kind == "pam" else PREFIX) + "{USERNAME}"
    c.SystemdSpawner.unit_name_template = "ustod-student-{USERNAME}"
    c.SystemdSpawner.user_workingdir = f"{lab.storage.homes}/{{USERNAME}}"
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = True
    c.SystemdSpawner.disable_user_sudo = True  # NoNewPrivileges
    c.SystemdSpawner.slice = SLICE
    c.SystemdSpawner.unit_extra_properties = unit_properties(lab)


def unit_properties(lab: Lab) -> dict[str, str]:
    """What each unit is told beside account, memory, processors and folders. See systemd.exec(5)."""
    return {
        "TasksMax": str(lab.limits.processes),
        "MemorySwapMax": "0",
        "OOMPolicy": "continue",  # a kernel that is ended takes no other along
        "OOMScoreAdjust": str(OOM_SCORE),
        "LimitFSIZE": str(int(lab.limits.file_size)),
        "LimitNPROC": str(lab.limits.processes),
        "LimitNOFILE": str(OPEN_FILES),
        "LimitCORE": "0",
        "UMask": "0077",
        "ProtectSystem": "full",
        "ProtectControlGroups": "yes",
        "RestrictSUIDSGID": "yes",
        "CapabilityBoundingSet": "",
        "KillMode": "control-group",
        "TimeoutStopSec": "15",
        "StandardOutput": "journal",  # a file in the home would be root's to open and the student's to replace
        "StandardError": "journal",
    }


def slice_properties(lab: Lab) -> dict[str, str]:
    """What all students' units together may use."""
    return {"MemoryMax": str(memory_for_students(lab)), "MemorySwapMax": "0", "CPUWeight": str(WEIGHT)}

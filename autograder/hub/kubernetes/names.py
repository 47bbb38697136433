"""What the lab's objects are called on a cluster, where its volumes stand in a pod, and how sizes are written."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

from autograder.hub.lab import Course

#: In pods everything stands where it stands by default on one machine, whatever that machine's ``lab.toml`` says.
ROOT = PurePosixPath("/srv/ustod")
LAB_FOLDER = PurePosixPath("/etc/ustod")
BACKUPS = PurePosixPath("/srv/backup")
HOME = PurePosixPath("/home/student")
MODELS = PurePosixPath("/srv/models")
#: Whose rights every program in a pod has; pods, not accounts, are what keeps people apart.
UID = 1000

#: The Secrets with ``lab.toml`` and class lists, and with the keys of the authenticator.
LAB_SECRET, LOGIN_SECRET = "ustod-lab", "ustod-login"

#: The chart's own names: the hub's Service and Secret, its port, the volume of its database.
HUB, HUB_PORT, HUB_CLAIM = "hub", 8081, "hub-db-dir"
EXCHANGE, EXCHANGE_PORT = "ustod-exchange", 8080
COURSE_PORT = 8888

PART_OF = "app.kubernetes.io/part-of"
COMPONENT = "app.kubernetes.io/component"


def of_course(course: Course) -> str:
    """The name of the objects of `course`: a DNS label, different for different courses."""
    return f"course-{slug(course.name)}"


def slug(name: str) -> str:
    """`name` if it can be part of a DNS label; else the like, with what makes it unmistakable after two hyphens."""
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name).strip("-")
    return f"{plain}--{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def labels(component: str) -> dict[str, str]:
    """What marks an object of `component`."""
    return {PART_OF: "ustod", COMPONENT: component}


def volume_size(size: int) -> str:
    """`size` bytes as Kubernetes writes it: ``5Gi``."""
    for shift, unit in ((30, "Gi"), (20, "Mi"), (10, "Ki")):
        if size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(int(size))


def memory(size: float) -> str:
    """`size` bytes as KubeSpawner writes it, in whole units of 1024² bytes, at least one: ``1536M``.

    Text, because Helm turns great numbers into 1.5e+09.
    """
    return f"{max(1, int(size) >> 20)}M"


def cores(number: float) -> float:
    """`number` of cores in thousandths, of which Kubernetes wants at least one."""
    return max(0.001, round(number, 3))


def settings_file(role: str) -> str:
    """What nbgrader reads first where a "student" or an "instructor" works."""
    return f"from autograder.hub.nbgrader import configure_{role}\n\nconfigure_{role}(get_config())\n"

"""The objects that the chart does not make: the exchange, the server of each course, what may talk to what, backups."""

from __future__ import annotations

import json
from typing import Any

from autograder.environment import OFFLINE
from autograder.hub.kubernetes import names
from autograder.hub.kubernetes.names import COMPONENT, COURSE_PORT, EXCHANGE_PORT, HUB, HUB_PORT, ROOT, UID
from autograder.hub.lab import Course, Lab
from autograder.hub.rights import EXCHANGE, INSTRUCTORS

JSON = dict[str, Any]

PYTHON = ["python", "-P", "-m"]
COURSE_SETTINGS, SETTINGS_FOLDER = "ustod-course", "/etc/ustod-course"
SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}


def render_manifests(lab: Lab) -> list[JSON]:
    """The objects, in the order in which they are to be made."""
    objects = _exchange(lab)
    if lab.courses:
        objects.append(_course_settings())
    for course in lab.courses:
        objects += _course(lab, course)
    return objects + (_backup(lab) if lab.backup.folder else [])


def _exchange(lab: Lab) -> list[JSON]:
    folder = str(ROOT / "exchange")
    command = [*PYTHON, "autograder.hub.exchange.service", "--root", folder]
    command += ["--upload-limit", str(int(lab.limits.upload))]
    container = {
        "name": "exchange",
        "command": command,
        "env": _service_environment(lab, EXCHANGE, "exchange", EXCHANGE_PORT),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": SAFE | {"seccompProfile": {"type": "RuntimeDefault"}},
        "volumeMounts": [_mount("exchange", folder)],
    }
    pod = _pod(lab, container, {"exchange": names.EXCHANGE})
    callers = [{"podSelector": {"matchLabels": {COMPONENT: name}}} for name in ("hub", "proxy", "singleuser-server")]
    callers.append({"podSelector": {"matchLabels": {names.PART_OF: "ustod"}}})
    return _behind_the_hub(lab, names.EXCHANGE, "exchange", EXCHANGE_PORT, pod, callers)


def _course_settings() -> JSON:
    """What nbgrader and JupyterLab read in the server of every course, before the course's own nbgrader_config.py."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": COURSE_SETTINGS, "labels": names.labels("course")},
        "data": {
            "nbgrader_config.py": names.settings_file("instructor"),
            "jupyter_server_config.json": json.dumps({"ServerApp": {"tornado_settings": {"compress_response": True}}}),
        },
    }


def _course(lab: Lab, course: Course) -> list[JSON]:
    name = names.of_course(course)
    folder = str(ROOT / "courses" / course.name)
    own = {
        "HOME": folder,
        "USER": course.account,
        "LOGNAME": course.account,
        "JUPYTERHUB_USER": course.account,
        "JUPYTERHUB_GROUP": INSTRUCTORS + course.name,
        "JUPYTERHUB_DEFAULT_URL": "/lab",
        "JUPYTER_CONFIG_PATH": SETTINGS_FOLDER,
        "USTOD_EXCHANGE_URL": f"http://{names.EXCHANGE}:{EXCHANGE_PORT}/services/{EXCHANGE}/",
    }
    # Grading shuts students' programs in a sandbox inside this pod, which takes namespaces of users and a /proc of its
    # own. Both are safe to give where the pod itself runs in a namespace of users, as hostUsers says.
    sandbox = {
        "procMount": "Unmasked",
        "seccompProfile": {"type": "Unconfined"},
        "appArmorProfile": {"type": "Unconfined"},
    }
    mounts = [_mount("course", folder), _mount(names.LAB_SECRET, str(names.LAB_FOLDER), read_only=True)]
    container = {
        "name": "course",
        "command": [*PYTHON, "autograder.hub.formgrader"],
        "env": [*_service_environment(lab, course.name, name, COURSE_PORT), *_variables(own)],
        "workingDir": folder,
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "6Gi"}},
        "securityContext": SAFE | sandbox,
        "volumeMounts": [*mounts, _mount("settings", SETTINGS_FOLDER, read_only=True)],
    }
    first = {
        "name": "make-course",
        "image": lab.kubernetes.image,
        "command": [*PYTHON, "autograder.hub.kubernetes.pod", course.name],
        "env": _variables({"USTOD_LAB": str(names.LAB_FOLDER / "lab.toml"), "HOME": folder}),
        "securityContext": SAFE | sandbox,
        "volumeMounts": mounts,
    }
    pod = _pod(lab, container, {"course": name})
    pod["spec"] |= {"hostUsers": False, "initContainers": [first]}
    pod["spec"]["volumes"] += [
        {"name": names.LAB_SECRET, "secret": {"secretName": names.LAB_SECRET}},
        {"name": "settings", "configMap": {"name": COURSE_SETTINGS}},
    ]
    callers = [{"podSelector": {"matchLabels": {COMPONENT: component}}} for component in ("hub", "proxy")]
    return _behind_the_hub(lab, name, name, COURSE_PORT, pod, callers)


def _behind_the_hub(lab: Lab, name: str, component: str, port: int, pod: JSON, callers: list[JSON]) -> list[JSON]:
    """A service of the hub's: its volume, its only pod, its address, and who may call it."""
    mark = names.labels(component)
    pod["metadata"] = {"labels": {**mark, "hub.jupyter.org/network-access-hub": "true"}}
    metadata = {"name": name, "labels": mark}
    to_hub = {"to": [{"podSelector": {"matchLabels": {COMPONENT: "hub"}}}], "ports": [_port(HUB_PORT)]}
    to_exchange = {
        "to": [{"podSelector": {"matchLabels": names.labels("exchange")}}],
        "ports": [_port(EXCHANGE_PORT)],
    }
    cluster_names = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [_port(53, "UDP"), _port(53)],
    }
    return [
        _claim(lab, name, int(lab.kubernetes.course), mark),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                # Two at once would write to one database.
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": mark},
                "template": pod,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": mark, "ports": [{"name": "http", "port": port, "targetPort": port}]},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": {
                "podSelector": {"matchLabels": mark},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": callers, "ports": [_port(port)]}],
                "egress": [to_hub, to_exchange, cluster_names],
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata,
            "spec": {"minAvailable": 1, "selector": {"matchLabels": mark}},
        },
    ]


def _backup(lab: Lab) -> list[JSON]:
    """A nightly job with all volumes but the students' own, and the policy that leaves it no network."""
    mark = names.labels("backup")
    claims = {"hub": names.HUB_CLAIM, "exchange": names.EXCHANGE}
    mounts = [_mount("hub", str(ROOT / "hub")), _mount("exchange", str(ROOT / "exchange"))]
    for course in lab.courses:
        claims[names.of_course(course)] = names.of_course(course)
        mounts.append(_mount(names.of_course(course), str(ROOT / "courses" / course.name)))
    claims["backup"] = lab.kubernetes.backup_claim or "ustod-backup"
    mounts += [_mount("backup", str(names.BACKUPS)), _mount(names.LAB_SECRET, str(names.LAB_FOLDER), read_only=True)]
    container = {
        "name": "backup",
        "command": ["ustod", "hub", "backup", "--lab", str(names.LAB_FOLDER / "lab.toml")],
        "env": _variables({"HOME": "/tmp"}),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": SAFE | {"seccompProfile": {"type": "RuntimeDefault"}},
        "volumeMounts": mounts,
    }
    pod = _pod(lab, container, claims)
    pod["metadata"] = {"labels": mark}
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["volumes"].append({"name": names.LAB_SECRET, "secret": {"secretName": names.LAB_SECRET}})
    hour, _, minute = lab.backup.at.partition(":")
    size = int(lab.kubernetes.course) * (len(lab.courses) + 1)
    own = [] if lab.kubernetes.backup_claim else [_claim(lab, "ustod-backup", size, mark)]
    return [
        *own,
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "ustod-backup", "labels": mark},
            "spec": {
                "schedule": f"{int(minute)} {int(hour)} * * *",
                "timeZone": lab.kubernetes.time_zone,
                "concurrencyPolicy": "Forbid",
                # After a night without power it runs when there is power again.
                "startingDeadlineSeconds": 20 * 3600,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {"spec": {"backoffLimit": 2, "activeDeadlineSeconds": 6 * 3600, "template": pod}},
            },
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "ustod-backup", "labels": mark},
            "spec": {"podSelector": {"matchLabels": mark}, "policyTypes": ["Ingress", "Egress"]},
        },
    ]


def _pod(lab: Lab, container: JSON, claims: dict[str, str]) -> JSON:
    """A pod of our image, without a way into the cluster's own interface."""
    spec: JSON = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
        },
        "containers": [{"image": lab.kubernetes.image, "imagePullPolicy": "IfNotPresent", **container}],
        "volumes": [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()],
    }
    if lab.kubernetes.access_mode == "ReadWriteOnce":
        beside = {"labelSelector": {"matchLabels": {COMPONENT: "hub"}}, "topologyKey": "kubernetes.io/hostname"}
        spec["affinity"] = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [beside]}}
    return {"spec": spec}


def _claim(lab: Lab, name: str, size: int, mark: dict[str, str]) -> JSON:
    spec: JSON = {
        "accessModes": [lab.kubernetes.access_mode],
        "resources": {"requests": {"storage": names.volume_size(size)}},
    }
    if lab.kubernetes.storage_class:
        spec["storageClassName"] = lab.kubernetes.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": mark},
        "spec": spec,
    }


def _service_environment(lab: Lab, service: str, key: str, port: int) -> list[JSON]:
    """What JupyterHub would tell a service that it starts itself; its token is in the chart's Secret."""
    prefix = f"/services/{service}/"
    scopes = json.dumps([f"access:services!service={service}"])
    token = {"secretKeyRef": {"name": HUB, "key": f"hub.services.{key}.apiToken"}}
    variables = {
        **OFFLINE,
        "PYTHONUNBUFFERED": "1",
        "JUPYTERHUB_SERVICE_NAME": service,
        "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:{port}",
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_API_URL": f"http://{HUB}:{HUB_PORT}/hub/api",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_HOST": lab.address.rstrip("/") if lab.server.subdomains else "",
        "JUPYTERHUB_CLIENT_ID": f"service-{service}",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": scopes,
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": scopes,
    }
    return [*_variables(variables), {"name": "JUPYTERHUB_API_TOKEN", "valueFrom": token}]


def _variables(values: dict[str, str]) -> list[JSON]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _mount(volume: str, folder: str, *, read_only: bool = False) -> JSON:
    return {"name": volume, "mountPath": folder} | ({"readOnly": True} if read_only else {})


def _port(number: int, protocol: str = "TCP") -> JSON:
    return {"protocol": protocol, "port": number}

"""Values for version 4 of the chart zero-to-jupyterhub.

What each of them means is said at https://z2jh.jupyter.org/en/stable/resources/reference.html. No secret and nobody's
name stands here: see `autograder.hub.kubernetes.write`.
"""

from __future__ import annotations

from typing import Any

from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.hub.config import HEADERS, authenticator_class
from autograder.hub.kubernetes import names
from autograder.hub.lab import Lab
from autograder.hub.rights import CONTROL, EXCHANGE, SERVER_SCOPES, roles
from autograder.lab.extension import LANGUAGE
from autograder.lab.jupyterlab import COURSE_PAGE
from autograder.lab.progress import PROGRESS
from autograder.student.progress import VARIABLE

#: Names of the two sizes of server.
PLAIN = {"tg": "Муқаррарӣ", "ru": "Обычный", "en": "Plain"}
LARGE = {"tg": "Калон", "ru": "Большой", "en": "Large"}

NO_EGRESS_BUT_NAMES = {
    "cloudMetadataServer": False,
    "dnsPortsCloudMetadataServer": False,
    "dnsPortsKubeSystemNamespace": True,
    "dnsPortsPrivateIPs": False,
    "nonPrivateIPs": False,
    "privateIPs": False,
}

JSON = dict[str, Any]


def render_values(lab: Lab) -> JSON:
    """The values, as they go into ``values.yaml``.

    Raises:
        UstodError: if people log in with accounts of a machine.
    """
    return {
        "hub": _hub(lab),
        "proxy": _proxy(lab),
        "singleuser": _singleuser(lab),
        # A culler in the hub sees only when a browser last asked for something, and would end a training run that
        # somebody left overnight. Each server ends its own idle kernels, and then itself: `_server_settings`.
        "cull": {"enabled": False},
        "scheduling": {
            # The chart's scheduler fills one node before the next, to give rented nodes back. Nodes that a university
            # owns are better loaded alike.
            "userScheduler": {"enabled": False},
            "userPlaceholder": {"enabled": False},
            "corePods": {"nodeAffinity": {"matchNodePurpose": "prefer"}},
            "userPods": {"nodeAffinity": {"matchNodePurpose": "prefer"}},
        },
        # Over a slow link an image must be on the nodes before the first student waits for it.
        "prePuller": {
            "hook": {"enabled": True},
            "continuous": {"enabled": True},
            "pullProfileListImages": False,
        },
    }


def authenticator(lab: Lab) -> str:
    """The class that decides who is who.

    Raises:
        UstodError: if it needs the accounts of a machine.
    """
    if lab.login.kind == "pam":
        raise UstodError(
            f'{lab.path} says login.kind = "pam", but pods have no accounts of a machine; '
            'for Kubernetes choose "roster", "lti" or "oauth".'
        )
    return authenticator_class(lab)


def login_settings(lab: Lab, *, secret: bool) -> dict[str, JSON]:
    """The settings of the authenticator by its classes: those that are a secret, or those that are not."""
    found: dict[str, JSON] = {}
    for name, value in lab.login.settings.items():
        section, _, trait = name.rpartition(".")
        if trait.lower().endswith(("secret", "secrets", "password", "token", "private_key")) is secret:
            found.setdefault(section or authenticator(lab).rpartition(".")[2], {})[trait] = value
    return found


def _hub(lab: Lab) -> JSON:
    config: dict[str, JSON] = {
        "JupyterHub": {
            "authenticator_class": authenticator(lab),
            "admin_access": False,
            "template_vars": {"lab_name": lab.name},
            "tornado_settings": {"slow_spawn_timeout": 0, "compress_response": True, "headers": dict(HEADERS)},
            "last_activity_interval": 120,
        },
        "Spawner": {"server_token_scopes": list(SERVER_SCOPES), "http_timeout": 120},
        "KubeSpawner": {
            "gid": names.UID,
            "container_security_context": {
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }
    if lab.server.subdomains:
        config["JupyterHub"]["subdomain_host"] = lab.address.rstrip("/")
    for section, settings in login_settings(lab, secret=False).items():
        config.setdefault(section, {}).update(settings)
    services = {"exchange": _service(EXCHANGE, names.EXCHANGE, names.EXCHANGE_PORT)}
    for course in lab.courses:
        services[names.of_course(course)] = _service(course.name, names.of_course(course), names.COURSE_PORT)
    # Only the chart's own commands change a lab on a cluster.
    loaded = {role["name"]: role for role in roles(lab) if role["name"] != CONTROL}
    return {
        "config": config,
        "existingSecret": names.LOGIN_SECRET if login_settings(lab, secret=True) else None,
        "loadRoles": loaded,
        # The chart makes their tokens and keeps them in the Secret `hub`, from where their pods take them.
        "services": services,
        "extraConfig": {"ustod": "from autograder.hub.kubernetes.pod import configure\n\nconfigure(c)\n"},
        "extraEnv": {"USTOD_LAB": str(names.LAB_FOLDER / "lab.toml")},
        "extraVolumes": [{"name": names.LAB_SECRET, "secret": {"secretName": names.LAB_SECRET}}],
        "extraVolumeMounts": [
            {"name": names.LAB_SECRET, "mountPath": str(names.LAB_FOLDER), "readOnly": True},
            # The database's own volume once more, where one machine has it: one backup does for both.
            {"name": "pvc", "mountPath": str(names.ROOT / "hub")},
        ],
        "db": {
            "type": "sqlite-pvc",
            "pvc": {
                "accessModes": [lab.kubernetes.access_mode],
                "storage": "2Gi",
                "storageClassName": lab.kubernetes.storage_class,
            },
        },
        "image": _image(lab),
        "concurrentSpawnLimit": 32,
        "allowNamedServers": False,
        "shutdownOnLogout": False,
        "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        # The address of the cluster's own interface is the administrator's to know, so the rest stays open.
        "networkPolicy": {"enabled": True, "egressAllowRules": {"cloudMetadataServer": False}},
        "pdb": {"enabled": True, "minAvailable": 1},
    }


def _service(name: str, host: str, port: int) -> JSON:
    return {"name": name, "url": f"http://{host}:{port}", "oauth_no_confirm": True, "display": name != EXCHANGE}


def _proxy(lab: Lab) -> JSON:
    https: JSON = {"enabled": lab.tls.mode != "off"}
    if https["enabled"]:
        https |= {"type": "secret", "secret": {"name": lab.kubernetes.tls_secret}, "hosts": [lab.server.name]}
        if lab.server.subdomains:
            https["hosts"].append(f"*.{lab.server.name}")
    return {
        "service": {"type": lab.kubernetes.service},
        "https": https,
        "chp": {
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "networkPolicy": {
                "enabled": True,
                "egressAllowRules": dict(NO_EGRESS_BUT_NAMES),
                "egress": [{"to": [{"podSelector": {"matchLabels": {names.PART_OF: "ustod"}}}]}],
            },
            "pdb": {"enabled": True, "minAvailable": 1},
        },
    }


def _singleuser(lab: Lab) -> JSON:
    limits, cluster = lab.limits, lab.kubernetes
    volumes: list[JSON] = [
        # PyTorch's data loaders hand tensors over here, and 64 MB, which is usual, is too little. It counts as memory.
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": names.volume_size(_half(limits.memory))}}
    ]
    mounts: list[JSON] = [{"name": "shm", "mountPath": "/dev/shm"}]
    environment = {
        **OFFLINE,
        "USTOD_EXCHANGE_URL": f"http://{names.EXCHANGE}:{names.EXCHANGE_PORT}/services/{EXCHANGE}/",
        VARIABLE: str(names.HOME / PROGRESS),
        LANGUAGE: lab.languages[0],
    }
    if cluster.models_claim:
        claim = {"claimName": cluster.models_claim, "readOnly": True}
        volumes.append({"name": "models", "persistentVolumeClaim": claim})
        mounts.append({"name": "models", "mountPath": str(names.MODELS), "readOnly": True})
        environment["HF_HUB_CACHE"] = str(names.MODELS)
    disk = {"ephemeral-storage": names.volume_size(limits.file_size)}
    return {
        "image": _image(lab),
        "cmd": "jupyterhub-singleuser",
        "defaultUrl": "/lab",
        "startTimeout": 300,
        "uid": names.UID,
        "fsGid": names.UID,
        "allowPrivilegeEscalation": False,
        "memory": {"limit": names.memory(limits.memory), "guarantee": names.memory(limits.memory / 2)},
        "cpu": {"limit": names.cores(limits.cpu), "guarantee": names.cores(limits.cpu / 4)},
        "extraResource": {"limits": disk, "guarantees": {}},
        "extraEnv": environment,
        "extraFiles": _server_settings(lab),
        "storage": {
            "type": "dynamic",
            "capacity": names.volume_size(cluster.home),
            "homeMountPath": str(names.HOME),
            "dynamic": {"storageClass": cluster.storage_class, "storageAccessModes": ["ReadWriteOnce"]},
            "extraVolumes": volumes,
            "extraVolumeMounts": mounts,
        },
        # The policy keeps servers from a cloud's metadata; the chart's other way is a privileged container in each.
        "cloudMetadata": {"blockWithIptables": False, "ip": "169.254.169.254"},
        "networkPolicy": {
            "enabled": True,
            "egressAllowRules": dict(NO_EGRESS_BUT_NAMES),
            "egress": [
                {
                    "to": [{"podSelector": {"matchLabels": names.labels("exchange")}}],
                    "ports": [{"protocol": "TCP", "port": names.EXCHANGE_PORT}],
                }
            ],
        },
        "profileList": profiles(lab),
    }


def profiles(lab: Lab) -> list[JSON]:
    """The two sizes of server. Only those who teach may choose: `autograder.hub.kubernetes.pod`."""
    limits = lab.limits
    return [
        {"display_name": _in_languages(lab, PLAIN), "slug": "plain", "default": True},
        {
            "display_name": _in_languages(lab, LARGE),
            "slug": "large",
            "kubespawner_override": {
                "mem_limit": names.memory(limits.memory * 2),
                "mem_guarantee": names.memory(limits.memory),
                "cpu_limit": names.cores(limits.cpu * 2),
                "cpu_guarantee": names.cores(limits.cpu / 2),
            },
        },
    ]


def _server_settings(lab: Lab) -> JSON:
    """Files for each student's server: when idle kernels end (busy ones never do), and how often work is saved."""
    idle = lab.limits.idle_minutes * 60
    server = {
        "ServerApp": {"shutdown_no_activity_timeout": idle, "jpserver_extensions": {COURSE_PAGE: True}},
        "MappingKernelManager": {
            "cull_idle_timeout": idle,
            "cull_interval": 60,
            "cull_connected": True,
            "cull_busy": False,
        },
        "TerminalManager": {"cull_inactive_timeout": idle, "cull_interval": 60},
    }
    nbgrader = names.settings_file("student")
    saving = {"@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": lab.spawner.autosave_seconds}}
    return {
        "server.json": {"mountPath": "/usr/local/etc/jupyter/jupyter_server_config.json", "data": server},
        "overrides.json": {"mountPath": "/usr/local/share/jupyter/lab/settings/overrides.json", "data": saving},
        "nbgrader.py": {"mountPath": "/usr/local/etc/jupyter/nbgrader_config.py", "stringData": nbgrader},
    }


def _image(lab: Lab) -> JSON:
    name, _, tag = lab.kubernetes.image.rpartition(":")
    return {"name": name, "tag": tag, "pullPolicy": "IfNotPresent"}


def _in_languages(lab: Lab, text: dict[str, str]) -> str:
    return " · ".join(text[language] for language in lab.languages)


def _half(size: int) -> int:
    return max(1, size >> 21) << 20

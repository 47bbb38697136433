"""What the chart zero-to-jupyterhub 4 makes of values: the keys it takes, and the spawner and pods that come of them.

The chart's own rules are in its ``values.schema.yaml``; `CHART` holds those for the keys that Ustod sets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from jupyterhub.objects import Hub
from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner
from traitlets.config import Config

#: Any mapping, with keys of the administrator's choice.
FREE = {"*": object}
TEXT, NUMBER, WHOLE, SWITCH, LIST = (str,), (int, float), (int,), (bool,), (list,)
NONE = type(None)

IMAGE = {
    "name": TEXT,
    "tag": TEXT,
    "pullPolicy": {"", "IfNotPresent", "Always", "Never", None},
    "pullSecrets": LIST,
}
POLICY = {
    "enabled": SWITCH,
    "ingress": LIST,
    "egress": LIST,
    "egressAllowRules": dict.fromkeys(
        [
            "cloudMetadataServer",
            "dnsPortsCloudMetadataServer",
            "dnsPortsKubeSystemNamespace",
            "dnsPortsPrivateIPs",
            "nonPrivateIPs",
            "privateIPs",
        ],
        SWITCH,
    ),
    "interNamespaceAccessLabels": {"accept", "ignore"},
    "allowedIngressPorts": LIST,
}
BUDGET = {"enabled": SWITCH, "maxUnavailable": (int, NONE), "minAvailable": (int, NONE)}
FILES = {"*": {"mountPath": TEXT, "data": FREE, "stringData": TEXT, "binaryData": TEXT, "mode": NUMBER}}
CORE = {"tolerations": LIST, "nodeAffinity": {"matchNodePurpose": {"ignore", "prefer", "require"}}}

CHART: dict[str, Any] = {
    "hub": {
        "config": {"*Class": FREE},
        "existingSecret": (str, NONE),
        "loadRoles": FREE,
        # The chart gives these names another meaning here, so no service may have them for a key.
        "services": {"name": TEXT, "admin": SWITCH, "command": (str, list), "url": TEXT, "api_token": TEXT, "*": FREE},
        "extraConfig": FREE,
        "extraEnv": FREE,
        "extraFiles": FILES,
        "extraVolumes": LIST,
        "extraVolumeMounts": LIST,
        "db": {
            "type": {"sqlite-pvc", "sqlite-memory", "mysql", "postgres", "other"},
            "pvc": {
                "annotations": FREE,
                "accessModes": LIST,
                "storage": TEXT,
                "storageClassName": (str, NONE),
                "subPath": (str, NONE),
            },
            "url": (str, NONE),
        },
        "image": IMAGE,
        "concurrentSpawnLimit": (int, NONE),
        "activeServerLimit": (int, NONE),
        "allowNamedServers": (bool, NONE),
        "shutdownOnLogout": (bool, NONE),
        "resources": FREE,
        "networkPolicy": POLICY,
        "pdb": BUDGET,
    },
    "proxy": {
        "service": {"type": {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}, "annotations": FREE},
        "https": {
            "enabled": (bool, NONE),
            "type": {None, "", "letsencrypt", "manual", "offload", "secret"},
            "secret": {"name": (str, NONE), "key": (str, NONE), "crt": (str, NONE)},
            "hosts": LIST,
        },
        "chp": {"resources": FREE, "networkPolicy": POLICY, "pdb": BUDGET, "extraCommandLineFlags": LIST},
    },
    "singleuser": {
        "image": IMAGE,
        "cmd": (list, str, NONE),
        "defaultUrl": (str, NONE),
        "startTimeout": (int, NONE),
        "uid": (int, NONE),
        "fsGid": (int, NONE),
        "allowPrivilegeEscalation": (bool, NONE),
        "memory": {"limit": (int, float, str, NONE), "guarantee": (int, float, str, NONE)},
        "cpu": {"limit": (int, float, NONE), "guarantee": (int, float, NONE)},
        "extraResource": {"limits": FREE, "guarantees": FREE},
        "extraEnv": FREE,
        "extraFiles": FILES,
        "storage": {
            "type": {"dynamic", "static", "none"},
            "capacity": (str, NONE),
            "homeMountPath": TEXT,
            "dynamic": {
                "storageClass": (str, NONE),
                "storageAccessModes": LIST,
                "pvcNameTemplate": (str, NONE),
                "volumeNameTemplate": (str, NONE),
                "subPath": (str, NONE),
            },
            "extraVolumes": (dict, list, NONE),
            "extraVolumeMounts": (dict, list, NONE),
        },
        "cloudMetadata": {"blockWithIptables": SWITCH, "ip": TEXT},
        "networkPolicy": POLICY,
        "profileList": LIST,
    },
    "cull": {"enabled": SWITCH, "users": (bool, NONE), "timeout": (int, NONE), "every": (int, NONE)},
    "scheduling": {
        "userScheduler": {"enabled": SWITCH, "replicas": WHOLE},
        "podPriority": {"enabled": SWITCH},
        "userPlaceholder": {"enabled": SWITCH, "replicas": WHOLE},
        "corePods": CORE,
        "userPods": CORE,
    },
    "prePuller": {
        "hook": {"enabled": SWITCH, "pullOnlyOnChanges": SWITCH},
        "continuous": {"enabled": SWITCH},
        "pullProfileListImages": SWITCH,
    },
}


def mistakes(values: Any, rules: Any = CHART, place: str = "values") -> list[str]:
    """Where `values` are not what the chart takes: helm would refuse them, or worse, pass over them."""
    if rules is object:
        return []
    if isinstance(rules, set):
        return [] if values in rules else [f"{place} is {values!r}"]
    if isinstance(rules, tuple):
        fits = isinstance(values, rules) and (bool in rules or not isinstance(values, bool))
        return [] if fits else [f"{place} is {values!r}"]
    if not isinstance(values, dict):
        return [f"{place} is no mapping"]
    found = []
    for key, value in values.items():
        rule = rules.get(key) or rules.get("*") or (rules.get("*Class") if key[:1].isupper() else None)
        found += mistakes(value, rule, f"{place}.{key}") if rule else [f"{place} knows no {key}"]
    return found


def configured(values: dict[str, Any]) -> Config:
    """The configuration that the chart's ``jupyterhub_config.py`` makes of `values`, as far as students' servers go."""
    c = Config()
    configure_spawner(c, values)
    return c


def configure_spawner(c: Config, values: dict[str, Any]) -> None:
    single = values["singleuser"]
    c.KubeSpawner.common_labels = {"app.kubernetes.io/name": "jupyterhub", "app": "jupyterhub"}
    for trait, value in {
        "image": f"{single['image']['name']}:{single['image']['tag']}",
        "image_pull_policy": single["image"]["pullPolicy"],
        "start_timeout": single["startTimeout"],
        "uid": single["uid"],
        "fs_gid": single["fsGid"],
        "allow_privilege_escalation": single["allowPrivilegeEscalation"],
        "mem_limit": single["memory"]["limit"],
        "mem_guarantee": single["memory"]["guarantee"],
        "cpu_limit": single["cpu"]["limit"],
        "cpu_guarantee": single["cpu"]["guarantee"],
        "extra_resource_limits": single["extraResource"]["limits"],
        "extra_resource_guarantees": single["extraResource"]["guarantees"],
        "environment": single["extraEnv"],
        "profile_list": single["profileList"],
        "extra_labels": {"hub.jupyter.org/network-access-hub": "true"},
        "storage_pvc_ensure": True,
        "storage_class": single["storage"]["dynamic"]["storageClass"],
        "storage_access_modes": single["storage"]["dynamic"]["storageAccessModes"],
        "storage_capacity": single["storage"]["capacity"],
        "cmd": single["cmd"],
        "default_url": single["defaultUrl"],
    }.items():
        if value is not None:
            c.KubeSpawner[trait] = value
    home = "volume-{user_server}"
    volumes: dict[str, Any] = {home: {"name": home, "persistentVolumeClaim": {"claimName": "{pvc_name}"}}}
    mounts: dict[str, Any] = {home: {"mountPath": single["storage"]["homeMountPath"], "name": home, "subPath": None}}
    items = [{"key": key, "path": key} for key in single["extraFiles"]]
    volumes["files"] = {"name": "files", "secret": {"secretName": "singleuser", "items": items}}
    for number, (key, file) in enumerate(single["extraFiles"].items()):
        mounts[f"{number}-files"] = {"mountPath": file["mountPath"], "subPath": key, "name": "files"}
    volumes |= {volume["name"]: volume for volume in single["storage"]["extraVolumes"]}
    for number, mount in enumerate(single["storage"]["extraVolumeMounts"]):
        mounts[f"{number}-{mount['name']}"] = mount
    c.KubeSpawner.volumes, c.KubeSpawner.volume_mounts = volumes, mounts
    for section, settings in values["hub"]["config"].items():
        c[section].update(settings)


def pod_and_claim(c: Config, user: str, *groups: str, **options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What KubeSpawner with the configuration `c` would send to a cluster for `user`, who chose `options`."""

    async def make() -> tuple[Any, Any]:
        async with ApiClient() as client:
            spawner = _spawner(c, user, groups)
            spawner.user_options = options
            await spawner.load_user_options()
            clean = client.sanitize_for_serialization
            return clean(await spawner.get_pod_manifest()), clean(spawner.get_pvc_manifest())

    return _with_loop(make())


def form(c: Config, user: str, *groups: str) -> str:
    """What `user` is asked before a server starts."""

    async def ask() -> str:
        return await _spawner(c, user, groups).get_options_form()

    return _with_loop(ask())


def _with_loop(what: Coroutine[Any, Any, Any]) -> Any:
    async def alone() -> Any:
        try:
            return await what
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    return asyncio.run(alone())


def _spawner(c: Config, user: str, groups: tuple[str, ...]) -> KubeSpawner:
    person = SimpleNamespace(name=user, id=1, url=f"/user/{user}/", settings={})
    person.groups = [SimpleNamespace(name=group) for group in groups]
    stored = SimpleNamespace(name="", server=None, user=person, oauth_client_id="x", state=None)
    hub = Hub(base_url="/hub/", ip="hub", port=8081)
    return KubeSpawner(config=c, hub=hub, user=person, orm_spawner=stored, api_token="0" * 32, _mock=True)

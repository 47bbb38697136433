"""The programs that a running lab consists of, as the supervisor starts them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.environment import OFFLINE
from autograder.errors import UstodError
from autograder.hub import state
from autograder.hub.lab import Course, Lab
from autograder.hub.rights import EXCHANGE
from autograder.hub.systemd import runs_systemd

#: The environment variable that names ``lab.toml`` to the lab's own programs.
LAB = "USTOD_LAB"

#: In the lab's folder for sockets: who connects gets a warm kernel; the hub, a student's server.
WARM_KERNELS, WARM_SERVERS = "warm.sock", "servers.sock"

PROXY_ACCOUNT, EXCHANGE_ACCOUNT = "ustod-proxy", "ustod-exchange"

#: Put by set-up beside the Python that runs this.
PROXY = Path(sys.prefix) / "share" / "ustod" / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy"


@dataclass(frozen=True)
class Program:
    """One program of a lab.

    Attributes:
        name: in logs and in `ustod hub status`.
        command: with its arguments.
        environment: all of it; nothing else is passed on.
        account: whose rights it has; None for root's.
        low_port: whether it listens below 1024 without being root.
        folder: where it works.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    low_port: bool = False
    folder: Path = Path("/")

    @property
    def started_as(self) -> list[str]:
        """The command with what gives up root's rights before it, but for the right to a low port if it needs one.

        Linux ends the program when the supervisor ends, however that ends.
        """
        drop = ["setpriv", "--pdeathsig", "KILL"]
        if self.account is not None:
            drop += [f"--reuid={self.account}", f"--regid={self.account}", "--init-groups", "--no-new-privs"]
            rights = "-all,+net_bind_service" if self.low_port else "-all"
            drop += [f"--inh-caps={rights}", f"--ambient-caps={rights}", f"--bounding-set={rights}"]
        return [*drop, *self.command]


def programs(lab: Lab) -> list[Program]:
    """Everything that must run, in the order in which it is started.

    Raises:
        UstodError: if a program or a file that it needs is missing.
    """
    found = [_proxy(lab), _hub(lab), _exchange(lab)]
    if lab.spawner.warm_kernels:
        found.append(_warm(lab, "kernels", WARM_KERNELS))
    if has_warm_servers(lab):
        found.append(_warm(lab, "servers", WARM_SERVERS))
    return [*found, *(_formgrader(lab, course) for course in lab.courses)]


def proxy_folder(lab: Lab) -> Path:
    """Where the proxy, which is not root, reads the certificate and its key."""
    return lab.storage.run / "proxy"


def lab_file() -> Path:
    """The ``lab.toml`` of the lab that this program belongs to."""
    return Path(os.environ[LAB])


def base_environment() -> dict[str, str]:
    """What every program gets: where programs are, the language, and that there is no network to wait for."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])
    return {"PATH": path, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **OFFLINE, **kept}


def _proxy(lab: Lab) -> Program:
    node = shutil.which("node")
    if not PROXY.exists() or node is None:
        raise UstodError(f"The proxy {PROXY} is not there; run make server, which installs it.")
    command = [node, str(PROXY), "--ip", lab.server.host, "--port", str(lab.server.port), "--log-level", "warn"]
    command += ["--api-ip", "127.0.0.1", "--api-port", str(state.port(lab, state.PROXY))]
    command += ["--error-target", f"{state.url(lab, state.HUB)}/hub/error"]
    if lab.tls.mode != "off":
        folder = proxy_folder(lab)
        command += ["--ssl-cert", str(folder / "server.crt"), "--ssl-key", str(folder / "server.key")]
        if lab.server.port == 443:
            command += ["--redirect-port", "80"]
    environment = {**base_environment(), "CONFIGPROXY_AUTH_TOKEN": state.secret(lab, "proxy")}
    return Program("proxy", command, environment, PROXY_ACCOUNT, low_port=True)


def _hub(lab: Lab) -> Program:
    config = Path(__file__).with_name("jupyterhub_config.py")
    environment = {**base_environment(), LAB: str(lab.path)}
    command = [sys.executable, "-P", "-m", "jupyterhub", "-f", str(config)]
    return Program("hub", command, environment, folder=lab.storage.hub)


def _exchange(lab: Lab) -> Program:
    command = [sys.executable, "-P", "-m", "autograder.hub.exchange.service", "--root", str(lab.storage.exchange)]
    command += ["--upload-limit", str(int(lab.limits.upload))]
    environment = service_environment(lab, EXCHANGE, state.url(lab, state.EXCHANGE), state.secret(lab, EXCHANGE))
    return Program("exchange", command, environment, EXCHANGE_ACCOUNT, low_port=True, folder=lab.storage.exchange)


def has_warm_servers(lab: Lab) -> bool:
    """Whether students' servers are forked from one process: where the hub itself starts them, and is told no other."""
    return lab.spawner.warm_servers and not runs_systemd(lab)


def _warm(lab: Lab, kind: str, name: str) -> Program:
    command = [sys.executable, "-P", "-m", "autograder.hub.warm", kind, "--socket", str(lab.storage.run / name)]
    if lab.login.kind == "pam":
        command.append("--any-user")  # whose accounts have whatever names they have
    return Program(f"warm-{kind}", command, base_environment())


def _formgrader(lab: Lab, course: Course) -> Program:
    address = f"http://127.0.0.1:{state.course_port(lab, course.name)}"
    folder = lab.storage.courses / course.name
    environment = service_environment(lab, course.name, address, state.secret(lab, f"course-{course.name}"))
    environment |= {
        "HOME": str(folder),
        "USER": course.account,
        "LOGNAME": course.account,
        "JUPYTERHUB_USER": course.account,
        "JUPYTERHUB_GROUP": f"formgrade-{course.name}",
        "JUPYTERHUB_DEFAULT_URL": "/lab",
        "JUPYTER_CONFIG_PATH": str(lab.storage.run / "jupyter" / "instructor"),
        "HF_HOME": str(lab.storage.models),
        "USTOD_EXCHANGE_URL": f"{state.url(lab, state.EXCHANGE)}/services/exchange/",
    }
    command = [sys.executable, "-P", "-m", "autograder.hub.formgrader"]
    return Program(f"course-{course.name}", command, environment, course.account, low_port=True, folder=folder)


def service_environment(lab: Lab, name: str, address: str, token: str) -> dict[str, str]:
    """What JupyterHub would tell a service that it starts itself.

    See https://jupyterhub.readthedocs.io/en/stable/reference/services.html.
    """
    prefix = f"/services/{name}/"
    scopes = json.dumps([f"access:services!service={name}"])
    return {
        **base_environment(),
        "JUPYTERHUB_SERVICE_NAME": name,
        "JUPYTERHUB_SERVICE_URL": address,
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_API_TOKEN": token,
        "JUPYTERHUB_API_URL": f"{state.url(lab, state.HUB)}/hub/api",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_HOST": lab.address.rstrip("/") if lab.server.subdomains else "",
        "JUPYTERHUB_CLIENT_ID": f"service-{name}",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": scopes,
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": scopes,
    }

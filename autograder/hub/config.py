"""From ``lab.toml`` to JupyterHub's settings."""

from __future__ import annotations

from typing import Any

from autograder.hub import state
from autograder.hub.apply import ApplyHandler
from autograder.hub.authority import AuthorityHandler, ca_certificate
from autograder.hub.current import CurrentLab
from autograder.hub.lab import Lab
from autograder.hub.programs import PROXY_ACCOUNT, WARM_KERNELS, WARM_SERVERS, has_warm_servers
from autograder.hub.rights import CUSTOM_SCOPES, SERVER_SCOPES, groups, roles, services
from autograder.hub.systemd import runs_systemd, systemd_config
from autograder.hub.warm import kernelspec, shared
from autograder.hub.words import TEMPLATES, page_words

#: Sent with every page of the hub. Pages of the lab are shown in no other site's frame.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}

#: Authenticators by the kind that ``lab.toml`` names; an OAuth provider's own class is named there.
AUTHENTICATORS = {
    "roster": "autograder.hub.authenticator.RosterAuthenticator",
    "pam": "jupyterhub.auth.PAMAuthenticator",
    "lti": "ltiauthenticator.lti13.auth.LTI13Authenticator",
    "oauth": "oauthenticator.generic.GenericOAuthenticator",
}


def configure(c: Any, lab: Lab) -> None:
    """Set all of JupyterHub's configuration `c` as `lab` says."""
    _hub(c, lab)
    _people(c, lab)
    _servers(c, lab)
    c.JupyterHub.custom_scopes = CUSTOM_SCOPES
    c.JupyterHub.load_groups = groups(lab)
    c.JupyterHub.load_roles = roles(lab)
    c.JupyterHub.services = services(lab)


def _hub(c: Any, lab: Lab) -> None:
    hub = c.JupyterHub
    hub.bind_url = f"http://127.0.0.1:{lab.server.port}/"
    hub.hub_bind_url = state.url(lab, state.HUB)
    hub.cleanup_servers = False
    hub.cleanup_proxy = False
    hub.db_url = f"sqlite:///{lab.storage.hub / 'jupyterhub.sqlite'}"
    hub.cookie_secret = bytes.fromhex(state.secret(lab, "cookie"))
    hub.extra_handlers = [(r"/api/lab", ApplyHandler)]
    if lab.tls.mode == "local-ca":
        hub.extra_handlers.append((r"/ca.crt", AuthorityHandler, {"path": ca_certificate(lab)}))
    our_pages(c, lab)
    hub.tornado_settings = {"compress_response": True, "headers": dict(HEADERS)}
    hub.trust_user_provided_tokens = True  # ours are 32 random bytes; a slow hash at each request would gain nothing
    hub.concurrent_spawn_limit = 0  # a class that logs in at once is kept waiting by the spawner, not sent away
    hub.active_server_limit = 0
    hub.shutdown_on_logout = False
    hub.log_level = "INFO"
    hub.last_activity_interval = 5  # this is also how soon a proxy that was started again is told where everything is
    if lab.server.subdomains:
        hub.subdomain_host = lab.address.rstrip("/")
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = state.url(lab, state.PROXY)
    c.ConfigurableHTTPProxy.auth_token = state.secret(lab, "proxy")


def our_pages(c: Any, lab: Lab) -> None:
    """Let the hub show our pages, and know the words in them, however people log in."""
    c.JupyterHub.template_paths = [str(TEMPLATES)]
    c.JupyterHub.template_vars = {"lab_name": lab.name, **page_words(lambda user: lab.languages[0])}


def _people(c: Any, lab: Lab) -> None:
    login = lab.login
    c.JupyterHub.authenticator_class = authenticator_class(lab)
    # Who may log in stands in lab.toml and its class lists, whoever says who they are.
    if login.kind == "roster":
        c.RosterAuthenticator.accounts = str(lab.storage.hub / "accounts.sqlite")
        c.RosterAuthenticator.lab_file = str(lab.path)
        c.RosterAuthenticator.proxy_account = PROXY_ACCOUNT
    else:
        c.Authenticator.allowed_users = set(lab.people)
    for name, value in login.settings.items():
        section, _, trait = name.rpartition(".")
        c[section or authenticator_class(lab).rpartition(".")[2]][trait] = value


def authenticator_class(lab: Lab) -> str:
    """What JupyterHub asks who somebody is."""
    return lab.login.class_name or AUTHENTICATORS[lab.login.kind]


def _servers(c: Any, lab: Lab) -> None:
    current = CurrentLab(lab.path)
    c.StudentServer.lab_now = lambda: current.lab
    if runs_systemd(lab):
        systemd_config(c, lab)
    else:
        c.JupyterHub.spawner_class = "autograder.hub.spawner.LabSpawner"
        if has_warm_servers(lab):
            c.LabSpawner.warm_socket = str(lab.storage.run / WARM_SERVERS)
    c.Spawner.http_timeout = 120
    c.Spawner.start_timeout = 900  # waiting for one's turn included
    c.Spawner.default_url = "/lab"
    c.Spawner.server_token_scopes = list(SERVER_SCOPES)
    c.Spawner.environment = student_environment(lab)


def student_environment(lab: Lab) -> dict[str, str]:
    """The variables that every student's server has beside its own."""
    variables = shared.variables(lab.storage.models)
    variables["USTOD_EXCHANGE_URL"] = f"{state.url(lab, state.EXCHANGE)}/services/exchange/"
    if lab.spawner.warm_kernels:
        variables[kernelspec.SOCKET] = str(lab.storage.run / WARM_KERNELS)
        variables["JUPYTER_PATH"] = str(kernelspec.FOLDER)
    return variables

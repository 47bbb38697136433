"""Inside the hub: bring groups, roles and services in line with a changed ``lab.toml``, while people work."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub import orm
from jupyterhub.apihandlers.services import ServiceAPIHandler
from jupyterhub.app import JupyterHub
from tornado import web

from autograder.errors import UstodError
from autograder.hub.lab import Lab, read_lab
from autograder.hub.programs import lab_file
from autograder.hub.rights import APPLY_SCOPE, INSTRUCTORS, STUDENTS, groups, roles, services


class ApplyHandler(ServiceAPIHandler):  # type: ignore[misc]
    """POST ``/hub/api/lab``: read ``lab.toml`` again and apply it. Nobody's server is touched."""

    async def post(self) -> None:
        """Answer with what changed, in numbers."""
        if APPLY_SCOPE not in self.parsed_scopes:
            raise web.HTTPError(403, "Only the lab's own commands may do this.")
        try:
            lab = read_lab(lab_file())
        except UstodError as error:
            raise web.HTTPError(400, str(error)) from None
        self.write(json.dumps(await apply(self, lab)))


async def apply(handler: ApplyHandler, lab: Lab) -> dict[str, int]:
    """Make the running hub what `configure` would make of `lab`, as far as groups, roles and services go.

    Returns:
        How many services were added and removed, how many memberships ended, and how many servers were stopped because
        their owners are on no list any more.
    """
    app: JupyterHub = handler.app
    wanted = groups(lab)
    app.load_groups = wanted
    await app.init_groups()
    ended = _end_memberships(app, wanted)
    if lab.login.kind != "roster":
        app.authenticator.allowed_users = set(lab.people)
    specs = services(lab)
    added = await _add_services(handler, specs)
    removed = await _remove_services(handler, {spec["name"] for spec in specs})
    app.load_roles = roles(lab)
    await app.init_role_creation()
    await app.init_role_assignment()
    await app.proxy.check_routes(app.users, app._service_map)
    stopped = await _stop_strangers(handler, lab)
    return {"added": added, "removed": removed, "ended": ended, "stopped": stopped}


def _end_memberships(app: JupyterHub, wanted: dict[str, dict[str, list[str]]]) -> int:
    ended = 0
    for group in app.db.query(orm.Group):
        if not group.name.startswith((STUDENTS, INSTRUCTORS)):
            continue
        names = wanted.get(group.name, {"users": []})["users"]
        for user in list(group.users):
            if user.name not in names:
                group.users.remove(user)
                ended += 1
    app.db.commit()
    return ended


async def _stop_strangers(handler: ApplyHandler, lab: Lab) -> int:
    known = set(lab.people)
    strangers = [user for user in handler.app.users.values() if user.name not in known and user.running]
    for user in strangers:
        await handler.stop_single_user(user)
    return len(strangers)


async def _add_services(handler: ApplyHandler, specs: list[dict[str, Any]]) -> int:
    app = handler.app
    new = [spec for spec in specs if spec["name"] not in app._service_map]
    for spec in new:
        service = app.service_from_spec(spec, from_config=True)
        app.db.commit()
        await app._add_tokens({spec["api_token"]: spec["name"]}, kind="service")
        if spec.get("oauth_no_confirm"):
            handler.settings["oauth_no_confirm_list"].add(service.oauth_client_id)
        if service.url:
            await app.proxy.add_service(service)
    return len(new)


async def _remove_services(handler: ApplyHandler, wanted: set[str]) -> int:
    app = handler.app
    gone = [name for name in app._service_map if name not in wanted]
    for name in gone:
        service = app._service_map[name]
        if service.url:
            await app.proxy.delete_service(service)
        await handler.remove_service(service, service.orm)
        app._service_map.pop(name)
    return len(gone)

"""A running hub is asked with the rights of the lab's own commands."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from autograder.errors import UstodError
from autograder.hub import state
from autograder.hub.lab import Lab
from autograder.hub.rights import CONTROL


def ask(lab: Lab, path: str, method: str = "GET", timeout: float = 30.0) -> Any:
    """What the hub answers to `method` at `path` of its API.

    Raises:
        UstodError: if it does not answer within `timeout` seconds, or refuses.
    """
    headers = {"Authorization": f"token {state.secret(lab, CONTROL)}"}
    request = urllib.request.Request(f"{state.url(lab, state.HUB)}/hub/api/{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")
        try:
            said = json.loads(said)["message"]
        except (ValueError, KeyError, TypeError):
            said = said[:200]
        raise UstodError(f"The hub refused: {said}") from None
    except OSError as error:
        raise UstodError(f"The hub does not answer ({error}); ustod hub status says more.") from None
    return json.loads(content) if content else None
